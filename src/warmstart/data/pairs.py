"""Every pair of classes as task B."""

from itertools import combinations

from warmstart.data.task import Task

Pair = tuple[int, int]
"""Two labels of the dataset, ascending."""

VALIDATION = 1000
"""Validation samples of a pair at most. They choose a learning rate on each seed, for which these
are plenty; Fashion-MNIST's 2,800 take most of the time of an epoch with few labels."""


def every_pair(classes: int) -> list[Pair]:
    return list(combinations(range(classes), 2))


def name(pair: Pair) -> str:
    """As folders and tasks are called: `0-1`."""
    return "-".join(map(str, pair))


def task_b(full: Task, pair: Pair) -> Task:
    """The samples of `full` that belong to `pair`."""
    return full.only(f"b_{name(pair)}", pair, validation=VALIDATION)


def task_a(full: Task, pair: Pair) -> Task:
    """The samples of all other classes."""
    others = [label for label in range(full.classes) if label not in pair]
    return full.only(f"a_{name(pair)}", others)
