"""Divide a dataset: samples to train, to validate and to test; classes of tasks A and B.

Every class is divided by itself, so the parts are stratified and disjoint by construction. Task A
has all classes but the chosen ones, task B the chosen ones, of whose training labels each trial is
shown few; each part of theirs lies within the same part of the full task, so no sample that tests
one task trained another.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warmstart.config.params import Data, Transfer, class_problems
from warmstart.data.dataset import Dataset
from warmstart.data.task import PARTS, Standardization, Task, View
from warmstart.errors import InputError
from warmstart.seeds import generator

Indices = NDArray[np.int64]


def split_full(dataset: Dataset, data: Data, seed: int) -> View:
    """The task with every class, standardized by its training part alone.

    The same arguments give the same task, see `rows`.
    """
    chosen = rows(dataset, data, seed)
    standardization = Standardization.of(dataset.x[chosen["train"]])
    x = {f"x_{part}": standardization.apply(dataset.x[chosen[part]]) for part in PARTS}
    y = {f"y_{part}": dataset.y[chosen[part]] for part in PARTS}
    task = Task.of(name="full", class_names=dataset.class_names, **x, **y)
    return View(task=task, standardization=standardization)


def rows(dataset: Dataset, data: Data, seed: int) -> dict[str, Indices]:
    """The rows of `dataset` in each of PARTS, in the order in which the full task holds them.

    The fractions hold for every class, rounded to whole samples, at least one in each part.
    """
    parts: dict[str, list[Indices]] = {part: [] for part in PARTS}
    for label in range(len(dataset.class_names)):
        own = np.flatnonzero(dataset.y == label)
        own = generator(seed, "split", "full", label).permutation(own)
        # one of each class for each part, whatever the fractions round to
        test = min(max(1, round(data.test_fraction * len(own))), len(own) - 2)
        validation = min(max(1, round(data.validation_fraction * len(own))), len(own) - test - 1)
        cuts = [len(own) - test - validation, len(own) - test]
        for part, chosen in zip(PARTS, np.split(own, cuts), strict=True):
            parts[part].append(chosen)
    # mixed, so that a reader who takes batches in order does not meet one class after another
    return {
        part: generator(seed, "split", "order", part).permutation(np.concatenate(chosen))
        for part, chosen in parts.items()
    }


def task_labels(transfer: Transfer, class_names: tuple[str, ...]) -> dict[str, list[int]]:
    """The labels in the dataset that make the tasks `full`, `a` and `b`; a task's own labels are
    positions in its list. For all pairs, task B is the first.

    Raises:
        InputError: if `transfer.task_b` names a class that is not there or leaves too few.
    """
    every = list(range(len(class_names)))
    task_b: Sequence[int | str] = every[:2] if transfer.all_pairs else transfer.task_b
    # Where the names are numbers (the user's labels were 3, 7, 9) a number means the name, not
    # the position: taking 1 for class 7 would be a trap.
    if not transfer.all_pairs and all(name.isdecimal() for name in class_names):
        task_b = [str(chosen) for chosen in task_b]
    if problems := class_problems(task_b, class_names):
        raise InputError(*problems)
    chosen = [class_names.index(c) if isinstance(c, str) else c for c in task_b]
    return {"full": every, "a": [label for label in every if label not in chosen], "b": chosen}


def draw(y: NDArray[np.int32], size: int, generator: np.random.Generator) -> Indices:
    """`size` rows of `y (n,)`, at random but each class in its proportion, at least one of each.

    From generators of the same seed, a smaller draw is part of every larger one as far as its
    quotas of the classes are no larger.
    """
    mixed = generator.permutation(len(y))
    classes, counts = np.unique(y, return_counts=True)
    drawn = [
        mixed[y[mixed] == label][:quota]
        for label, quota in zip(classes, quotas(counts, size), strict=True)
    ]
    return np.sort(np.concatenate(drawn))


def quotas(counts: Indices, size: int) -> Indices:
    """`size` shared out in proportion to `counts`: rounded by largest remainder, none left at 0.

    Expects `len(counts) <= size <= counts.sum()` and every count at least 1.
    """
    # integers throughout: a remainder of exactly a half must not depend on rounding
    shares, remainders = np.divmod(counts * size, counts.sum())
    shares[np.argsort(-remainders, kind="stable")[: size - shares.sum()]] += 1
    while (shares == 0).any():
        shares[np.argmax(shares)] -= 1
        shares[np.argmin(shares)] += 1
    return shares
