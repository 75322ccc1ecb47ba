"""A test set that came with the data is the test part of every seed, and nothing else."""

import numpy as np
import pytest

from warmstart.config.data import Data
from warmstart.data.dataset import Dataset, from_arrays
from warmstart.data.digest import content_digest
from warmstart.data.split import resplit, rows, split_full
from warmstart.data.task import PARTS
from warmstart.data.view import View
from warmstart.errors import InputError

COUNTS, TEST = [30, 50, 20], [6, 9, 5]
"""Samples of each class, and those of them in the test set."""


def dataset(counts: list[int] = COUNTS, test: list[int] = TEST) -> Dataset:
    """A sample's first feature is its row; the test set comes last."""
    mixed = np.random.default_rng(1).permutation
    others = np.subtract(counts, test)
    y = np.concatenate([mixed(np.repeat(np.arange(len(n)), n)) for n in (others, test)])
    x = np.stack([np.arange(len(y)), np.full(len(y), 3.5), y], axis=1)
    names = list("abcdefgh")[: len(counts)]
    given = {"name": "trees", "where": "d", "source": "s", "licence": "l"}
    return from_arrays(x, y, names, n_test=sum(test), **given)


def data(validation: float = 0.2, test: float = 0.3) -> Data:
    parts = {"validation_fraction": validation, "test_fraction": test, "splits": "official"}
    return Data(name="d", path="p", **parts)


def traced(view: View, part: str) -> list[int]:
    """Rows of the dataset, by the first feature."""
    return (
        np.rint(view.standardization.undo(getattr(view.task, f"x_{part}"))[:, 0])
        .astype(int)
        .tolist()
    )


def test_the_test_part_is_the_test_set_and_classes_keep_their_shares_of_all() -> None:
    samples = dataset()
    for test_fraction in (0.01, 0.3, 0.99):  # decides nothing
        chosen = rows(samples, data(test=test_fraction), 42)
        assert tuple(chosen) == PARTS
        assert chosen["test"].tolist() == [*range(80, 100)]
        known = np.concatenate([chosen["train"], chosen["validation"]])
        assert sorted(known.tolist()) == [*range(80)]
        per_class = {part: np.bincount(samples.y[own]).tolist() for part, own in chosen.items()}
        # 0.2 of 30, 50 and 20 validate, 6, 9 and 5 test, the rest trains
        assert per_class == {"train": [18, 31, 11], "validation": [6, 10, 4], "test": TEST}


def test_the_rows_are_those_of_always() -> None:
    """Golden: another scheme would move every published result."""
    chosen = rows(dataset([4, 6], [1, 2]), data(), 42)
    assert {part: own.tolist() for part, own in chosen.items()} == {
        "train": [6, 0, 2, 4, 5],
        "validation": [3, 1],
        "test": [7, 8, 9],
    }


def test_every_seed_keeps_the_test_set_and_draws_the_rest_anew() -> None:
    samples = dataset()
    whole = split_full(samples, data(), 42)
    views = [resplit(whole, number, 42, "official") for number in range(5)]
    assert views[0] is whole
    for view in views:
        assert traced(view, "test") == [*range(80, 100)]
        assert view.task.y_test.tolist() == samples.y[80:].tolist()
        known = [traced(view, part) for part in ("train", "validation")]
        assert sorted(known[0] + known[1]) == [*range(80)]
        for part, own in zip(("train", "validation"), known, strict=True):
            labels = getattr(view.task, f"y_{part}")
            assert labels.tolist() == samples.y[own].tolist()
            assert (np.bincount(labels) == np.bincount(getattr(whole.task, f"y_{part}"))).all()
        # by NumPy, from what trains in this split
        x = samples.x.astype(float)
        scale = np.where(x[known[0]].std(axis=0) > 0, x[known[0]].std(axis=0), 1)
        expected = (x[80:] - x[known[0]].mean(axis=0)) / scale
        np.testing.assert_allclose(view.task.x_test, expected, atol=1e-5)
    assert len({tuple(traced(view, "train")) for view in views}) == 5
    assert len({frozenset(traced(view, "validation")) for view in views}) == 5
    assert len({view.task.digest for view in views}) == 5
    again = resplit(whole, 3, 42, "official")
    assert again.task.digest == views[3].task.digest
    assert resplit(whole, 3, 43, "official").task.digest != views[3].task.digest


def test_without_official_the_test_set_is_as_the_other_samples() -> None:
    samples = dataset()
    merged = from_arrays(
        samples.x, samples.y, list("abc"), name="d", where="d", source="s", licence="l"
    )
    assert samples.digest == merged.digest
    assert samples.digest == content_digest({"x": samples.x, "y": samples.y}, tuple("abc"))
    resampled = Data(name="d", path="p", validation_fraction=0.2, test_fraction=0.3)
    ours, theirs = (split_full(each, resampled, 42) for each in (samples, merged))
    assert ours.task.digest == theirs.task.digest
    assert set(traced(ours, "train")) & {*range(80, 100)}


@pytest.mark.parametrize(
    ("counts", "test", "validation", "line"),
    [
        (
            COUNTS,
            [0, 0, 0],
            0.2,
            "data.splits: expected resampled or fixed, since trees came without a test set, "
            "received official; change it, or add the test set as docs/data.md says",
        ),
        (
            [10, 10, 5, 5],
            [0, 9, 4, 3],
            0.2,
            "data.splits: expected for official 1 sample of every class or more in the test set "
            "and 2 or more outside it, received 0 and 10 of 'a', 9 and 1 of 'b', 4 and 1 of 'c'; "
            "add samples, remove the class, or choose resampled",
        ),
        (
            [20, 20],
            [14, 15],
            0.25,
            "data.validation_fraction: expected a share of all samples that leaves one of every "
            "class outside the test set to train on, received 0.25, which takes 5 of the 5 of "
            "'b'; lower it",
        ),
    ],
)
def test_what_cannot_be_kept_apart_is_one_line(
    counts: list[int], test: list[int], validation: float, line: str
) -> None:
    with pytest.raises(InputError) as caught:
        split_full(dataset(counts, test), data(validation), 42)
    assert caught.value.problems == (line,)


def test_the_fewest_samples_there_may_be() -> None:
    chosen = rows(dataset([3, 4], [1, 2]), data(), 42)
    assert [len(part) for part in chosen.values()] == [2, 2, 3]
