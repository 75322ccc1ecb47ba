"""Splits drawn anew as properties, over balanced and unbalanced data."""

import numpy as np
import pytest

from warmstart.config.params import Data
from warmstart.data.dataset import from_arrays
from warmstart.data.split import resplit, split_full
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
