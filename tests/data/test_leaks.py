"""Columns that number the rows, say nothing, or say it all."""

import numpy as np
import pandas as pd

from warmstart.data.columns import encode
from warmstart.data.dataset import from_arrays
from warmstart.data.kinds import understand
from warmstart.data.leaks import constant, giving_away, numbering
from warmstart.data.warnings import warnings

N = 400
RANDOM = np.random.default_rng(8)
Y = RANDOM.integers(0, 2, N)
FRAME = pd.DataFrame(
    {
        "id": RANDOM.permutation(N) + 1000,
        "age": RANDOM.integers(18, 90, N),
        "weight": RANDOM.normal(70, 9, N),
        "country": "DE",
        "hint": Y + RANDOM.normal(0, 0.3, N),  # right in 95 of 100 rows: a good feature
        "diagnosis": np.where(Y, "C50", RANDOM.choice(["Z00", "Z01"], N)),
        "seconds": 1_700_000_000_000 + 1000.0 * np.arange(N) * np.where(Y, 1, -1),
    }
)
FRAME["sparse"] = np.where(RANDOM.random(N) < 0.99, np.nan, 1.0)  # where it is missing may say it
COLUMNS = understand(FRAME)
X = encode(FRAME, COLUMNS)


def test_what_numbers_the_rows_is_named_and_measurements_are_not() -> None:
    assert numbering(X, COLUMNS) == ["id"]


def test_a_column_of_one_value_is_named() -> None:
    assert constant(X, COLUMNS) == ["country"]


def test_what_gives_the_target_away_is_named_and_a_good_feature_is_not() -> None:
    assert giving_away(X, Y, COLUMNS, 2, seed=1) == ["diagnosis", "seconds"]


def test_a_number_that_is_the_target_in_another_unit() -> None:
    price = RANDOM.normal(100, 10, N)
    frame = pd.DataFrame({"cents": 100 * price, "size": price + RANDOM.normal(0, 3, N)})
    columns = understand(frame)
    assert giving_away(encode(frame, columns), price, columns, 0, seed=1) == ["cents"]


def test_each_kind_of_leak_is_one_line() -> None:
    frame = pd.concat([FRAME, FRAME.iloc[:3]], ignore_index=True)
    y = np.concatenate([Y, Y[:3]])
    dataset = from_arrays(frame, y, name="d", where="d", source="s", licence="l", called="ill")
    said = list(warnings(dataset, 1))
    assert [line.split(":")[0] for line in said] == ["copies", "constant", "gives the target away"]
    assert said[0].startswith("copies: 3 rows are the same as one before them")
    assert "diagnosis, seconds alone tells ill" in said[2]
    alone = from_arrays(FRAME, Y, name="d", where="d", source="s", licence="l")
    assert "identifier: id numbers the rows; leave it out with data.drop" in warnings(alone, 1)
