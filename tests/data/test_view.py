"""Splits drawn anew as properties, over balanced and unbalanced data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from warmstart.config.data import Data
from warmstart.data.dataset import Dataset, from_arrays
from warmstart.data.split import resplit, split_full
from warmstart.data.split import rows as rows_of
from warmstart.data.task import PARTS
from warmstart.data.view import View

BALANCED = [40, 40, 40]
UNBALANCED = [7, 101, 23]


def made(counts: list[int]) -> View:
    """A standardized task whose samples carry the number of their row as first feature."""
    y = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.stack([np.arange(len(y)), np.full(len(y), 3.5), y], axis=1)
    samples = from_arrays(x, y, list("abc"), name="d", where="d", source="s", licence="l")
    options = Data(name="d", path="p", validation_fraction=0.2, test_fraction=0.2)
    return split_full(samples, options, seed=7)


def rows(view: View, part: str) -> list[int]:
    raw = view.standardization.undo(getattr(view.task, f"x_{part}"))
    np.testing.assert_allclose(raw[:, 1], 3.5)
    np.testing.assert_allclose(raw[:, 2], getattr(view.task, f"y_{part}"), atol=1e-5)
    return np.rint(raw[:, 0]).astype(int).tolist()


@pytest.mark.parametrize("counts", [BALANCED, UNBALANCED])
def test_every_sample_is_in_one_part_and_classes_keep_their_sizes(counts: list[int]) -> None:
    whole = made(counts)
    for number in range(4):
        view = resplit(whole, number, 3, "resampled")
        assert sorted(row for part in PARTS for row in rows(view, part)) == [*range(sum(counts))]
        for part in PARTS:
            ours, theirs = (getattr(v.task, f"y_{part}") for v in (view, whole))
            assert (np.bincount(ours) == np.bincount(theirs)).all()


def test_number_0_is_the_split_itself() -> None:
    whole = made(BALANCED)
    assert resplit(whole, 0, 3, "resampled") is whole
    assert resplit(whole, 2, 3, "fixed") is whole


def test_number_and_seed_decide_and_nothing_else() -> None:
    whole = made(BALANCED)
    drawn = [
        resplit(whole, number, seed, "resampled")
        for number, seed in ((1, 3), (1, 3), (2, 3), (1, 4))
    ]
    digests = [view.task.digest for view in drawn]
    assert digests[0] == digests[1]
    assert len({*digests, whole.task.digest}) == 4
    # as many rows are tested again as chance says: 24 of 120, so 4.8 of 24, deviation 1.75
    tested = [set(rows(resplit(whole, number, 3, "resampled"), "test")) for number in range(9)]
    again = [len(one & other) for i, one in enumerate(tested) for other in tested[:i]]
    assert abs(np.mean(again) - 4.8) < 4 * 1.75 / np.sqrt(len(again))


def test_parts_are_mixed() -> None:
    """A reader who takes batches in order does not meet one class after another."""
    y = resplit(made(BALANCED), 1, 3, "resampled").task.y_train
    assert np.count_nonzero(np.diff(y)) > len(y) / 3


def test_each_split_is_standardized_by_its_own_training_samples() -> None:
    for number in (1, 2, 3):
        task = resplit(made(UNBALANCED), number, 3, "resampled").task
        np.testing.assert_allclose(task.x_train.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(task.x_train.std(axis=0), [1, 0, 1], atol=1e-6)
        assert abs(task.x_validation.mean(axis=0)[0]) > 1e-4


def test_raw_is_what_came() -> None:
    whole = made(UNBALANCED)
    for number in range(3):
        view = resplit(whole, number, 3, "resampled")
        raw = view.raw()
        assert raw.task.digest != view.task.digest
        for part in PARTS:
            x, y = getattr(raw.task, f"x_{part}"), getattr(raw.task, f"y_{part}")
            assert x.dtype == np.float32
            np.testing.assert_allclose(x[:, 0], rows(view, part), atol=1e-4)
            np.testing.assert_allclose(x[:, 1], 3.5)
            np.testing.assert_array_equal(y, getattr(view.task, f"y_{part}"))
        np.testing.assert_array_equal(raw.standardization.undo(x), x)


def table(spoilt: bool) -> View:
    """Rows with gaps and categories; spoilt: those that do not train have other values."""
    random = np.random.default_rng(2)
    n, y = 120, np.arange(120) % 2
    frame = pd.DataFrame({"age": random.normal(40, 9, n), "town": random.choice([*"abc"], n)})
    frame.loc[random.random(n) < 0.2, "age"] = np.nan
    frame["size"] = random.normal(size=n)  # no row is the same as another
    options = Data(name="d", path="p", validation_fraction=0.2, test_fraction=0.2)

    def dataset(frame: pd.DataFrame) -> Dataset:
        return from_arrays(frame, y, name="d", where="d", source="s", licence="l")

    if spoilt:
        parts = rows_of(dataset(frame), options, 7)
        others = np.concatenate([parts["validation"], parts["test"]])
        frame.loc[others, "age"] = 1000.0 + others
        frame.loc[others, "town"] = "c"
    return split_full(dataset(frame), options, 7)


def test_what_is_not_trained_on_decides_no_feature() -> None:
    clean, spoilt = table(spoilt=False), table(spoilt=True)
    assert clean.parts["train"].tolist() == spoilt.parts["train"].tolist()
    np.testing.assert_array_equal(clean.task.x_train, spoilt.task.x_train)
    assert spoilt.task.x_test[:, 0].min() > 50
    assert clean.task.features == 2 + 1 + 3  # numbers, the mark of gaps, towns


def test_a_table_is_what_it_was_after_it_was_written(tmp_path: Path) -> None:
    view = table(spoilt=False)
    view.write(tmp_path)
    read = View.read(tmp_path, "full")
    assert read.dataset.columns == view.dataset.columns
    assert read.task.digest == view.task.digest
    for number in (1, 2):
        ours, theirs = (resplit(each, number, 3, "resampled") for each in (read, view))
        assert ours.task.digest == theirs.task.digest
    raw = read.raw().task
    known = view.dataset.x[view.parts["train"], 0]
    filled = np.where(np.isnan(known), np.nanmedian(known), known)
    np.testing.assert_allclose(raw.x_train[:, 0], filled, rtol=1e-6)


def test_large_offsets_come_in_whole() -> None:
    """Unix milliseconds within two minutes: as float32 they are steps of 131 seconds."""
    seconds = np.random.default_rng(0).uniform(0, 120, 90)
    x, y = (1_700_000_000_000 + 1000 * seconds)[:, None], (seconds > 60).astype(int)
    data = from_arrays(x, y, name="d", where="d", source="s", licence="l")
    options = Data(name="d", path="p", validation_fraction=0.2, test_fraction=0.2)
    view = split_full(data, options, 7)
    own = seconds[view.parts["train"]]
    expected = (seconds[view.parts["test"]] - own.mean()) / own.std()
    np.testing.assert_allclose(view.task.x_test[:, 0], expected, atol=1e-4)


def test_the_target_of_a_regression_is_standardized_within_the_split() -> None:
    random = np.random.default_rng(4)
    x, y = random.normal(size=(100, 2)), random.normal(50, 7, 100)
    data = from_arrays(x, y, name="d", where="d", source="s", licence="l")
    options = Data(name="d", path="p", validation_fraction=0.2, test_fraction=0.2)
    view = split_full(data, options, 7)
    other = resplit(view, 1, 7, "resampled")
    for each in (view, other):
        own = y[each.parts["train"]]
        assert each.task.target == pytest.approx((own.mean(), own.std()))
        restored = each.task.raw_target(each.task.y_test)
        np.testing.assert_allclose(restored, y[each.parts["test"]], rtol=1e-5)
    assert (len(view.parts["train"]), len(view.parts["test"])) == (60, 20)
    assert view.task.target != other.task.target
