"""Splits as properties, over balanced, unbalanced and tiny data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart.config.params import Data, Transfer, load
from warmstart.data.dataset import Dataset, from_arrays
from warmstart.data.split import Rows, Split, split
from warmstart.errors import InputError

TRANSFER = load(Path(__file__).parents[2] / "params.yaml").transfer
BALANCED = [40] * 5
UNBALANCED = [3, 200, 11, 57, 30]
PARTS = ("train", "validation", "test")


def dataset(counts: list[int], names: Any = None) -> Dataset:
    y = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.arange(len(y))[:, None] * [1.0, 0.5]  # a sample's first feature is its row
    return from_arrays(x, y, names, name="d", where="d", source="s", licence="l")


def data(validation: float = 0.2, test: float = 0.2) -> Data:
    return Data(name="d", path="p", validation_fraction=validation, test_fraction=test)


def transfer(task_b: Any = (3, 1), train_size: int = 7) -> Transfer:
    return TRANSFER.model_copy(update={"task_b": tuple(task_b), "train_size": train_size})


def rows_of(rows: Rows) -> list[list[int]]:
    return [rows.train.tolist(), rows.validation.tolist(), rows.test.tolist()]


def everything(made: Split) -> list[list[list[int]]]:
    return [rows_of(rows) for rows in (made.full, made.a, made.b)]


@pytest.mark.parametrize("counts", [BALANCED, UNBALANCED])
@pytest.mark.parametrize("seed", [0, 42])
def test_parts_are_disjoint_and_together_are_everything(counts: list[int], seed: int) -> None:
    made = split(dataset(counts), data(), transfer(), seed)

    joined = np.concatenate(rows_of(made.full))
    assert sorted(joined) == list(range(sum(counts)))


@pytest.mark.parametrize("counts", [BALANCED, UNBALANCED])
@pytest.mark.parametrize("fractions", [(0.2, 0.2), (0.1, 0.3), (0.01, 0.01), (0.45, 0.5)])
def test_every_class_is_in_every_part_in_proportion(
    counts: list[int], fractions: tuple[float, float]
) -> None:
    samples = dataset(counts)
    made = split(samples, data(*fractions), transfer(train_size=2), 42)

    trained = np.bincount(samples.y[made.full.train], minlength=5)
    assert trained.min() >= 1
    for part, fraction in zip(("validation", "test"), fractions, strict=True):
        received = np.bincount(samples.y[getattr(made.full, part)], minlength=5)
        assert received.min() >= 1
        # within rounding, unless that would leave nothing here or nothing to train on
        off = np.abs(received - np.array(counts) * fraction) > 0.5
        assert ((received[off] == 1) | (trained[off] == 1)).all()


def test_sizes_of_balanced_data_are_exact() -> None:
    made = split(dataset(BALANCED), data(0.1, 0.3), transfer(), 42)

    assert [len(part) for part in rows_of(made.full)] == [120, 20, 60]


@pytest.mark.parametrize("counts", [BALANCED, UNBALANCED])
def test_tasks_lie_within_the_same_part_of_full_and_share_nothing(counts: list[int]) -> None:
    samples = dataset(counts)
    made = split(samples, data(), transfer((3, 1)), 42)

    assert made.full.classes == (0, 1, 2, 3, 4)
    assert made.a.classes == (0, 2, 4)
    assert made.b.classes == (3, 1)
    for part in PARTS:
        full = getattr(made.full, part)
        a, b = (set(getattr(rows, part).tolist()) for rows in (made.a, made.b))
        assert a == set(full[np.isin(samples.y[full], [0, 2, 4])].tolist())
        of_b = set(full[np.isin(samples.y[full], [1, 3])].tolist())
        assert b == of_b
        assert len(getattr(made.b, part)) == len(b)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    samples = dataset(UNBALANCED)

    first = everything(split(samples, data(), transfer(), 42))

    assert everything(split(samples, data(), transfer(), 42)) == first
    other = everything(split(samples, data(), transfer(), 43))
    for task in range(3):
        for part in range(3):
            assert set(other[task][part]) != set(first[task][part]) or len(first[task][part]) < 9


def test_task_b_changes_nothing_of_full() -> None:
    samples = dataset(UNBALANCED)

    one = split(samples, data(), transfer((3, 1), 7), 42)
    other = split(samples, data(), transfer((0, 4), 3), 42)

    assert rows_of(one.full) == rows_of(other.full)


def test_rows_are_mixed() -> None:
    samples = dataset(BALANCED)
    sorted_by_class = from_arrays(
        samples.x, np.sort(samples.y), name="d", where="d", source="s", licence="l"
    )
    made = split(sorted_by_class, data(), transfer(train_size=20), 42)

    for rows in (made.full, made.a, made.b):
        for part in PARTS:
            labels = sorted_by_class.y[getattr(rows, part)]
            changes = np.count_nonzero(np.diff(labels))
            assert changes > 2 * len(rows.classes)


@pytest.mark.parametrize("which", ["full", "a", "b"])
def test_samples_and_labels_of_a_task_trace_back_to_their_rows(which: str) -> None:
    samples = dataset(UNBALANCED, ["v", "w", "x", "y", "z"])
    rows = getattr(split(samples, data(), transfer(("y", "w")), 42), which)
    task = rows.task(samples, samples.x + 1000)

    assert task.name == which
    assert task.class_names == {"full": tuple("vwxyz"), "a": tuple("vxz"), "b": ("y", "w")}[which]
    for part in PARTS:
        x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}")
        row = x[:, 0].astype(int) - 1000
        assert row.tolist() == getattr(rows, part).tolist()
        assert [task.class_names[label] for label in y] == [
            samples.class_names[label] for label in samples.y[row]
        ]
        assert y.dtype == np.int32
        assert x.dtype == np.float32
        assert np.unique(y).tolist() == list(range(task.classes))


def test_numbers_mean_the_users_own_labels() -> None:
    y = np.repeat([1, 3, 7, 9, 10], 10)
    samples = from_arrays(np.ones((50, 2)), y, name="d", where="d", source="s", licence="l")

    made = split(samples, data(), transfer((3, "9")), 42)

    assert made.b.classes == (1, 3)
    with pytest.raises(InputError, match=r"transfer.task_b: .*1, 3, 7, 9, 10, received '2'"):
        split(samples, data(), transfer((2, 3)), 42)


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
        split(dataset(BALANCED, list("vwxyz")), data(), transfer(task_b), 42)
