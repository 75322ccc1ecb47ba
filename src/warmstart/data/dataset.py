"""A dataset, checked on its way in."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from warmstart.errors import InputError

FEWEST = 3
"""Samples that every class needs: one each to train, to validate and to test."""

_SHOWN = 5  # values named in a message before it says how many more there are


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Samples with their labels, as they came: neither split nor standardized."""

    name: str
    x: NDArray[np.float32]
    """`(n, features)`, raw values."""
    y: NDArray[np.int32]
    """`(n,)`, each in `range(len(class_names))`."""
    class_names: tuple[str, ...]
    feature_shape: tuple[int, ...]
    """Shape of one sample before it was flattened, such as `(8, 8)`."""
    source: str
    licence: str
    digest: str
    """SHA-256 of `x`, `y` and `class_names`, whatever files they came in."""
    n_test: int = 0
    """So many samples, the last ones, came as the test set; 0: the data have none of their own."""


def content_digest(arrays: Mapping[str, NDArray], class_names: tuple[str, ...]) -> str:
    """SHA-256 over name, dtype, shape and bytes of each array, and over the class names."""
    sha = hashlib.sha256(json.dumps(class_names).encode())
    for name, values in arrays.items():
        little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        sha.update(f"\n{name} {little.dtype.str} {little.shape}\n".encode())
        sha.update(little.data)
    return sha.hexdigest()


def from_arrays(
    x: ArrayLike,
    y: ArrayLike,
    class_names: ArrayLike | None = None,
    *,
    name: str,
    where: str,
    source: str,
    licence: str,
    n_test: int = 0,
) -> Dataset:
    """A dataset from arrays, checked.

    Args:
        x: `(n, ...)` real numbers; flattened to `(n, features)`.
        y: `(n,)` labels, integers from 0 or text. Without `class_names` they are numbered in
            sorted order and keep their text as names; with it an integer is a position in
            `class_names`, and a text one of them.
        class_names: `(classes,)`, all different.
        where: what messages begin with, such as the file.
        n_test: samples, the last ones, that came as the test set.

    Raises:
        InputError: with all problems, one line each.
    """
    x, y = np.asarray(x), np.asarray(y)
    values, problems = _values(x, "x")
    labels, names, more = _labels(y, None if class_names is None else np.asarray(class_names))
    problems += more + _length_problems(x, y, "")
    if problems:
        raise InputError(*(f"{where}: {problem}" for problem in problems))
    return Dataset(
        name=name,
        x=values,
        y=labels,
        class_names=names,
        feature_shape=x.shape[1:],
        source=source,
        licence=licence,
        digest=content_digest({"x": values, "y": labels}, names),
        n_test=n_test,
    )


def array_problems(x: NDArray, y: NDArray, suffix: str) -> list[str]:
    """What is wrong with samples `x (n, ...)` and labels `y (n,)`, whatever the classes are;
    messages call them `x` and `y` with `suffix`."""
    _, problems = _values(x, f"x{suffix}")
    return problems + _label_problems(y, f"y{suffix}") + _length_problems(x, y, suffix)


def _length_problems(x: NDArray, y: NDArray, suffix: str) -> list[str]:
    if not (x.ndim and y.ndim) or len(x) == len(y):
        return []
    return [
        f"x{suffix} and y{suffix}: expected one label per sample, received {len(x)} samples and "
        f"{len(y)} labels; make them equal"
    ]


def _values(x: NDArray, called: str) -> tuple[NDArray[np.float32], list[str]]:
    """`x` as `(n, features)` float32, and what is wrong with it."""
    nothing = np.empty((0, 0), np.float32)
    if x.dtype.kind not in "biuf":
        return nothing, [f"{called}: expected numbers, received dtype {x.dtype}; convert it"]
    if x.ndim < 2 or x.size == 0:
        return nothing, [
            f"{called}: expected shape (samples, features, …), none of them 0, received {x.shape}; "
            "reshape it"
        ]
    with np.errstate(over="ignore"):  # what overflows is infinite, and reported as such
        values = np.ascontiguousarray(x.reshape(len(x), -1), np.float32)
    finite = np.isfinite(values)
    if finite.all():
        return values, []
    first = int(np.argmin(finite.all(axis=1)))
    return values, [
        f"{called}: expected finite numbers that fit float32, received {np.sum(~finite)} values "
        f"that are NaN, infinite or too large, the first in sample {first}; fill them or drop the "
        "samples"
    ]


def _labels(
    y: NDArray, given: NDArray | None
) -> tuple[NDArray[np.int32], tuple[str, ...], list[str]]:
    """`y` as int32 positions in the class names, the class names, and what is wrong with both."""
    names, problems = _names(given)
    if problems := problems + _label_problems(y, "y"):
        return np.empty(0, np.int32), names, problems
    originals, positions = np.unique(y, return_inverse=True)
    if given is None:
        names = tuple(str(original) for original in originals)
    else:
        numbers = dict(zip(names, range(len(names)), strict=True))
        places = [
            numbers.get(str(o), -1) if y.dtype.kind == "U" else (int(o) if o < len(names) else -1)
            for o in originals
        ]
        if unknown := [o.item() for o, place in zip(originals, places, strict=True) if place < 0]:
            problems.append(
                f"y: expected labels from 0 to {len(names) - 1} or the {len(names)} class_names, "
                f"received {some(unknown)}; name every class"
            )
            return np.empty(0, np.int32), names, problems
        positions = np.array(places)[positions]
    return positions.astype(np.int32), names, _count_problems(positions, names)


def _label_problems(y: NDArray, called: str) -> list[str]:
    if y.dtype.kind not in "iuU":
        return [
            f"{called}: expected integers or text, received dtype {y.dtype}; "
            f"convert it with {called}.astype(int) or {called}.astype(str)"
        ]
    if y.ndim != 1 or y.size == 0:
        return [
            f"{called}: expected one label per sample, shape (samples,), received {y.shape}; "
            f"{called}.ravel() flattens a column, {called}.argmax(axis=1) a one-hot table"
        ]
    if y.dtype.kind != "U" and y.min() < 0:
        return [
            f"{called}: expected labels from 0, received {y.min()} in sample {y.argmin()}; "
            "renumber them"
        ]
    return []


def _names(given: NDArray | None) -> tuple[tuple[str, ...], list[str]]:
    if given is None:
        return (), []
    if given.dtype.kind not in "iuU" or given.ndim != 1:
        return (), [
            f"class_names: expected text, shape (classes,), received dtype {given.dtype}, "
            f"shape {given.shape}; convert it with astype(str)"
        ]
    names = tuple(str(name) for name in given)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return names, [
            f"class_names: expected different names, received {some(twice)} more than once; "
            "rename them"
        ]
    return names, []


def _count_problems(positions: NDArray, names: tuple[str, ...]) -> list[str]:
    if len(names) < 2:
        return [f"y: expected at least 2 classes, received {some(names)} only; add another"]
    counts = np.bincount(positions, minlength=len(names)).tolist()
    few = [f"{count} of {n!r}" for n, count in zip(names, counts, strict=True) if count < FEWEST]
    if not few:
        return []
    return [
        f"y: expected at least {FEWEST} samples of every class (one each to train, validate and "
        f"test), received {some(few, quote=False)}; add samples or remove the class"
    ]


def some(values: list | tuple, *, quote: bool = True) -> str:
    """The first of `values`, and how many more there are."""
    shown = ", ".join(repr(v) if quote else str(v) for v in values[:_SHOWN])
    return shown + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
