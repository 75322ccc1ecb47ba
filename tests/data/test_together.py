"""Rows that belong together never come on two sides, in parts of one length for all seeds."""

import numpy as np
import pandas as pd
import pytest

from warmstart.config.data import Data
from warmstart.data.dataset import Dataset, from_arrays
from warmstart.data.incoming import Told
from warmstart.data.leaks import together
from warmstart.data.split import resplit, rows, split_full
from warmstart.data.task import PARTS
from warmstart.errors import InputError

OPTIONS = {"name": "d", "path": "p", "validation_fraction": 0.2, "test_fraction": 0.25}


def made(x, y, n_test: int = 0, **told) -> Dataset:
    return from_arrays(
        x,
        y,
        name="d",
        where="d",
        source="s",
        licence="l",
        n_test=n_test,
        told=Told(test_fraction=0.25, **told),
    )


def copied(times: int = 10) -> Dataset:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 4)), random.integers(0, 3, 60)
    return made(np.repeat(x, times, axis=0), np.repeat(y, times))


def test_copies_are_counted_and_numbered() -> None:
    x = np.array([[1, 2], [0.0, np.nan], [1, 2], [-0.0, np.nan], [2, 1]])
    groups, copies = together(x, None)
    assert groups is not None
    assert (groups.tolist(), copies) == ([0, 1, 0, 1, 2], 2)
    assert together(x[[0, 1, 4]], None) == (None, 0)


def test_groups_of_the_user_and_copies_join() -> None:
    x = np.array([[1.0], [2.0], [1.0], [3.0], [4.0], [5.0]])
    groups, copies = together(x, np.array([0, 0, 1, 1, 2, 3]))
    assert groups is not None
    # rows 0 and 2 are the same: their groups are one
    assert copies == 1
    assert len({*groups[:4]}) == 1
    assert len({*groups}) == 3


def test_copies_stay_on_one_side_on_every_seed() -> None:
    dataset = copied()
    assert dataset.copies == 540
    whole = split_full(dataset, Data(**OPTIONS), 7)
    lengths = {part: len(found) for part, found in whole.parts.items()}
    assert lengths["train"] >= 0.45 * 600
    assert 0.15 * 600 <= lengths["validation"] <= 0.2 * 600
    assert 0.2 * 600 <= lengths["test"] <= 0.25 * 600
    expected = {part: np.bincount(dataset.y[found]).tolist() for part, found in whole.parts.items()}
    tested = set()
    for number in range(6):
        parts = resplit(whole, number, 7, "resampled").parts
        counts = {part: np.bincount(dataset.y[rows]).tolist() for part, rows in parts.items()}
        assert counts == expected  # one program trains on all of them, whatever classes it takes
        sides = [{*dataset.groups[parts[part]]} for part in PARTS]
        assert len(set.union(*sides)) == sum(map(len, sides))
        assert all(len({*dataset.y[parts[part]]}) == 3 for part in PARTS)
        tested |= {tuple(sorted(parts["test"]))}
    assert len(tested) == 6


def test_a_column_of_groups_is_no_feature() -> None:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"patient": np.repeat(range(40), 5), "age": random.normal(size=200)})
    dataset = made(frame, np.tile(["ill", "well"], 100), group="patient")
    assert [column.name for column in dataset.columns] == ["age"]
    parts = rows(dataset, Data(**OPTIONS), 3)
    owners = [{*frame["patient"].iloc[parts[part]]} for part in PARTS]
    assert len(set.union(*owners)) == sum(map(len, owners))


def test_the_newest_rows_test() -> None:
    random = np.random.default_rng(2)
    days = random.permutation(80)
    frame = pd.DataFrame({"day": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, "D"),
                          "age": random.normal(size=80)})  # fmt: skip
    dataset = made(frame, np.where(days % 2, "odd", "even"), order="day")
    options = Data(**OPTIONS, order="day")
    assert [column.name for column in dataset.columns] == ["age"]
    whole = split_full(dataset, options, 3)
    newest = frame["age"][np.argsort(days)].to_numpy()[-20:]
    np.testing.assert_array_equal(dataset.x[whole.parts["test"], 0], newest)
    assert options.drawn == "official"
    other = resplit(whole, 1, 3, options.drawn)
    np.testing.assert_array_equal(other.parts["test"], whole.parts["test"])
    assert {*other.parts["train"]} != {*whole.parts["train"]}


def test_copies_of_test_rows_are_left_out_of_training() -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(size=(90, 2)), np.arange(90) % 3
    x[5], x[17] = x[80], x[85]  # two rows of the test set are in the training set, too
    dataset = made(x, y, n_test=20)
    parts = rows(dataset, Data(**OPTIONS | {"splits": "official"}), 3)
    assert parts["test"].tolist() == [*range(70, 90)]
    assert not {5, 17} & {*parts["train"], *parts["validation"]}
    assert 66 <= len(parts["train"]) + len(parts["validation"]) <= 68


def test_too_few_groups_are_one_line() -> None:
    x, y = np.repeat(np.eye(4), 10, axis=0), np.repeat([0, 1, 0, 1], 10)
    with pytest.raises(InputError, match=r"3 groups of rows that belong together.*received 4"):
        rows(made(x, y), Data(**OPTIONS), 3)
