"""What a notebook holds -> a dataset."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from warmstart.data.dataset import Dataset, from_arrays
from warmstart.data.incoming import Told
from warmstart.errors import InputError


def from_memory(
    x: ArrayLike | pd.DataFrame,
    y: ArrayLike | pd.Series | Sequence[Any] | None = None,
    *,
    target: Any = None,
    told: Told | None = None,
    where: str,
) -> Dataset:
    """A dataset from arrays or frames.

    Args:
        x: `(n, ...)` numbers, or a frame with a column per feature.
        y: `(n,)` labels of any hashable kind, or numbers; None: the column `target` of `x`.
        target: name of a column of the frame `x`, as it is or as text; None: `y` is given.
        told: what the user said of the data.
        where: what messages begin with.

    Raises:
        InputError: with one line per problem.
    """
    if (y is None) == (target is None):
        received = "neither" if y is None else "both"
        raise InputError(
            f"{where}: y: expected either y or the name of a column of x as target, received "
            f"{received}; give one of them"
        )
    if target is not None:
        names, target = [*map(str, x.columns)] if isinstance(x, pd.DataFrame) else [], str(target)
        if names.count(target) != 1:
            received = f"a frame of {', '.join(names)}" if names else type(x).__name__
            raise InputError(
                f"{where}: target: expected the name of one column of the frame x, received "
                f"{target!r} and {received}; change it"
            )
        assert isinstance(x, pd.DataFrame)
        place = names.index(target)
        x, y = x.drop(columns=x.columns[place]), x.iloc[:, place]
    if isinstance(x, pd.DataFrame) and isinstance(y, pd.Series) and not x.index.equals(y.index):
        raise InputError(
            f"{where}: x and y: expected the same index, received different ones; align them with "
            "y.loc[x.index], or pass y.to_numpy() if row i of both belongs together"
        )
    return from_arrays(
        x,
        y,
        name="arrays",
        where=where,
        source="arrays in memory",
        licence="not stated: the user's",
        called=target or "y",
        told=told,
    )
