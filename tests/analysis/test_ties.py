import itertools
import random

import pytest

from warmstart.analysis.ties import cliques, letters


def groups(arms: str, apart: set[str]) -> tuple[tuple[str, ...], ...]:
    """The cliques of all pairs but those `apart`."""
    pairs = set(itertools.combinations(arms, 2))
    return cliques(arms, [pair for pair in sorted(pairs) if "".join(pair) not in apart])


@pytest.mark.parametrize(
    ("apart", "expected"),
    [
        ((), ["abcd"]),
        (("ad",), ["abc", "bcd"]),  # the middle ties with both ends, which differ
        (("ac", "ad", "bc", "bd"), ["ab", "cd"]),
        (("ab", "bc", "cd", "ad"), ["ac", "bd"]),  # not neighbours in the ranking
        (("ab", "ac", "ad", "bc", "bd", "cd"), ["a", "b", "c", "d"]),
        (("ab", "ac", "ad"), ["a", "bcd"]),
    ],
)
def test_groups_by_hand(apart: tuple[str, ...], expected: list[str]) -> None:
    assert [
        "".join(group) for group in groups("abcd", {"".join(sorted(pair)) for pair in apart})
    ] == expected


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_the_maximal_cliques_of_what_ties(seed: int) -> None:
    """Held against every subset of seven arms, whatever the order of the pairs."""
    chance, arms = random.Random(seed), "abcdefg"
    apart = {a + b for a, b in itertools.combinations(arms, 2) if chance.random() < 0.4}
    tied = [
        set(subset)
        for size in range(1, 8)
        for subset in itertools.combinations(arms, size)
        if not any(set(pair) <= set(subset) for pair in apart)
    ]
    maximal = [subset for subset in tied if not any(subset < other for other in tied)]
    found = groups(arms, apart)
    assert sorted(map(sorted, maximal)) == sorted(map(list, found))
    alike = [pair for pair in itertools.combinations(arms, 2) if "".join(pair) not in apart]
    assert found == cliques(arms, alike[::-1])


def test_arms_share_a_letter_exactly_if_they_tie() -> None:
    found = groups("abc", {"ac"})
    assert [letters(arm, found) for arm in "abc"] == ["a", "ab", "b"]
    assert letters("a", ()) == ""
