"""Groups of arms that are alike, over all pairs of them."""

import string
from collections.abc import Collection, Sequence


def cliques(arms: Sequence[str], alike: Collection[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """The largest groups within which all pairs are `alike`: the maximal cliques of that graph.

    An arm may stand in several groups: a is like b and b like c, and yet a and c differ.

    Args:
        arms: best first.
        alike: pairs of arms.

    Returns:
        Groups in the order of their best arm, arms within a group in the order of `arms`; an arm
        that is like no other is a group of its own.
    """
    import networkx as nx  # takes a quarter of a second, and only summaries need it

    graph = nx.Graph()
    graph.add_nodes_from(arms)
    graph.add_edges_from(alike)
    places = sorted(sorted(map(arms.index, clique)) for clique in nx.find_cliques(graph))
    return tuple(tuple(arms[place] for place in group) for group in places)


def letters(arm: str, tied: Sequence[Sequence[str]]) -> str:
    """The compact letter display of `arm`: one letter per group that it is in, a for the first.
    Arms that share a letter are not shown to differ (Piepho 2004, "An algorithm for a letter-based
    representation of all-pairwise comparisons")."""
    names = string.ascii_lowercase + string.ascii_uppercase
    return "".join(names[i % len(names)] for i, group in enumerate(tied) if arm in group)
