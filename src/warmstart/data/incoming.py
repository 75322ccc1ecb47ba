"""Samples as they come in, arrays or tables, as raw numbers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from warmstart.config import limits
from warmstart.data.columns import Column, ColumnError, encode, stripped
from warmstart.data.kinds import Override, understand
from warmstart.data.naming import some
from warmstart.data.target import TaskKind
from warmstart.errors import InputError

_ROWS = 1 << 16  # so many at a time, where a whole copy would double the memory


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was said of the data besides where they are: keys of `data` in params.yaml."""

    task: TaskKind = "auto"
    columns: Mapping[str, Override] = field(default_factory=dict)
    group: str | None = None
    order: str | None = None
    test_fraction: float = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class Taken:
    """Raw features, and what goes with their rows."""

    x: NDArray[np.floating]
    """`(n, raw features)`, as `Dataset.x`."""
    shape: tuple[int, ...]
    """Of a sample."""
    columns: tuple[Column, ...]
    groups: NDArray[np.int64] | None = None
    """`(n,)`: the user's; None: there are none."""
    order: NDArray[np.int64] | None = None
    """`(n,)`: the rows from the oldest to the newest; None: they have no order."""


def as_array(x: Any, where: str) -> NDArray[Any]:
    """`x` as an array, masked if it was.

    Raises:
        InputError: if its rows differ in length, or it is a sparse matrix.
    """
    try:
        array = x if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{where}: x: expected samples of one shape, received others ({reason}); mend them"
        ) from None
    if array.dtype == object and array.ndim == 0:
        raise InputError(
            f"{where}: x: expected an array or a frame, received {type(x).__name__}; convert it, a "
            "sparse matrix with x.toarray()"
        )
    return array


def taken(x: NDArray[Any] | pd.DataFrame, told: Told) -> Taken:
    """Arrays and tables alike as raw features.

    Raises:
        ColumnError: with all problems.
    """
    if not isinstance(x, pd.DataFrame):
        if told.columns or told.group or told.order:
            raise ColumnError(
                [
                    "data: expected columns, group and order for a table alone, received them for "
                    "arrays without names; remove them"
                ]
            )
        values, shape, made = _array(x, "x")
        return Taken(x=values, shape=shape, columns=made)
    names = [str(each) for each in x.columns]
    if len(names) > limits.COLUMNS:
        raise ColumnError(
            [f"x: expected at most {limits.COLUMNS:,} columns, received {len(names):,}; take fewer"]
        )
    if twice := sorted(each for each, count in Counter(names).items() if count > 1):
        raise ColumnError(
            [
                f"x: expected columns with different names, received {some(twice)} more "
                "than once; rename them"
            ]
        )
    asked = {f"data.columns.{each}": each for each in told.columns} | {
        f"data.{key}": each for key in ("group", "order") if (each := getattr(told, key))
    }
    if unknown := [
        f"{key}: expected one of {some(names)}, received {each!r}; change it"
        for key, each in asked.items()
        if each not in names
    ]:
        raise ColumnError(unknown)
    places = dict(zip(names, range(len(names)), strict=True))
    groups = order = None
    if told.group:
        groups = _groups(x.iloc[:, places[told.group]])
    if told.order:
        order = _order(x.iloc[:, places[told.order]], told)
    left = [place for each, place in places.items() if each not in (told.group, told.order)]
    if not left or not len(x):
        raise ColumnError(
            [f"x: expected rows and columns to predict from, received {len(x)} rows of {len(left)}"]
        )
    frame = x if len(left) == len(names) else x.iloc[:, left]  # which is a copy
    made = understand(frame, told.columns)
    values, _, _ = _array(encode(frame, made), "x", gaps=True)
    return Taken(x=values, shape=(len(made),), columns=made, groups=groups, order=order)


def _groups(values: "pd.Series[Any]") -> NDArray[np.int64]:
    try:
        return pd.factorize(stripped(values), use_na_sentinel=False)[0]
    except TypeError as error:
        raise ColumnError(
            [
                f"data.group: expected numbers or text, received {error} in {values.name!r}; "
                "convert it"
            ]
        ) from None


def _order(values: "pd.Series[Any]", told: Told) -> NDArray[np.int64]:
    """The rows from the oldest to the newest."""
    made = understand(values.to_frame(), told.columns)
    if made[0].kind == "category":
        raise ColumnError(
            [
                f"data.order: expected dates or numbers, received the texts of {told.order!r}; "
                "say in data.columns how its dates are written, or name another column"
            ]
        )
    last = encode(values.to_frame(), made)[:, -1]  # of a date: time as a number
    if gaps := int(np.isnan(last).sum()):
        raise ColumnError(
            [
                f"data.order: expected a value in every row of {told.order!r}, received {gaps} "
                "missing; fill them or drop the rows"
            ]
        )
    return np.argsort(last, kind="stable")


def _array(
    x: Any, called: str, *, gaps: bool = False
) -> tuple[NDArray[np.floating], tuple[int, ...], tuple[Column, ...]]:
    """`x` as `(n, features)`, the shape of a sample, and columns if there are gaps.

    Args:
        gaps: whether some are known, and named in columns elsewhere.

    Raises:
        ColumnError: with what is wrong.
    """
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        x = np.ma.filled(x.astype(np.float64), np.nan)
    if x.dtype.kind not in "biuf":
        raise ColumnError([f"{called}: expected numbers, received dtype {x.dtype}; convert it"])
    if x.ndim < 2 or x.size == 0:
        raise ColumnError(
            [
                f"{called}: expected shape (samples, features, …), none of them 0, received "
                f"{x.shape}; reshape it"
            ]
        )
    flat = x.reshape(len(x), -1)
    missing = np.isnan(flat).any(axis=0) if flat.dtype.kind == "f" else np.zeros(1, bool)
    _check(flat, called, gaps or x.ndim == 2)
    made: tuple[Column, ...] = ()
    if missing.any() and not gaps:
        made = tuple(
            Column(name=f"feature {place}", kind="number", missing=bool(gap))
            for place, gap in enumerate(missing)
        )
    return _small(flat), x.shape[1:], made


def _check(flat: NDArray[Any], called: str, gaps: bool) -> None:
    if flat.dtype.kind != "f":
        return
    wrong, first = 0, len(flat)
    for start in range(0, len(flat), _ROWS):
        part = flat[start : start + _ROWS]
        with np.errstate(over="ignore", invalid="ignore"):
            bad = ~(np.abs(part) <= np.finfo(np.float32).max)
        bad &= ~np.isnan(part) if gaps else True
        if bad.any():
            wrong += int(bad.sum())
            first = min(first, start + int(np.argmax(bad.any(axis=1))))
    if wrong:
        what = "infinite or too large" if gaps else "NaN, infinite or too large"
        raise ColumnError(
            [
                f"{called}: expected finite numbers that fit float32, received {wrong} values that "
                f"are {what}, the first in sample {first}; fill them or drop the samples"
            ]
        )


def _small(flat: NDArray[Any]) -> NDArray[np.floating]:
    """`flat` as float32 where that holds every value, else as float64."""
    if flat.dtype.kind in "biu" and flat.dtype.itemsize <= 2:
        return np.ascontiguousarray(flat, np.float32)
    for start in range(0, len(flat), _ROWS):
        part = flat[start : start + _ROWS]
        if not np.array_equal(part.astype(np.float32), part, equal_nan=part.dtype.kind == "f"):
            return np.ascontiguousarray(flat, np.float64)
    return np.ascontiguousarray(flat, np.float32)
