"""How alike A and B are, by hand; and whether transfer goes with it, by every permutation."""

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.stats import spearmanr

from warmstart.analysis.pairs import _correlate, likeness


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ((3, 0, 0), 1.0),  # along the others' line
        ((0, 2, 0), 0.0),  # across it
        ((1, 0, 1), np.sqrt(0.5)),  # at 45 degrees
        ((0, 0, 0), 0.0),  # nothing tells the two apart
    ],
)
def test_likeness_is_the_share_of_bs_line_among_as_classes(line: tuple, expected: float) -> None:
    start = np.array([7.0, -2.0, 5.0])  # where all of them lie does not matter
    means = np.array([[5, 1, 0], [0, 0, 0], [7, 1, 0], line, [8, 1, 0]]) + start
    assert likeness(means, (1, 3)) == pytest.approx(expected, abs=1e-6)


def test_a_correlation_over_pairs_is_tested_by_permuting_classes() -> None:
    pairs = list(combinations(range(5), 2))
    random = np.random.default_rng(3)
    one, other = random.normal(size=(2, len(pairs)))
    other += 0.4 * one
    found, p_value = _correlate(pairs, one.tolist(), other.tolist())
    assert found == pytest.approx(spearmanr(one, other).statistic)
    of = {frozenset(pair): value for pair, value in zip(pairs, one, strict=True)}
    every = [
        spearmanr([of[frozenset((p[a], p[b]))] for a, b in pairs], other).statistic
        for p in permutations(range(5))
    ]
    exact = np.mean(np.abs(every) >= abs(found) - 1e-12)
    assert 0.02 < exact < 0.5
    assert p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999))
    assert _correlate(pairs, [1.0] * 10, other.tolist()) == (None, None)
