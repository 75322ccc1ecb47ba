"""Which arms cannot be told apart, over all pairs of them."""

import string
from collections.abc import Collection, Sequence
from itertools import combinations


def groups(arms: Sequence[str], apart: Collection[frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    """The largest groups within which no two arms can be told apart: the maximal cliques of the
    graph whose edges are ties.

    An arm may stand in several groups: a ties with b and b with c, and yet a and c differ.

    Args:
        arms: best first.
        apart: the pairs {arm, other arm} that can be told apart.

    Returns:
        Groups in the order of their best arm, arms within a group in the order of `arms`.
    """
    import networkx as nx  # takes a quarter of a second, and only summaries need it

    ties = nx.Graph()
    ties.add_nodes_from(arms)
    ties.add_edges_from(pair for pair in combinations(arms, 2) if frozenset(pair) not in apart)
    places = sorted(sorted(map(arms.index, clique)) for clique in nx.find_cliques(ties))
    return tuple(tuple(arms[place] for place in group) for group in places)


def letters(arm: str, tied: Sequence[Sequence[str]]) -> str:
    """The compact letter display of `arm`: one letter per group that it is in, a for the first.
    Arms that share a letter cannot be told apart (Piepho 2004, "An algorithm for a letter-based
    representation of all-pairwise comparisons")."""
    names = string.ascii_lowercase + string.ascii_uppercase
    return "".join(names[i % len(names)] for i, group in enumerate(tied) if arm in group)
