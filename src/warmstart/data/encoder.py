"""A table's columns as features: gaps filled, categories spread out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from warmstart.data.columns import Column

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

MOST_FEATURES = 20
"""Features that a column of categories becomes at most: the categories that are most frequent in
the training part, and one for all others together."""


def fit(
    x: NDArray[np.floating], rows: NDArray[np.int64], columns: Sequence[Column]
) -> "ColumnTransformer":
    """What makes features of the raw `columns`: medians in the gaps of numbers, with a feature that
    marks the gaps; a feature for each category, a gap being one; rare ones together.

    How many features there are hangs on `columns` alone, so that every split has as many.

    Args:
        x: `(n, len(columns))` as `columns.encode` gives it.
        rows: those that train; of others nothing is learned.
    """
    # scikit-learn takes a second to import
    from sklearn.compose import ColumnTransformer
    from sklearn.frozen import FrozenEstimator
    from sklearn.impute import MissingIndicator, SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    numbers, gaps, spread = _places(columns)
    codes = [np.array(_codes(columns[place]), np.float64) for place in spread]
    filled = SimpleImputer(strategy="median", keep_empty_features=True)
    one_hot = OneHotEncoder(
        categories=codes,
        max_categories=MOST_FEATURES,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
    )
    # fitted here, on what each learns from: together they would copy all rows five times
    if numbers:
        filled.fit([[_median(x[rows, place]) for place in numbers]])
    if spread:
        one_hot.fit(x[rows[:, None], spread])
    steps: list[tuple[str, Any, list[int]]] = [
        ("numbers", FrozenEstimator(filled), numbers),
        ("missing", MissingIndicator(features="all"), gaps),
        ("categories", FrozenEstimator(one_hot), spread),
    ]
    made = ColumnTransformer([step for step in steps if step[2]], sparse_threshold=0)
    return made.fit(x[rows[:1]])


def _median(values: NDArray[np.floating]) -> float:
    """Of those that are there; NaN of none."""
    there = values[~np.isnan(values)]
    return float(np.median(there)) if len(there) else np.nan


def titles(columns: Sequence[Column]) -> list[str]:
    """What the features are called, in their order; of many categories `…` and a number."""
    numbers, gaps, spread = _places(columns)
    named = [columns[place].title for place in numbers]
    named += [f"{columns[place].name} is missing" for place in gaps]
    for place in spread:
        column, width = columns[place], min(MOST_FEATURES, len(_codes(columns[place])))
        values = [*map(str, column.values), "missing"][: len(_codes(column))]
        if len(values) > width:
            values = [f"… {number}" for number in range(width)]
        named += [f"{column.name} = {value}" for value in values]
    return named


def scaled(columns: Sequence[Column]) -> int:
    """How many features, the first ones, are numbers to standardize; the others are 0 or 1."""
    return len(_places(columns)[0])


def _places(columns: Sequence[Column]) -> tuple[list[int], list[int], list[int]]:
    """Positions of numbers, of those with gaps, and of categories."""
    numbers = [place for place, column in enumerate(columns) if column.kind != "category"]
    gaps = [place for place in numbers if columns[place].missing]
    spread = [place for place, column in enumerate(columns) if column.kind == "category"]
    return numbers, gaps, spread


def _codes(column: Column) -> list[int]:
    """The numbers that `columns.encode` gives its categories; one more where some are missing."""
    known = len(column.values)
    return [*range(known), *([known + 1] if column.missing else [])]
