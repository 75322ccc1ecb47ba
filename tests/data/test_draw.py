"""A stratified draw of few labels, nested in larger ones."""

import numpy as np
import pytest

from warmstart.data.draw import draw, quotas

Y = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [60, 30, 10])).astype("int32")


def drawn(size: int, seed: int = 5) -> list[int]:
    return draw(Y, size, np.random.default_rng(seed)).tolist()


def test_each_class_has_its_share() -> None:
    for size, shares in {10: [6, 3, 1], 50: [30, 15, 5], 100: [60, 30, 10], 3: [1, 1, 1]}.items():
        rows = drawn(size)
        assert len(set(rows)) == size
        assert np.bincount(Y[rows]).tolist() == shares


def test_more_labels_are_the_same_labels_and_others() -> None:
    assert set(drawn(10)) < set(drawn(20)) < set(drawn(50))


def test_the_generator_decides() -> None:
    assert drawn(10) == drawn(10)
    chosen = np.bincount(np.concatenate([drawn(10, seed) for seed in range(400)]), minlength=100)
    # each of a class's 60, 30, 10 samples in a tenth of the draws: 40 with a deviation of 6
    assert abs(chosen - 40).max() < 5 * 6


@pytest.mark.parametrize(
    ("counts", "size", "expected"),
    [
        ([50, 50], 20, [10, 10]),
        ([90, 10], 20, [18, 2]),
        ([10, 20, 30], 10, [2, 3, 5]),  # 1.67, 3.33, 5: the largest remainder rounds up
        ([30, 30], 3, [2, 1]),  # a tie goes to the class named first
        ([1000, 1, 1], 3, [1, 1, 1]),
        ([1000, 1, 5], 10, [8, 1, 1]),
        ([4, 3, 2], 9, [4, 3, 2]),
    ],
)
def test_quotas(counts: list[int], size: int, expected: list[int]) -> None:
    assert quotas(np.array(counts), size).tolist() == expected


def test_quotas_never_ask_for_more_than_there_is() -> None:
    rng = np.random.default_rng(3)
    for _ in range(500):
        counts = rng.integers(1, 40, rng.integers(2, 6))
        size = int(rng.integers(len(counts), counts.sum() + 1))
        shares = quotas(counts, size)

        assert shares.sum() == size
        assert (shares >= 1).all()
        assert (shares <= counts).all()
