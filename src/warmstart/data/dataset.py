"""A dataset, checked on its way in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from warmstart.data import columns as tables
from warmstart.data import leaks, target
from warmstart.data.columns import Column, ColumnError, Override
from warmstart.data.digest import CORRUPT, content_digest
from warmstart.errors import InputError
from warmstart.files import replacing
from warmstart.metrics import Kind, kind_of

_ROWS = 1 << 16  # so many at a time, where a whole copy would double the memory
_TOLD = (
    "name", "class_names", "feature_shape", "source", "licence", "digest", "copies", "n_test",
    "target", "why",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Samples with their targets, as they came: neither split nor standardized."""

    name: str
    x: NDArray[np.floating]
    """`(n, raw features)`, raw values: float32 where that holds all of them, else float64. Of a
    table, see `columns.encode`."""
    y: NDArray[Any]
    """`(n,)` int32, each in `range(len(class_names))`; of a regression float64."""
    class_names: tuple[str, ...]
    """Empty: a regression."""
    feature_shape: tuple[int, ...]
    """Shape of one sample before it was flattened, such as `(8, 8)`."""
    source: str
    licence: str
    digest: str
    """SHA-256 of `x`, `y`, `class_names` and `columns`, whatever files they came in."""
    columns: tuple[Column, ...] = ()
    """What each raw feature is; empty: numbers without gaps."""
    groups: NDArray[np.int64] | None = None
    """`(n,)`: rows with equal numbers never come on two sides of a split; None: each is alone."""
    copies: int = 0
    """Rows that are the same as one before them."""
    n_test: int = 0
    """So many samples, the last ones, came as the test set or are the newest; 0: none."""
    labels: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    """`(classes,)`: what the classes are called in the data."""
    target: str = "y"
    """What the target is called."""
    why: str = ""
    """Why the target was taken for classes, or for numbers: a clause."""

    @property
    def kind(self) -> Kind:
        return kind_of(len(self.class_names))

    @property
    def columns_named(self) -> list[str]:
        """The user's columns, each once: a date is several of `columns`."""
        return list(dict.fromkeys(column.name for column in self.columns))

    def write(self, path: Path, **more: NDArray[Any]) -> None:
        """A .npz without pickles, with `more` arrays beside: the same bytes for the same dataset.
        `labels` are left out, as they may be anything."""
        whole = self.x.astype(np.uint8) if _are_bytes(self.x) else self.x
        told = {key: getattr(self, key) for key in _TOLD}
        told["columns"] = [column.to_json() for column in self.columns]
        arrays: dict[str, Any] = {"x": whole, "y": self.y, "told": np.array(json.dumps(told))}
        if self.groups is not None:
            arrays["groups"] = self.groups
        arrays |= more
        with replacing(path) as unfinished:
            np.savez(unfinished, **arrays)

    @classmethod
    def read(cls, path: Path) -> tuple[Self, dict[str, NDArray[Any]]]:
        """The dataset that `write` wrote to `path`, and the arrays beside it.

        Raises:
            InputError: if there is no such file, or it is none that `write` wrote.
        """
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            told = json.loads(str(arrays.pop("told")))
            columns = tuple(map(Column.from_json, told.pop("columns")))
            x, y, groups = arrays.pop("x"), arrays.pop("y"), arrays.pop("groups", None)
        except CORRUPT as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{path}: expected the data that the stage prepare wrote, received "
                f"{type(error).__name__}: {reason}; run `dvc repro prepare`"
            ) from None
        told |= {key: tuple(told[key]) for key in ("class_names", "feature_shape")}
        x = x.astype(np.float32) if x.dtype == np.uint8 else x
        return cls(x=x, y=y, groups=groups, columns=columns, **told), arrays


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was said of the data besides where they are: keys of `data` in params.yaml."""

    task: target.TaskKind = "auto"
    columns: Mapping[str, Override] = field(default_factory=dict)
    group: str | None = None
    order: str | None = None
    test_fraction: float = 0.2


def from_arrays(
    x: ArrayLike | pd.DataFrame,
    y: Any,
    class_names: ArrayLike | None = None,
    *,
    name: str,
    where: str,
    source: str,
    licence: str,
    n_test: int = 0,
    called: str = "y",
    told: Told | None = None,
) -> Dataset:
    """A dataset from arrays or a table, checked.

    Args:
        x: `(n, ...)` real numbers, flattened to `(n, features)`, in whose gaps (NaN, masked) of two
            axes medians will be; or a frame with a column per feature.
        y: `(n,)`, see `target.understand`.
        class_names: `(classes,)`, all different.
        where: what messages begin with, such as the file.
        n_test: samples, the last ones, that came as the test set.
        called: what messages call the target.
        told: what the user said of the data.

    Raises:
        InputError: with all problems, one line each.
    """
    told = told or Told()
    if not isinstance(x, pd.DataFrame):
        x = _as_array(x, where)
    images = not isinstance(x, pd.DataFrame) and x.ndim > 2
    aim, problems = target.understand(y, class_names, task=told.task, called=called, images=images)
    try:
        values, shape, made, groups, order = _features(x, told)
    except ColumnError as error:
        problems = [*error.problems, *problems]
    else:
        if np.ndim(y) and len(values) != len(y):
            problems.append(
                f"x and {called}: expected one label per sample, received {len(values)} samples "
                f"and {len(y)} labels; make them equal"
            )
    if problems or aim is None:
        raise InputError(*(f"{where}: {problem}" for problem in problems))
    labels = aim.y
    if order is not None:
        if n_test:
            raise InputError(
                f"{where}: data.order: expected none for data with a test set of their own, "
                f"received {told.order!r}; remove it"
            )
        values, labels = values[order], labels[order]
        groups = None if groups is None else groups[order]
        n_test = max(1, round(told.test_fraction * len(values)))
    content = {"x": values, "y": labels}
    also = (json.dumps([column.to_json() for column in made]),) if made else ()
    together, copies = leaks.together(values, groups)
    return Dataset(
        name=name,
        x=values,
        y=labels,
        class_names=aim.class_names,
        feature_shape=shape,
        source=source,
        licence=licence,
        digest=content_digest(content, (*aim.class_names, *also)),
        columns=made,
        groups=together,
        copies=copies,
        n_test=n_test,
        labels=aim.labels,
        target=called,
        why=aim.why,
    )


def _as_array(x: Any, where: str) -> NDArray[Any]:
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


def _features(
    x: Any, told: Told
) -> tuple[
    NDArray[np.floating],
    tuple[int, ...],
    tuple[Column, ...],
    NDArray[np.int64] | None,
    NDArray[np.int64] | None,
]:
    """Raw features `(n, features)`, the shape of a sample, columns, the groups of rows, and the
    rows from the oldest to the newest.

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
        return *_array(x, "x"), None, None
    names = [str(each) for each in x.columns]
    if twice := sorted({each for each in names if names.count(each) > 1}):
        raise ColumnError(
            [
                f"x: expected columns with different names, received {target.some(twice)} more "
                "than once; rename them"
            ]
        )
    asked = {f"data.columns.{each}": each for each in told.columns} | {
        f"data.{key}": each for key in ("group", "order") if (each := getattr(told, key))
    }
    if unknown := [
        f"{key}: expected one of {target.some(names)}, received {each!r}; change it"
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
    made = tables.understand(frame, told.columns)
    values, _, _ = _array(tables.encode(frame, made), "x", gaps=True)
    return values, (len(made),), made, groups, order


def _groups(values: "pd.Series[Any]") -> NDArray[np.int64]:
    try:
        return pd.factorize(tables.stripped(values), use_na_sentinel=False)[0]
    except TypeError as error:
        raise ColumnError(
            [
                f"data.group: expected numbers or text, received {error} in {values.name!r}; "
                "convert it"
            ]
        ) from None


def _order(values: "pd.Series[Any]", told: Told) -> NDArray[np.int64]:
    """The rows from the oldest to the newest."""
    made = tables.understand(values.to_frame(), told.columns)
    if made[0].kind == "category":
        raise ColumnError(
            [
                f"data.order: expected dates or numbers, received the texts of {told.order!r}; "
                "say in data.columns how its dates are written, or name another column"
            ]
        )
    last = tables.encode(values.to_frame(), made)[:, -1]  # of a date: time as a number
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


def _are_bytes(x: NDArray[Any]) -> bool:
    """Whether unsigned bytes hold every value of `x`."""
    with np.errstate(invalid="ignore"):
        return all(
            np.array_equal(part.astype(np.uint8), part)
            for part in (x[start : start + _ROWS] for start in range(0, len(x), _ROWS))
        )
