"""CSV, TSV and their kin: text, a row a line, names of columns in the first."""

import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from warmstart.config import limits
from warmstart.config.data import Data
from warmstart.data.readers import encoding, packed, table
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SAMPLE = 1 << 18  # characters that delimiter and decimal sign are seen from
_ROWS = 50_000  # rows read at a time: pandas holds the text of so many beside their values
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_NUMBER = re.compile(r"[+-]?[\d.,]+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How the rows of a text file are written."""

    encoding: str
    delimiter: str
    quote: str = '"'
    decimal: str = "."
    header_rows: int = 1
    """Rows before those of the table, empty ones counted."""
    comment: str | None = None


def read(path: Path, data: Data) -> Raw:
    """The table at `path`, plain or gzip; encoding, delimiter and decimal comma are detected.

    Text stays text, dates too; a column that is not numbers or booleans throughout is text
    throughout. Missing is what pandas takes for it, and `?`.

    Raises:
        InputError: with what is wrong with the file, its columns, or `data`.
    """
    header, dialect = _first_line(path)
    columns = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    frame = rows(path, dialect, columns, table.wanted(columns, data, path))
    unnamed = {name for name, given in zip(columns, header, strict=True) if not given}
    empty = [name for name in frame if name in unnamed and frame[name].isna().all()]
    said = f"{dialect.encoding}, {DELIMITERS[dialect.delimiter]}-separated"
    said += ", decimal comma" if dialect.decimal == "," else ""
    return table.raw(frame.drop(columns=empty) if empty else frame, data, path, said)


def _first_line(path: Path) -> tuple[list[str], Dialect]:
    """The names that the first line gives to the columns, and how the file is written."""
    used = encoding.of(path)
    with text(path, used) as opened:
        sample = _sample(opened, path)
        delimiter = max(DELIMITERS, key=lambda each: _fit(sample, each))
        reader = _fields(sample, delimiter)
        before, first = next(((n, row) for n, row in enumerate(reader) if any(row)), (0, []))
        header = [name.strip() for name in first]
        _check_header(header, path)
        commas = delimiter != "," and _has_decimal_commas(reader)
    return header, Dialect(
        encoding=used,
        delimiter=delimiter,
        decimal="," if commas else ".",
        header_rows=before + 1,
    )


def rows(path: Path, dialect: Dialect, columns: Sequence[str], keep: Sequence[str]) -> pd.DataFrame:
    """The rows of the file, as a frame with the columns `keep` of its `columns`.

    Raises:
        InputError: if a row has more or fewer fields than there are columns, with its line.
    """
    frames: list[pd.DataFrame] = []
    short = False
    for chunk in _chunks(path, dialect, columns):
        frames.append(chunk[list(keep)])
        short = short or bool(chunk[columns[-1]].isna().any())
    if short:  # pandas fills up what a row lacks
        _check_lengths(path, dialect, len(columns))
    if mixed := _mixed(frames):
        again = _chunks(path, dialect, columns, dict.fromkeys(mixed, str))
        for number, chunk in enumerate(again):
            frames[number] = frames[number].assign(**{name: chunk[name] for name in mixed})
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(keep))


def _chunks(
    path: Path,
    dialect: Dialect,
    columns: Sequence[str],
    kinds: dict[str, type] | None = None,
) -> Iterator[pd.DataFrame]:
    try:
        with packed.opened(path) as file, warnings.catch_warnings():
            # a first row that is too long is no more than one
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield from pd.read_csv(
                file,
                encoding=dialect.encoding,
                sep=dialect.delimiter,
                quotechar=dialect.quote,
                decimal=dialect.decimal,
                comment=dialect.comment,
                skiprows=dialect.header_rows,
                header=None,
                names=list(columns),
                index_col=False,
                dtype=kinds,
                na_values=["?"],
                skipinitialspace=True,
                low_memory=False,
                chunksize=_ROWS,
            )
    except pd.errors.EmptyDataError:
        return
    except UnicodeDecodeError as error:
        raise _undecoded(path, dialect.encoding, error) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        _check_lengths(path, dialect, len(columns))
        raise InputError(
            f"{path}: expected a table, received {' '.join(str(error).split())}; mend the file, "
            "which may be truncated"
        ) from None


