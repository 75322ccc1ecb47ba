"""Splits as properties, over balanced, unbalanced and tiny data."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parameters import params
from warmstart.config.data import Data
from warmstart.config.transfer import Transfer
from warmstart.data.dataset import Dataset, from_arrays
from warmstart.data.split import rows, split_full, task_labels
from warmstart.data.task import PARTS, Task
from warmstart.errors import InputError

BALANCED = [40] * 5
UNBALANCED = [3, 200, 11, 57, 30]
COUNTS = st.lists(st.integers(3, 60), min_size=2, max_size=6)
FRACTIONS = st.tuples(st.floats(0.01, 0.49), st.floats(0.01, 0.49))
bounded = settings(max_examples=50, derandomize=True, deadline=None)


def dataset(counts: list[int], names: Any = None) -> Dataset:
    y = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.arange(len(y))[:, None] * [1.0, 0.5]  # a sample's first feature is its row
    return from_arrays(x, y, names, name="d", where="d", source="s", licence="l")


def data(validation: float = 0.2, test: float = 0.2) -> Data:
    return Data(name="d", path="p", validation_fraction=validation, test_fraction=test)


NONE = np.empty(0, np.int32)


def transfer(*task_b: int | str) -> Transfer:
    return params().transfer.model_copy(update={"task_b": task_b})


@bounded
@given(COUNTS, FRACTIONS, st.integers(0, 2**31))
def test_parts_are_disjoint_and_together_are_everything(
    counts: list[int], fractions: tuple[float, float], seed: int
) -> None:
    chosen = rows(dataset(counts), data(*fractions), seed)

    assert tuple(chosen) == PARTS
    joined = np.concatenate(list(chosen.values()))
    assert sorted(joined.tolist()) == list(range(sum(counts)))


@bounded
@given(COUNTS, FRACTIONS)
def test_every_class_is_in_every_part_within_one_sample_of_its_share(
    counts: list[int], fractions: tuple[float, float]
) -> None:
    samples = dataset(counts)
    chosen = rows(samples, data(*fractions), 42)

    per_class = {
        part: np.bincount(samples.y[chosen[part]], minlength=len(counts)) for part in PARTS
    }
    assert min(received.min() for received in per_class.values()) >= 1
    for part, fraction in zip(("validation", "test"), fractions, strict=True):
        off = np.abs(per_class[part] - np.array(counts) * fraction)
        assert (off <= 1).all()
        # within rounding, unless that would leave nothing here or nothing to train on
        rounded = off <= 0.5 + 1e-9
        assert (rounded | (per_class[part] == 1) | (per_class["train"] == 1)).all()


def test_sizes_of_balanced_data_are_exact() -> None:
    chosen = rows(dataset(BALANCED), data(0.1, 0.3), 42)

    assert [len(part) for part in chosen.values()] == [120, 20, 60]


@bounded
@given(COUNTS.filter(lambda counts: sum(counts) > 40), st.integers(0, 2**31 - 1))
def test_the_seed_decides_and_nothing_else(counts: list[int], seed: int) -> None:
    first, again, other = (rows(dataset(counts), data(), s) for s in (seed, seed, seed + 1))

    for part in PARTS:
        assert first[part].tobytes() == again[part].tobytes()
    assert any(first[part].tobytes() != other[part].tobytes() for part in PARTS)


def test_the_rows_are_those_of_always() -> None:
    """Golden: another scheme would move every published result."""
    chosen = rows(dataset([4, 6]), data(), 42)

    assert {part: own.tolist() for part, own in chosen.items()} == {
        "train": [2, 1, 7, 5, 9, 0],
        "validation": [6, 4],
        "test": [3, 8],
    }


def test_rows_are_mixed() -> None:
    samples = dataset(BALANCED)
    by_class = from_arrays(
        samples.x, np.sort(samples.y), name="d", where="d", source="s", licence="l"
    )

    for chosen in rows(by_class, data(), 42).values():
        changes = np.count_nonzero(np.diff(by_class.y[chosen]))
        assert changes > 2 * len(BALANCED)


@pytest.mark.parametrize("seed", [0, 42])
def test_only_training_samples_standardize(seed: int) -> None:
    """Mean and deviation of validation and test samples are unknown when a network is used."""
    samples = dataset(UNBALANCED)
    view = split_full(samples, data(0.3, 0.4), seed)

    train = samples.x[rows(samples, data(0.3, 0.4), seed)["train"]].astype(np.float64)
    np.testing.assert_allclose(view.standardization.mean, train.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(view.standardization.scale, train.std(axis=0), rtol=1e-9)
    np.testing.assert_allclose(view.task.x_train.mean(axis=0), 0, atol=1e-6)
    assert not np.allclose(view.standardization.mean, samples.x.mean(axis=0), rtol=1e-3)


def origins(task: Task, samples: Dataset) -> dict[str, list[int]]:
    """Rows of the samples in each part of `task`, by their first feature."""
    standardization = split_full(samples, data(), 42).standardization
    return {
        part: np.rint(standardization.undo(getattr(task, f"x_{part}"))[:, 0]).astype(int).tolist()
        for part in PARTS
    }


@pytest.mark.parametrize("which", ["full", "a", "b"])
@pytest.mark.parametrize("counts", [BALANCED, UNBALANCED])
def test_samples_and_labels_of_a_task_trace_back_to_their_rows(
    counts: list[int], which: str
) -> None:
    samples = dataset(counts, ["v", "w", "x", "y", "z"])
    labels = task_labels(transfer("y", "w"), samples.class_names, samples.y)[which]
    full = split_full(samples, data(), 42).task
    task = full.only(which, labels)

    assert task.name == which
    assert task.class_names == {"full": tuple("vwxyz"), "a": tuple("vxz"), "b": ("y", "w")}[which]
    chosen, traced = rows(samples, data(), 42), origins(task, samples)
    for part in PARTS:
        # within the same part of the full task, in its order, and all that belong to the classes
        belong = np.isin(samples.y[chosen[part]], labels)
        assert traced[part] == chosen[part][belong].tolist()
        y = getattr(task, f"y_{part}")
        assert [task.class_names[label] for label in y] == [
            samples.class_names[label] for label in samples.y[traced[part]]
        ]
        assert y.dtype == np.int32
        assert getattr(task, f"x_{part}").dtype == np.float32
        assert np.unique(y).tolist() == list(range(task.classes))
    assert (task.digest == full.digest) == (which == "full")


def test_the_tasks_have_the_chosen_classes_and_the_others() -> None:
    names = tuple("vwxyz")

    assert task_labels(transfer(3, 1), names, NONE) == {
        "full": [0, 1, 2, 3, 4], "a": [0, 2, 4], "b": [3, 1]
    }  # fmt: skip
    assert task_labels(transfer("all_pairs"), names, NONE)["b"] == [0, 1]
    assert task_labels(transfer("all_pairs"), ("7", "1", "0", "5"), NONE)["b"] == [0, 1]


def test_numbers_mean_the_users_own_labels() -> None:
    names = ("1", "3", "7", "9", "10")

    assert task_labels(transfer(3, "9"), names, NONE)["b"] == [1, 3]
    with pytest.raises(InputError, match=r"transfer.task_b: .*1, 3, 7, 9, 10, received '2'"):
        task_labels(transfer(2, 3), names, NONE)


@pytest.mark.parametrize(
    ("task_b", "words"),
    [
        (("w", "wombat"), "transfer.task_b: .*one of v, w, x, y, z, received 'wombat'"),
        ((0, 5), "transfer.task_b: expected a label from 0 to 4 .*received 5"),
        ((1, "w"), "transfer.task_b: expected different classes"),
        ((0, 1, 2, 3), "transfer.task_b: expected to leave at least 2 of 5 classes"),
    ],
)
def test_classes_that_are_not_there(task_b: tuple, words: str) -> None:
    with pytest.raises(InputError, match=words):
        task_labels(transfer(*task_b), tuple("vwxyz"), NONE)


def test_auto_takes_the_two_most_frequent_classes() -> None:
    y = np.repeat([0, 1, 2, 3], [5, 9, 7, 9]).astype(np.int32)
    assert task_labels(transfer("auto"), tuple("vwxy"), y)["b"] == [1, 3]
    assert task_labels(transfer("auto"), tuple("vwxy"), np.arange(8) % 4)["b"] == [0, 1]
