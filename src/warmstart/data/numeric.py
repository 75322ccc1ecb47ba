"""Tables whose columns are all numbers, as arrays."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype

from warmstart.data.readers.raw import Raw
from warmstart.data.readers.table import named
from warmstart.errors import InputError


def numeric(raw: Raw, where: str) -> NDArray[Any]:
    """`raw.x` as an array: itself, or a frame `(n, features)` as float64, booleans as 0 and 1.

    Raises:
        InputError: for columns that are no numbers and for values that are missing, one line each.
    """
    x = raw.x
    if not isinstance(x, pd.DataFrame):
        return x
    problems = []
    columns = [str(column) for column in x]
    strange = [c for c in columns if not (is_numeric_dtype(x[c]) or is_bool_dtype(x[c]))]
    if strange:
        problems.append(
            f"{where}: expected columns of numbers, received others in {named(strange)}; name them "
            "in data.drop, or encode them"
        )
    if lacking := [c for c in columns if c not in strange and x[c].isna().any()]:
        problems.append(
            f"{where}: expected a value in every row, received missing ones in {named(lacking)}; "
            "fill them, or name the columns in data.drop"
        )
    if problems:
        raise InputError(*problems)
    return x.to_numpy(np.float64)


def labels(raw: Raw) -> NDArray[Any]:
    """`raw.y` as an array: integers as they are, anything else of a table as text."""
    y = raw.y
    if not isinstance(y, pd.Series):
        return y
    return y.to_numpy() if is_integer_dtype(y.dtype) else y.astype(str).to_numpy(str)
