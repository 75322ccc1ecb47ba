"""The values of a table's columns as numbers, of every split alike: medians, means and which
categories are rare are learned later, from training samples (`data.encoder`).

This file imports nothing of the package: a model that is served elsewhere takes it along.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Kind = Literal["number", "boolean", "ordered", "category", "date"]
PARTS = ("year", "month", "day", "weekday", "hour", "days")
"""What a date becomes; `days` is time as a number, in days since 1970."""
MOST = float(np.finfo(np.float32).max)
"""What a number may be, of either sign."""


class ColumnError(ValueError):
    """Columns that cannot be read: one line per problem."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of numbers, made of a column of the user's."""

    name: str
    """Of the user's column."""
    kind: Kind
    values: tuple[Any, ...] = ()
    """Of categories and ordered ones: what it can be, in the order of their numbers."""
    part: str = ""
    """Of a date: which of PARTS."""
    format: str | None = None
    """Of a date that is text: as `strptime` has it; None: ISO 8601."""
    missing: bool = False
    """Whether some of its values were missing."""

    @property
    def title(self) -> str:
        return f"{self.name} ({self.part})" if self.part else self.name

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"values": list(self.values)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(**{**content, "values": tuple(content["values"])})


def stripped(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """`values` without the blanks around texts, which nobody sees; a text of nothing is missing."""
    if isinstance(values.dtype, pd.CategoricalDtype) or not (
        pd.api.types.is_object_dtype(values.dtype) or pd.api.types.is_string_dtype(values.dtype)
    ):
        return values
    try:
        codes, different = pd.factorize(values)
    except TypeError:  # lists and the like are no text
        return values
    found = list(different)
    plain = [each.strip() or None if isinstance(each, str) else each for each in found]
    if all(one is other for one, other in zip(plain, found, strict=True)):
        return values
    kept = np.empty(len(plain) + 1, object)  # position -1: a gap
    kept[:-1], kept[-1] = plain, None
    return pd.Series(kept[codes], values.index, object, values.name)


def key(value: Any) -> Any:
    """What tells categories apart and JSON can hold: whole floats are integers, since a gap in
    a column of integers makes floats of them."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value if isinstance(value, str | bool) else str(value)
    return int(value) if float(value).is_integer() else float(value)


def encode(frame: pd.DataFrame, columns: Sequence[Column]) -> NDArray[np.float64]:
    """`(n, len(columns))`: the columns of `frame`, in any order, as numbers.

    A missing value is NaN. A category is its position in `values`; one that is not there has the
    position after the last one, and a missing one the position after that.

    Raises:
        ColumnError: with a line for each column that is not there or is of another kind.
    """
    table = np.empty((len(frame), len(columns)))
    problems, dates = list[str](), dict[str, "pd.Series[Any]"]()
    places = {str(name): place for place, name in enumerate(frame.columns)}
    if missing := [n for n in dict.fromkeys(c.name for c in columns) if n not in places]:
        raise ColumnError(
            [f"expected the columns {', '.join(map(repr, missing))}, received none of them"]
        )
    for number, column in enumerate(columns):
        values = stripped(frame.iloc[:, places[column.name]])
        try:
            if column.kind == "date":
                if column.name not in dates:
                    dates[column.name] = _dates(values, column.format)
                table[:, number] = _part(dates[column.name], column.part)
            elif column.kind == "number":
                table[:, number] = _floats(values)
            elif column.kind == "boolean":
                table[:, number] = _truths(values)
            else:
                table[:, number] = _positions(values, column)
        except (TypeError, ValueError) as error:
            reason = " ".join(str(error).split()).split(". You might")[0]
            line = f"column {column.name!r}: expected {_WANTED[column.kind]}, received {reason}"
            problems += [line] if line not in problems else []
    if problems:
        raise ColumnError(problems)
    return table


_WANTED = {
    "number": "numbers",
    "boolean": "truth values",
    "ordered": "one of its ordered values",
    "category": "categories",
    "date": "dates",
}


def _floats(values: "pd.Series[Any]") -> NDArray[np.float64]:
    if pd.api.types.is_complex_dtype(values.dtype):
        raise TypeError("complex numbers")
    if isinstance(values.dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(values):
        values = pd.to_numeric(values.astype(object))
    table = values.to_numpy(np.float64, na_value=np.nan)
    if (wrong := np.flatnonzero(np.abs(table) > MOST)).size:
        raise ValueError(
            f"{wrong.size} that are infinite or beyond {MOST:.2g}, the first in sample {wrong[0]}"
        )
    return table


_TRUTHS = {"true": 1.0, "yes": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "no": 0.0, "0": 0.0}
_TRUTHS |= {"0.0": 0.0}


def _truths(values: "pd.Series[Any]") -> NDArray[np.float64]:
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.to_numpy(np.float64, na_value=np.nan)
    there = values.notna().to_numpy()
    found = values[there].map(lambda each: _TRUTHS.get(str(each).lower(), np.nan))
    if found.isna().any():
        raise ValueError(repr(key(values[there][found.isna()].iloc[0])))
    table = np.full(len(values), np.nan)
    table[there] = found.to_numpy(np.float64)
    return table


def _positions(values: "pd.Series[Any]", column: Column) -> NDArray[np.float64]:
    numbers = {value: place for place, value in enumerate(column.values)}
    codes, found = pd.factorize(values)
    unknown = len(numbers)
    named = {str(value): place for value, place in numbers.items()}  # 7 where others are "x7"
    places = [
        numbers.get(key, named.get(str(key), unknown)) for key in (key(each) for each in found)
    ]
    if column.kind == "ordered":
        if strange := [each for each, place in zip(found, places, strict=True) if place == unknown]:
            raise ValueError(f"{key(strange[0])!r}")
        ranks: NDArray[np.float64] = np.array([*places, np.nan], np.float64)
        return ranks[codes]
    return np.array([*places, unknown + 1], np.float64)[codes]


def _dates(values: "pd.Series[Any]", form: str | None) -> "pd.Series[Any]":
    if pd.api.types.is_numeric_dtype(values.dtype):
        raise TypeError(f"{values.dtype}")
    plain = values if pd.api.types.is_datetime64_any_dtype(values.dtype) else values.astype(object)
    dates = pd.to_datetime(plain, format=form or "ISO8601", utc=True)
    return dates.reset_index(drop=True)


def _part(dates: "pd.Series[Any]", part: str) -> NDArray[np.float64]:
    if part == "days":
        # a timestamp of pandas counts nanoseconds, which end in the year 2262
        since = (
            dates.dt.as_unit("us") - pd.Timestamp(0, tz="UTC").as_unit("us")
        ).dt.total_seconds()
        return since.to_numpy(np.float64) / 86_400
    own = "day_of_week" if part == "weekday" else part
    return getattr(dates.dt, own).to_numpy(np.float64, na_value=np.nan)
