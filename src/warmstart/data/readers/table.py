"""Which columns of a table are features, and which is the target."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from warmstart.config import limits
from warmstart.config.checking import nearest
from warmstart.config.data import Data
from warmstart.data.columns import stripped
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

_SHOWN = 20  # columns named in a message before it says how many more there are


def wanted(columns: Sequence[str], data: Data, path: Path) -> list[str]:
    """The columns to read: all but those of `data.drop`, the target among them.

    Raises:
        InputError: with everything that is wrong with the columns, `data.target` or `data.drop`.
    """
    if len(columns) > limits.COLUMNS:
        raise InputError(
            f"{path}: expected at most {limits.COLUMNS:,} columns, received {len(columns):,}; take "
            "fewer, or save an array as .npz"
        )
    if long := [name for name in columns if len(name) > limits.COLUMN_NAME]:
        raise InputError(
            f"{path}: expected names of columns of at most {limits.COLUMN_NAME:,} characters, "
            f"received {len(long[0]):,} ({long[0][:30]!r}…); rename it"
        )
    counts = Counter(columns)
    problems = []
    if twice := [column for column in counts if counts[column] > 1]:
        problems.append(
            f"expected different names of columns, received {named(twice)} more than once; "
            "rename them"
        )
    problems += [
        f"data.drop: expected columns of the table, received {column!r}"
        f"{nearest(column, counts) or f'; choose among {named(columns)}'}"
        for column in [each for each in data.drop if each not in counts][:_SHOWN]
    ]
    if data.target is None:
        problems.append(
            "data.target: expected the name of the column to predict, received null; choose one "
            f"of {named(columns)}"
        )
    elif data.target not in counts:
        problems.append(
            f"data.target: expected a column of the table, received {data.target!r}"
            f"{nearest(data.target, counts) or f'; choose one of {named(columns)}'}"
        )
    elif data.target in data.drop:
        problems.append(
            f"data.drop: expected other columns than data.target, received {data.target!r}; "
            "remove it from one of them"
        )
    elif not counts.keys() - {data.target, *data.drop}:
        problems.append(
            f"expected a column beside {data.target!r} to predict it from, received none; "
            "add one, or drop fewer"
        )
    if problems:
        raise InputError(*(f"{path}: {problem}" for problem in problems))
    return [column for column in columns if column not in data.drop]


def raw(frame: pd.DataFrame, data: Data, path: Path, how: str) -> Raw:
    """The columns of `frame`, which has those that are `wanted`, as features and target.

    Args:
        how: the file was read, for `Raw.source`.

    Raises:
        InputError: if there are no rows, or the target is missing in some.
    """
    if frame.empty:
        raise InputError(f"{path}: expected rows below the names of the columns, received none")
    target = stripped(frame.pop(str(data.target)))
    if len(missing := np.flatnonzero(target.isna())):
        raise InputError(
            f"{path}: {target.name!r}: expected a target in every row, received {len(missing)} of "
            f"{len(target)} without one, the first in row {missing[0] + 1}; drop these rows"
        )
    source = f"the user's file {data.path} ({how}), column {target.name!r}"
    return Raw(x=frame, y=target, where=str(path), source=source)


def named(columns: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    shown = ", ".join(repr(column) for column in columns[:_SHOWN])
    return shown + (f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else "")
