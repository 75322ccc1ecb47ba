"""Numbers of a table's columns as the rows that they came from, to show what a model takes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from warmstart.data.columns import Column


def decode(x: NDArray[np.floating], columns: Sequence[Column]) -> pd.DataFrame:
    """A frame that `columns.encode` makes `x (n, len(columns))` of, with None in the gaps: whole
    numbers as integers, dates without a time zone, as text where they have a format."""
    frame = {}
    for place, column in enumerate(columns):
        if column.part in ("", "days"):
            values = [_value(number, column) for number in x[:, place].tolist()]
            whole = {type(value) for value in values} <= {int, bool}
            frame[column.name] = pd.Series(values, dtype=None if whole else object)
    return pd.DataFrame(frame)


def _value(number: float, column: Column) -> object:
    if np.isnan(number):
        return None
    if column.kind == "boolean":
        return bool(number)
    if column.kind == "date":
        date = pd.Timestamp(round(number * 86_400), unit="s")
        return date.strftime(column.format) if column.format else date
    if column.kind in ("category", "ordered"):
        known = int(number) < len(column.values)
        return column.values[int(number)] if known else None
    return int(number) if number.is_integer() else number
