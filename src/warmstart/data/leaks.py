"""What would let a test look better than it is: rows that are the same, columns that number the
rows, columns that give the target away."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from warmstart.data.columns import Column

GIVES_AWAY, GIVES_NUMBERS_AWAY = 0.999, 0.99
"""Balanced accuracy, and R², from which on one column alone gives the target away."""
_FEWEST, _ROWS = 20, 20_000  # samples that it takes to see it, and that are plenty


def together(
    x: NDArray[Any], groups: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64] | None, int]:
    """`(n,)` numbers of the rows of `x (n, features)` that belong together, since they are the same
    or of one of the user's `groups (n,)`; None where each is alone. And how many rows are copies
    of one before them."""
    same, distinct = pd.factorize(_hashes(x))
    copies = len(x) - len(distinct)
    if groups is None:
        return (same if copies else None), copies
    if not copies:
        return groups, 0
    # SciPy takes a moment to import
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # rows, then the groups: a row is joined to its group, and to the first row that is the same
    first = np.zeros(len(distinct), np.int64)
    first[same[::-1]] = np.arange(len(x))[::-1]
    rows, size = np.arange(len(x)), len(x) + int(groups.max()) + 1
    ends = np.concatenate([len(x) + groups, first[same]])
    arrows = coo_array((np.ones(2 * len(x)), (np.tile(rows, 2), ends)), shape=(size, size))
    return connected_components(arrows, directed=False)[1][: len(x)].astype(np.int64), copies


def _hashes(x: NDArray[Any]) -> NDArray[np.uint64]:
    """`(n,)`: equal for rows that are the same; others differ but for a chance of 1e-7 or less in a
    million rows."""
    total = np.zeros(len(x), np.uint64)
    for column in x.T:
        values = np.ascontiguousarray(column)
        # 0.0 and -0.0 are the same, and so is every NaN
        own = pd.util.hash_array(np.where(np.isnan(values), np.nan, values + 0.0))
        with np.errstate(over="ignore"):
            total = (total ^ own) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
    return total


def numbering(x: NDArray[Any], columns: Sequence[Column]) -> list[str]:
    """Columns that differ in every row and step by whole numbers: a number of the row, which says
    nothing of another row, but may say when or where this one came from."""
    found = []
    for column, values in zip(columns, x.T, strict=True):
        if column.kind != "number" or np.isnan(values).any() or len(values) < 3:
            continue
        # as good as gapless: a sample of people's ages or counts repeats some
        if values.max() - values.min() >= 2 * len(values) or (values != np.rint(values)).any():
            continue
        if (np.diff(np.sort(values)) > 0).all():
            found.append(column.name)
    return found


def constant(x: NDArray[Any], columns: Sequence[Column]) -> list[str]:
    """Columns with one value, or none, everywhere."""
    return [
        column.title
        for column, values in zip(columns, x.T, strict=True)
        if not column.missing and not values.min() < values.max()
    ]


def giving_away(
    x: NDArray[Any], y: NDArray[Any], columns: Sequence[Column], classes: int, seed: int
) -> list[str]:
    """Columns from which alone the target follows, for samples not seen before: by a decision tree
    on each, in two halves of at most 20,000 samples."""
    if len(y) < _FEWEST:
        return []
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    rows = np.random.default_rng(seed).permutation(len(y))[:_ROWS]
    learn, test = np.array_split(rows, 2)
    kind, score, enough = DecisionTreeRegressor, r2_score, GIVES_NUMBERS_AWAY
    if classes:
        kind, score, enough = DecisionTreeClassifier, balanced_accuracy_score, GIVES_AWAY
    found = []
    for column, values in zip(columns, x[rows].T, strict=True):
        # trees of scikit-learn take float32: ranks keep close values apart, a gap is the lowest
        own = pd.Series(values).rank(method="dense").fillna(0).to_numpy()[:, None]
        tree = kind(min_samples_leaf=2, random_state=0).fit(own[: len(learn)], y[learn])
        if score(y[test], tree.predict(own[len(learn) :])) >= enough:
            found.append(column.title)
    return found
