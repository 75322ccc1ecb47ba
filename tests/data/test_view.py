"""Cross-validation as properties, over balanced and unbalanced data."""

import numpy as np
import pytest

from warmstart.config.params import Data
from warmstart.data.dataset import from_arrays
from warmstart.data.split import split_full
from warmstart.data.task import Standardization, Task, View, cross_validation
from warmstart.errors import InputError

BALANCED = [40, 40, 40]
UNBALANCED = [7, 101, 23]


def made(counts: list[int]) -> tuple[Task, Standardization]:
    """A standardized task whose samples carry the number of their row as first feature."""
    y = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.stack([np.arange(len(y)), np.full(len(y), 3.5), y], axis=1)
    samples = from_arrays(x, y, list("abc"), name="d", where="d", source="s", licence="l")
    options = Data(name="d", path="p", validation_fraction=0.2, test_fraction=0.2)
    view = split_full(samples, options, seed=7)
    return view.task, view.standardization


def rows(view: View, part: str) -> list[int]:
    raw = view.standardization.undo(getattr(view.task, f"x_{part}"))
    np.testing.assert_allclose(raw[:, 1], 3.5)
    np.testing.assert_allclose(raw[:, 2], getattr(view.task, f"y_{part}"), atol=1e-5)
    return np.rint(raw[:, 0]).astype(int).tolist()


@pytest.mark.parametrize("counts", [BALANCED, UNBALANCED])
@pytest.mark.parametrize("folds", [2, 5])
def test_every_sample_validates_once_and_trains_in_all_other_folds(
    counts: list[int], folds: int
) -> None:
    task, standardization = made(counts)
    whole = View(task=task, standardization=standardization)
    pool = rows(whole, "train") + rows(whole, "validation")
    views = cross_validation(task, standardization, folds, seed=3)
    assert len(views) == folds
    assert sorted(row for view in views for row in rows(view, "validation")) == sorted(pool)
    for view in views:
        assert not set(rows(view, "train")) & set(rows(view, "validation"))
        assert sorted(rows(view, "train") + rows(view, "validation")) == sorted(pool)
        assert rows(view, "test") == rows(whole, "test")
    assert len({view.task.digest for view in views} | {task.digest}) == folds + 1


@pytest.mark.parametrize("counts", [BALANCED, UNBALANCED])
def test_folds_are_stratified_and_of_one_size(counts: list[int]) -> None:
    views = cross_validation(*made(counts), 4, seed=3)
    per_class = np.array([np.bincount(view.task.y_validation, minlength=3) for view in views])
    assert np.ptp(per_class, axis=0).max() <= 1
    assert np.ptp(per_class.sum(axis=1)) <= 1


def test_each_fold_is_standardized_by_its_own_training_samples() -> None:
    for view in cross_validation(*made(UNBALANCED), 3, seed=3):
        np.testing.assert_allclose(view.task.x_train.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(view.task.x_train.std(axis=0), [1, 0, 1], atol=1e-6)
        assert abs(view.task.x_validation.mean(axis=0)[0]) > 1e-4


def test_the_seed_decides_and_nothing_else() -> None:
    first, again, other = (
        [view.task.digest for view in cross_validation(*made(BALANCED), 4, seed)]
        for seed in (3, 3, 4)
    )
    assert first == again
    assert not set(first) & set(other)


def test_raw_is_what_came() -> None:
    task, standardization = made(UNBALANCED)
    for view in (
        View(task=task, standardization=standardization),
        *cross_validation(task, standardization, 3, seed=3),
    ):
        raw = view.raw()
        assert raw.task.digest != view.task.digest
        for part in ("train", "validation", "test"):
            x, y = getattr(raw.task, f"x_{part}"), getattr(raw.task, f"y_{part}")
            assert x.dtype == np.float32
            np.testing.assert_allclose(x[:, 0], rows(view, part), atol=1e-4)
            np.testing.assert_allclose(x[:, 1], 3.5)
            np.testing.assert_array_equal(y, getattr(view.task, f"y_{part}"))
        np.testing.assert_array_equal(raw.standardization.undo(x), x)


def test_a_class_must_be_in_every_fold() -> None:
    with pytest.raises(InputError) as raised:
        cross_validation(*made(UNBALANCED), 7, seed=3)
    assert raised.value.problems == (
        "compare.folds: expected at most 6, the samples of class 'a' outside the test set, "
        "received 7; lower it",
    )
