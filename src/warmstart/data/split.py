"""Divide a dataset: samples to train, to validate and to test; classes of tasks A and B.

Every class is divided by itself, so the parts are stratified and disjoint by construction. Task A
has all classes but the chosen ones, task B the chosen ones, of whose training labels each trial is
shown few; each part of theirs lies within the same part of the full task, so no sample that tests
one task trained another.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.config.params import Data, Splits, Transfer, class_problems
from warmstart.data import official
from warmstart.data.dataset import Dataset
from warmstart.data.task import PARTS, Standardization, Task, View
from warmstart.errors import InputError
from warmstart.seeds import generator

Indices = NDArray[np.int64]


def split_full(dataset: Dataset, data: Data, seed: int) -> View:
    """The task with every class, standardized by its training part alone.

    The same arguments give the same task, see `rows`.

    Raises:
        InputError: as `rows`.
    """
    chosen = rows(dataset, data, seed)
    return _view("full", dataset.x, dataset.y, chosen, dataset.class_names)


def resplit(whole: View, number: int, seed: int, splits: Splits) -> View:
    """All samples of `whole` in parts that are drawn anew: what trials of seed `number` see.

    Each part has as many samples of each class as it has in `whole`, in an order of its own, and is
    standardized by its own training samples. Of `official` splits the test part is that of `whole`,
    in its order. Number 0, and every number of `fixed` splits, is `whole` itself. The same
    arguments give the same parts.

    Args:
        whole: standardized.
        number: of the split.
        seed: root.
        splits: as `data.splits` of params.yaml.
    """
    if number == 0 or splits == "fixed":
        return whole
    task = whole.task
    x = np.concatenate([getattr(task, f"x_{part}") for part in PARTS])
    y = np.concatenate([getattr(task, f"y_{part}") for part in PARTS])
    sizes = np.array([np.bincount(getattr(task, f"y_{p}"), minlength=task.classes) for p in PARTS])
    kept = len(task.y_test) if splits == "official" else 0
    chosen = _stratified(y, sizes, kept, seed, "split", number)
    raw = whole.standardization.undo(x)
    return _view(f"{task.name}_split_{number}", raw, y, chosen, task.class_names)


def rows(dataset: Dataset, data: Data, seed: int) -> dict[str, Indices]:
    """The rows of `dataset` in each of PARTS, in the order in which the full task holds them.

    The fractions hold for every class, rounded to whole samples, at least one in each part. With
    `official` splits the test part is the test set that came with the data, in its order.

    Raises:
        InputError: with `official` splits, as `official.sizes`.
    """
    if data.splits == "official":
        counts = official.sizes(dataset, data)
        return _stratified(dataset.y, counts, dataset.n_test, seed, "split")
    sizes = []
    for n in np.bincount(dataset.y, minlength=len(dataset.class_names)).tolist():
        # one of each class for each part, whatever the fractions round to
        test = min(max(1, round(data.test_fraction * n)), n - 2)
        validation = min(max(1, round(data.validation_fraction * n)), n - test - 1)
        sizes.append((n - test - validation, validation, test))
    return _stratified(dataset.y, np.array(sizes).T, 0, seed, "split")


def _stratified(
    y: NDArray[np.int32], sizes: Indices, kept: int, seed: int, *names: str | int
) -> dict[str, Indices]:
    """The rows of `y (n,)` in each of PARTS: of every class as many as `sizes (parts, classes)`
    says, drawn and mixed by generators of `seed` and `names`. The last `kept` rows, if any, are the
    test part as they are."""
    drawn, free = PARTS[:2] if kept else PARTS, len(y) - kept
    parts: dict[str, list[Indices]] = {part: [] for part in drawn}
    for label, of_class in enumerate(sizes[: len(drawn)].T):
        own = generator(seed, *names, "full", label).permutation(np.flatnonzero(y[:free] == label))
        for part, chosen in zip(drawn, np.split(own, np.cumsum(of_class)[:-1]), strict=True):
            parts[part].append(chosen)
    # mixed, so that a reader who takes batches in order does not meet one class after another
    mixed = {
        part: generator(seed, *names, "order", part).permutation(np.concatenate(chosen))
        for part, chosen in parts.items()
    }
    return mixed | ({"test": np.arange(free, len(y))} if kept else {})


def _view(
    name: str,
    x: NDArray[np.floating],
    y: NDArray[np.int32],
    chosen: Mapping[str, Indices],
    class_names: tuple[str, ...],
) -> View:
    """The `chosen` rows of raw `x (n, features)` and `y (n,)`, standardized by those that train."""
    own = Standardization.of(x[chosen["train"]])
    arrays: dict[str, Any] = {f"x_{part}": own.apply(x[chosen[part]]) for part in PARTS}
    arrays |= {f"y_{part}": y[chosen[part]] for part in PARTS}
    task = Task.of(name=name, class_names=class_names, **arrays)
    return View(task=task, standardization=own)


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
