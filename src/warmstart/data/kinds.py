"""What the columns of a table are: by their dtypes, by what texts say, by what the user says.

Nothing is learned from the data but what values a column can take.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from warmstart.config import limits
from warmstart.data.columns import PARTS, Column, ColumnError, Kind, encode, key, stripped

Override = str | Mapping[str, Any]
"""What `data.columns` of params.yaml says of a column: a kind, `{ordered: [low, high]}`, or
`{date: "%d.%m.%Y"}`, a format of `strptime`."""
MOST_CATEGORIES, MOST_SHARE = 1000, 0.5
"""Different texts, and the share of all texts they may be, up to which text is categories."""
_AMOUNT = (
    r"([^\w\s]+\s?|[A-Z]{3}\s)?[+-]?(\d{1,3}([,.'\s]\d{3})+|\d+)([.,]\d+)?"
    r"\s?([^\w\s]*[^\W\d]{0,4}\d?)"
)
"""A number with a currency or a unit, or with thousands separators."""
_HOW = "; mend it, or say in data.columns what the column is"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")


def understand(
    frame: pd.DataFrame, overrides: Mapping[str, Override] | None = None
) -> tuple[Column, ...]:
    """The columns of `frame`, by their dtypes, by what text says, and by `overrides`.

    Raises:
        ColumnError: for a column that is free text, or that an override does not fit.
    """
    overrides = overrides or {}
    columns, problems = list[Column](), list[str]()
    for name in frame.columns:
        try:
            columns += _understood(str(name), frame[name], overrides.get(str(name)))
        except ColumnError as error:
            problems += [line if "; " in line else line + _HOW for line in error.problems]
    if problems:
        raise ColumnError(problems)
    return tuple(columns)


def _understood(name: str, values: "pd.Series[Any]", override: Override | None) -> list[Column]:
    values = stripped(values)
    kind, order, form = _said(name, override)
    kind = kind or _kind(name, values)
    if kind == "date":
        made = [Column(name=name, kind=kind, part=part, format=form) for part in PARTS]
        table = encode(pd.DataFrame({name: values}), made)
        varies = [len(np.unique(part[~np.isnan(part)])) > 1 for part in table.T]
        kept = [c for c, more in zip(made, varies, strict=True) if more or c.part == "days"]
        gaps = bool(np.isnan(table[:, -1]).any())
        # one mark for all parts: they are missing together
        return [_with(column, missing=gaps and column.part == "days") for column in kept]
    found: tuple[Any, ...] = ()
    if kind in ("category", "ordered"):
        found = tuple(order or _values(values))
    column = Column(name=name, kind=kind, values=found)
    encode(pd.DataFrame({name: values}), [column])  # whether they can be read
    return [_with(column, missing=bool(values.isna().any()))]


def _with(column: Column, *, missing: bool) -> Column:
    return Column(**{**asdict(column), "missing": missing})


def _said(name: str, override: Override | None) -> tuple[Kind | None, list[Any], str | None]:
    """The kind, the order and the date format of an override."""
    if isinstance(override, Mapping) and len(override) == 1:
        ((kind, more),) = override.items()
        if kind == "ordered" and isinstance(more, Sequence) and not isinstance(more, str):
            return "ordered", [key(each) for each in more], None
        if kind == "date" and isinstance(more, str):
            return "date", [], more
    elif override is None or override in ("number", "boolean", "category", "date"):
        return override, [], None  # type: ignore[return-value]
    raise ColumnError(
        [
            f"data.columns.{name}: expected number, boolean, category, date, {{ordered: [low, "
            f"high]}} or {{date: '%d.%m.%Y'}}, received {override!r}; change it"
        ]
    )


def _kind(name: str, values: "pd.Series[Any]") -> Kind:
    """By dtype; of text by what it says."""
    dtype = values.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if isinstance(dtype, pd.CategoricalDtype):
        return "ordered" if dtype.ordered else "category"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return "number"
    there = values.dropna()
    kinds = {type(each) for each in there}
    if kinds <= {bool, np.bool_} and kinds:
        return "boolean"
    if kinds <= {int, float, bool} or not kinds:
        return "number"
    if not kinds <= {str}:
        import datetime

        if all(issubclass(kind, datetime.date) for kind in kinds):
            return "date"
        shown = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ColumnError(
            [
                f"column {name!r}: expected numbers, truth values, dates or text, received "
                f"{shown}; convert it, or leave it out with data.drop"
            ]
        )
    if all(map(_ISO.fullmatch, there)):
        return "date"
    return _of_text(name, there)


def _of_text(name: str, there: "pd.Series[Any]") -> Kind:
    distinct, count, longest = there.nunique(), len(there), there.str.len().max()
    few = distinct <= 20 or (distinct <= MOST_CATEGORIES and distinct <= MOST_SHARE * count)
    if few and longest <= limits.CATEGORY:
        return "category"
    if line := written_numbers(there):
        raise ColumnError([f"column {name!r}: {line}"])
    what = "an identifier or free text" if distinct == count else "free text"
    what += f" of up to {longest:,} characters" if longest > limits.CATEGORY else ""
    raise ColumnError(
        [
            f"column {name!r}: expected numbers, dates or categories, received {distinct:,} "
            f"different texts in {count:,} rows, such as {_short(there.iloc[0])}, which look like "
            f"{what}; leave it out with data.drop, or say what it is in data.columns "
            "(category, date or {date: '%d.%m.%Y'})"
        ]
    )


def written_numbers(texts: "pd.Series[Any]") -> str | None:
    """What is to be done where most of `texts` are numbers, or would be without thousands
    separators, units and the like: the rest of a line; None: they are not."""
    distinct = texts.drop_duplicates()
    other = distinct[pd.to_numeric(distinct, errors="coerce").isna()]
    if other.empty:
        return "expected numbers, received texts that are numbers; convert them to a number type"
    if len(other) <= MOST_SHARE * len(distinct):
        return (
            f"expected numbers, received {len(distinct):,} different texts, {len(other):,} of "
            f"which are none, the first {_short(other.iloc[0])}; leave empty what is missing, or "
            "mend it"
        )
    if other.str.fullmatch(_AMOUNT).mean() <= MOST_SHARE:
        return None
    return (
        f"expected plain numbers, received {len(distinct):,} different texts such as "
        f"{_short(other.iloc[0])}; remove units, signs and thousands separators, as in 1234.5"
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 30 else f"{text[:29]}…")


def _values(values: "pd.Series[Any]") -> list[Any]:
    """What a column of categories can be: those of its dtype, or what there is, sorted."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return [key(each) for each in values.cat.categories]
    found = {key(each) for each in pd.unique(values.dropna())}
    return sorted(found, key=lambda each: (isinstance(each, str), each))
