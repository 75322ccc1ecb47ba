"""What a reader gives: the data as they came."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Raw:
    """Samples with their target, of whatever kind: neither checked value by value nor converted."""

    x: NDArray[Any] | pd.DataFrame
    """`(n, ...)` in the dtype of the file and the byte order of the machine, or a frame with a
    column per feature, its index from 0: text as text, dates of text files too, booleans as
    booleans, missing values as pandas has them."""
    y: NDArray[Any] | pd.Series
    """`(n,)`, none missing in a table."""
    class_names: NDArray[Any] | tuple[str, ...] | None = None
    """`(classes,)`, where the data have them: an integer in `y` is then a position in it."""
    n_test: int = 0
    """So many samples, the last ones, came as the test set."""
    where: str
    """The file or folder: what messages begin with."""
    source: str
    """Where the data are from, and how the file was read, in words."""
    licence: str = "not stated: the user's"
