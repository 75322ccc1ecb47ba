"""Arrays and data frames of a notebook -> a dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from warmstart.data.dataset import Dataset, from_arrays
from warmstart.errors import InputError


def from_memory(
    x: ArrayLike | pd.DataFrame, y: ArrayLike | pd.Series | Sequence[Any], *, where: str
) -> tuple[Dataset, NDArray[Any]]:
    """A dataset from what a notebook holds.

    Args:
        x: `(n, ...)` numbers, or a frame with a numeric column per feature.
        y: `(n,)` labels of any hashable kind. They are numbered in sorted order, or by their first
            appearance where they cannot be sorted.
        where: what messages begin with.

    Returns:
        The dataset, and `(classes,)` the labels as they came, in the order of their numbers.

    Raises:
        InputError: with one line per problem.
    """
    values, problems = _features(x)
    numbers, labels, more = _numbered(y)
    problems += more
    if isinstance(x, pd.DataFrame) and isinstance(y, pd.Series) and not x.index.equals(y.index):
        problems.append(
            "x and y: expected the same index, received different ones; align them with "
            "y.loc[x.index], or pass y.to_numpy() if row i of both belongs together"
        )
    if problems:
        raise InputError(*(f"{where}: {problem}" for problem in problems))
    dataset = from_arrays(
        values,
        numbers,
        np.array([str(label) for label in labels]),
        name="arrays",
        where=where,
        source="arrays in memory",
        licence="not stated: the user's",
    )
    return dataset, labels


def _features(x: Any) -> tuple[NDArray[Any], list[str]]:
    """`x` as an array, and what is wrong with its columns."""
    if not isinstance(x, pd.DataFrame):
        return np.asarray(x), []
    strange = [
        f"{column!r} ({kind})"
        for column, kind in x.dtypes.items()
        if not is_numeric_dtype(kind) and not is_bool_dtype(kind)
    ]
    if strange:
        return np.empty(0), [
            f"x: expected numeric columns, received {', '.join(strange)}; drop them, or encode "
            "them with pandas.get_dummies"
        ]
    return x.to_numpy(np.float32, na_value=np.nan), []


def _numbered(y: Any) -> tuple[NDArray[np.int64], NDArray[Any], list[str]]:
    """The number of each label in `y`, the different labels, and what is wrong with them."""
    nothing = np.empty(0, np.int64)
    if not isinstance(y, pd.Series | list | tuple):
        y = y.to_numpy() if isinstance(y, pd.DataFrame) else np.asarray(y)
        if y.ndim != 1:
            return nothing, nothing, [
                f"y: expected one label per sample, shape (samples,), received {y.shape}; "
                "y.ravel() flattens a column, y.argmax(axis=1) a one-hot table"
            ]  # fmt: skip
    try:
        # as a series, so that labels which are tuples stay whole
        numbers, labels = pd.factorize(pd.Series(y).to_numpy())
    except TypeError as error:
        return nothing, nothing, [
            f"y: expected hashable labels such as numbers or text, received {error}; convert them"
        ]  # fmt: skip
    if missing := np.flatnonzero(numbers < 0).tolist():
        return nothing, nothing, [
            f"y: expected a label for every sample, received {len(missing)} missing, the first in "
            f"sample {missing[0]}; fill them or drop the samples"
        ]  # fmt: skip
    try:
        order = sorted(range(len(labels)), key=lambda number: labels[number])
    except TypeError:
        order = list(range(len(labels)))
    return np.argsort(order)[numbers], labels[order], []