def _check_lengths(path: Path, dialect: Dialect, columns: int) -> None:
    """Refuse rows that do not have a field for each column."""
    first, wrong, before = "", 0, 0
    with text(path, dialect.encoding) as opened:
        reader = csv.reader(
            opened, delimiter=dialect.delimiter, quotechar=dialect.quote, skipinitialspace=True
        )
        for number, row in enumerate(reader):
            line, before = before + 1, reader.line_num
            if number < dialect.header_rows or not row:
                continue
            if dialect.comment and row[0].startswith(dialect.comment):
                continue
            if len(row) < columns or any(row[columns:]):
                first = first or f"line {line}: expected {columns} fields, received {len(row)}"
                wrong += 1
    if wrong:
        more = f" (and {wrong - 1} more such lines)" if wrong > 1 else ""
        raise InputError(f"{path}: {first}{more}; mend the file, or quote what holds delimiters")


def _mixed(frames: Sequence[pd.DataFrame]) -> list[str]:
    """Columns that pandas read as text in some of `frames` and as something else in others, or that
    joining would round."""
    return [
        str(name)
        for name in (frames[0] if frames else ())
        if not _joins([frame[name] for frame in frames])
    ]


def _joins(pieces: Sequence[pd.Series]) -> bool:
    if len({str(piece.dtype) for piece in pieces}) == 1:
        return True
    there = [piece.dropna() for piece in pieces if piece.notna().any()]
    kinds = {str(piece.dtype) for piece in there}
    return kinds <= {"int64", "float64"} or (
        kinds <= {"bool", "object"} and all(set(piece) <= {True, False} for piece in there)
    )


def lines(opened: io.TextIOWrapper, path: Path) -> Iterator[str]:
    """The lines of a text.

    Raises:
        InputError: at one that is too long to be looked at.
    """
    while line := opened.readline(limits.LINE + 1):
        if len(line) > limits.LINE:
            raise InputError(
                f"{path}: expected lines of at most {limits.LINE:,} characters, received a longer "
                "one; check that it is a table, or save it as Parquet"
            )
        yield line


def _sample(opened: io.TextIOWrapper, path: Path) -> str:
    """The first lines: as many as make _SAMPLE characters, and some more of a wide table."""
    sample = io.StringIO(newline="")
    for number, line in enumerate(lines(opened, path)):
        sample.write(line)
        if sample.tell() >= _SAMPLE and number >= 9:
            break
    return sample.getvalue()


def _fit(sample: str, delimiter: str) -> tuple[float, int]:
    """How well `delimiter` explains the lines of `sample`: the share of rows that have as many
    fields as the first one has, which must be two or more, and this number."""
    try:
        lengths = [len(row) for row in _fields(sample, delimiter) if row]
    except csv.Error:
        return 0.0, 0
    width = lengths[0] if lengths else 0
    return (lengths.count(width) / len(lengths) if width > 1 else 0.0), width


def _has_decimal_commas(sample: Iterator[list[str]]) -> bool:
    """Whether numbers have decimal commas: some can be nothing else, and none has a point."""
    fields = {field for row in sample for field in row}
    commas = {field for field in fields if _DECIMAL_COMMA.fullmatch(field)}
    surely = any(not _THOUSANDS.fullmatch(field) for field in commas)
    return surely and not any(_DECIMAL_POINT.fullmatch(field) for field in fields)


def _fields(sample: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, skipinitialspace=True)


def _check_header(header: Sequence[str], path: Path) -> None:
    """Refuse a first line of numbers, but for those by which pandas calls nameless columns."""
    if len(header) == 1:
        raise InputError(
            f"{path}: expected the names of two columns or more in the first line, with "
            f"{', '.join(DELIMITERS.values())} between them, received {header[0][:80]!r}; mend it"
        )
    counted = [str(place) for place in range(len(header))]
    if header == counted or not all(_NUMBER.fullmatch(name) for name in header):
        return
    raise InputError(
        f"{path}: expected the names of the columns in the first line, received "
        f"{table.named(header) or 'delimiters alone'}; add a line of names"
    )


@contextmanager
def text(path: Path, used: str) -> Iterator[io.TextIOWrapper]:
    """The file, unpacked and decoded."""
    with packed.opened(path) as file:
        try:
            yield io.TextIOWrapper(file, encoding=used, newline="")
        except UnicodeDecodeError as error:
            raise _undecoded(path, used, error) from None
        except csv.Error as error:
            raise InputError(
                f"{path}: expected fields of a table, received {error}; mend the file"
            ) from None


def _undecoded(path: Path, used: str, error: UnicodeDecodeError) -> InputError:
    return InputError(
        f"{path}: expected text in one encoding, which seemed to be {used}, received the "
        f"bytes {error.object[error.start : error.end].hex(' ')}, which are none in it; save it in "
        "UTF-8"
    )
