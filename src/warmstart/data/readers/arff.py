"""ARFF, the format of Weka and OpenML: SciPy reads the attributes, pandas the rows."""

import io
import re
from pathlib import Path

import pandas as pd
from scipy.io import arff

from warmstart.config import limits
from warmstart.config.data import Data
from warmstart.data.readers import delimited, encoding, table
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError


def read(path: Path, data: Data) -> Raw:
    """The table at `path`: `numeric` attributes as numbers, nominal ones and dates as text.

    Raises:
        InputError: with what is wrong with the file, its columns, or `data`; what SciPy does not
            know (attributes of text of any kind, sparse rows) among it.
    """
    used = encoding.of(path)
    header, first = _header(path, used)
    kinds = _attributes(header, path)
    if first.startswith("{"):
        raise InputError(
            f"{path}: expected a value for each attribute in every row, received sparse rows "
            "({…}), which SciPy does not read; save it as CSV"
        )
    keep = table.wanted(list(kinds), data, path)
    dialect = delimited.Dialect(
        encoding=used,
        delimiter="\t" if "\t" in first and "," not in first else ",",
        quote='"' if re.search(r'(^|,)\s*"', first) else "'",
        comment="%",
        header_rows=header.count("\n"),
    )
    frame = delimited.rows(path, dialect, list(kinds), keep)
    if problems := [line for name in keep if (line := _mismatch(frame[name], kinds[name]))]:
        raise InputError(*(f"{path}: {line}" for line in problems))
    return table.raw(frame, data, path, f"ARFF, {used}")


def _header(path: Path, used: str) -> tuple[str, str]:
    """All lines up to `@data`, and the first row."""
    with delimited.text(path, used) as opened:
        header, size, lines = list[str](), 0, delimited.lines(opened, path)
        for line in lines:
            header.append(line)
            size += len(line)
            if line.strip().lower() == "@data":
                rows = (row.strip() for row in lines)
                first = next((row for row in rows if row and row[0] != "%"), "")
                return "".join(header), first
            if size > limits.LINE:
                raise InputError(
                    f"{path}: expected at most {limits.LINE:,} characters before the line @data, "
                    "received more; take fewer attributes, or save it as Parquet"
                )
    raise InputError(f"{path}: expected a line @data, received none; the file may be truncated")


def _attributes(header: str, path: Path) -> dict[str, tuple[str, ...] | str]:
    """Names of the attributes, with `numeric`, `date` or the values that are declared."""
    declared = re.findall(
        r"(?im)^[ \t]*@attribute[ \t]+('[^']*'|\"[^\"]*\"|\S+)[ \t]+(string|relational)", header
    )
    if declared:
        names = ", ".join(f"{name.strip(chr(34) + chr(39))!r} ({kind})" for name, kind in declared)
        raise InputError(
            f"{path}: expected numeric, nominal and date attributes, which SciPy reads, received "
            f"{names}; declare the values, as in {{yes, no}}, or save it as CSV"
        )
    # SciPy takes a name in double quotes to end at its first blank
    header = re.sub(r"(?im)^([ \t]*@attribute[ \t]+)\"([^\"']*)\"", r"\1'\2'", header)
    try:
        _, found = arff.loadarff(io.StringIO(header))
    except (arff.ArffError, ValueError, NotImplementedError, StopIteration, IndexError) as error:
        raise InputError(
            f"{path}: expected @attribute lines that SciPy reads, received "
            f"{' '.join(str(error).split())}; mend them"
        ) from None
    kinds = {}
    for name in found.names():
        kind, values = found[name]
        kinds[name] = values if kind == "nominal" else kind
    return kinds


def _mismatch(column: pd.Series, kind: tuple[str, ...] | str) -> str | None:
    """What is wrong with the values of an attribute, one line."""
    values = column.dropna()
    if kind == "numeric":
        wrong, expected = values[pd.to_numeric(values, errors="coerce").isna()], "numbers"
    elif isinstance(kind, tuple):
        wrong = values[~values.astype(str).isin(kind)]
        expected = f"the values that @attribute declares ({table.named(kind)})"
    else:
        return None
    if wrong.empty:
        return None
    return (
        f"{column.name!r}: expected {expected}, received {wrong.iloc[0]!r} in row "
        f"{wrong.index[0] + 1}; mend it"
    )
