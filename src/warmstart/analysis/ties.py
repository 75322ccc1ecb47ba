"""Which arms cannot be told apart, over all pairs of them."""

import string
from collections.abc import Collection, Sequence


def groups(arms: Sequence[str], apart: Collection[frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    """The largest groups within which no two arms can be told apart.

    An arm may stand in several groups: a ties with b and b with c, and yet a and c differ. By
    "insert and absorb" (Piepho 2004, "An algorithm for a letter-based representation of
    all-pairwise comparisons"): all arms start in one group, each pair that is told apart splits
    the groups that hold both, and a group inside another one is dropped.

    Args:
        arms: best first.
        apart: the pairs {arm, other arm} that can be told apart.

    Returns:
        Groups in the order of their best arm, arms within a group in the order of `arms`.
    """
    found = [frozenset(arms)]
    for pair in apart:
        parts = [
            part
            for group in found
            for part in ([group - {a} for a in pair] if pair <= group else [group])
        ]
        unlike = list(dict.fromkeys(parts))
        found = [part for part in unlike if not any(part < other for other in unlike)]
    in_order = (tuple(arm for arm in arms if arm in group) for group in found)
    return tuple(sorted(in_order, key=lambda group: [arms.index(arm) for arm in group]))


def letters(arm: str, found: Sequence[Sequence[str]]) -> str:
    """The compact letter display of `arm`: one letter per group that it is in, a for the first.
    Arms that share a letter cannot be told apart."""
    names = string.ascii_lowercase + string.ascii_uppercase
    return "".join(names[i % len(names)] for i, group in enumerate(found) if arm in group)
