"""Divide a dataset: samples to train, to validate and to test; classes of tasks A and B.

Every class is divided by itself, so the parts are stratified and disjoint by construction. Task A
has all classes but the chosen ones, task B the chosen ones, of whose training labels each trial is
shown few; each part of theirs lies within the same part of the full task, so no sample that tests
one task trained another. Rows that belong together stay on one side (`data.together`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warmstart.config.data import Data, Splits
from warmstart.config.loading import class_problems
from warmstart.config.transfer import Transfer
from warmstart.data import images, official, together
from warmstart.data.dataset import Dataset
from warmstart.data.task import PARTS
from warmstart.data.view import Parts, View
from warmstart.errors import InputError
from warmstart.seeds import generator

Indices = NDArray[np.int64]
FEWEST_CLASSES = 4
"""Classes of data that can be divided into a task A and a task B."""


def split_full(dataset: Dataset, data: Data, seed: int) -> View:
    """The task with every class, standardized by its training part alone.

    The same arguments give the same task, see `rows`.

    Raises:
        InputError: as `rows` and `images.channels`.
    """
    channels = images.channels(dataset.shape, data.standardize)
    return View.of("full", dataset, rows(dataset, data, seed), wanted(dataset, data), channels)


def resplit(whole: View, number: int, seed: int, splits: Splits) -> View:
    """All samples of `whole` in parts that are drawn anew: what trials of seed `number` see.

    Each part has as many samples of each class as it has in `whole`, in an order of its own, and is
    preprocessed by its own training samples. Of `official` splits the test part is that of `whole`,
    in its order. Number 0, and every number of `fixed` splits, is `whole` itself. The same
    arguments give the same parts.

    Args:
        whole: of every class.
        number: of the split.
        seed: root.
        splits: as `data.splits` of params.yaml.

    Raises:
        InputError: as `together.again`.
    """
    if number == 0 or splits == "fixed":
        return whole
    dataset, names = whole.dataset, ("split", number)
    kept = whole.parts["test"] if splits == "official" else None
    y = _strata(dataset)
    sizes = np.array([np.bincount(y[whole.parts[part]], minlength=y.max() + 1) for part in PARTS])
    if dataset.groups is None:
        drawn = _stratified(y, sizes, 0 if kept is None else len(kept), seed, *names)
    else:
        drawn = together.again(y, dataset.groups, whole.wanted, sizes, kept, seed, *names)
    name = f"{whole.task.name}_split_{number}"
    return View.of(name, dataset, drawn, whole.wanted, whole.channels)


def rows(dataset: Dataset, data: Data, seed: int) -> Parts:
    """The rows of `dataset` in each of PARTS, in the order in which the full task holds them: as
    many as `wanted` says or, where rows belong together, as whole groups allow.

    Raises:
        InputError: as `wanted`, and where rows belong together as `together.first`.
    """
    y, sizes = _strata(dataset), wanted(dataset, data)
    n_test = dataset.n_test if _keeps(data) else 0
    if dataset.groups is None:
        return _stratified(y, sizes, n_test, seed, "split")
    kept = np.arange(len(y) - n_test, len(y)) if n_test else None
    return together.first(y, dataset.groups, sizes, kept, seed, "split")


def wanted(dataset: Dataset, data: Data) -> Indices:
    """How many samples of each class train, validate and test where each is alone: `(parts,
    classes)`. Of a regression all samples are one class.

    The fractions hold for every class, rounded to whole samples, at least one in each part. With
    `official` splits the test part is the test set that came with the data.

    Raises:
        InputError: with `official` splits, as `official.sizes`.
    """
    if _keeps(data):
        return official.sizes(dataset, data)
    sizes = []
    for n in np.bincount(_strata(dataset)).tolist():
        # one of each class for each part, whatever the fractions round to
        test = min(max(1, round(data.test_fraction * n)), n - 2)
        validation = min(max(1, round(data.validation_fraction * n)), n - test - 1)
        sizes.append((n - test - validation, validation, test))
    return np.array(sizes).T


def _keeps(data: Data) -> bool:
    """Whether a test set that came with the data, or the newest rows, are the test part."""
    return data.splits == "official" or data.order is not None


def _strata(dataset: Dataset) -> NDArray[np.int32]:
    """What is divided by itself: `(n,)` classes; all samples of a regression."""
    return dataset.y if dataset.class_names else np.zeros(len(dataset.y), np.int32)


def _stratified(
    y: NDArray[np.int32], sizes: Indices, kept: int, seed: int, *names: str | int
) -> Parts:
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


def no_transfer(transfer: Transfer | None, class_names: tuple[str, ...]) -> str | None:
    """Why there are no tasks A and B, in words; None: there are."""
    if transfer is None:
        return "transfer is null"
    if not class_names:
        return "the target is a number, not a class"
    if len(class_names) < FEWEST_CLASSES and not transfer.a:
        return (
            f"the data have {len(class_names)} classes, where task A and task B need two or more "
            "each (transfer.a: a model A of your own)"
        )
    return None


def task_labels(
    transfer: Transfer, class_names: tuple[str, ...], y: NDArray[np.int32]
) -> dict[str, list[int]]:
    """The labels in the dataset that make the tasks `full`, `a` and `b`; a task's own labels are
    positions in its list. For all pairs, task B is the first; `auto` takes the two classes that
    most of `y (n,)` have, the first of equals. With a model A of the user's own there is no task
    `a`.

    Raises:
        InputError: if `transfer.task_b` names a class that is not there or leaves too few.
    """
    every = list(range(len(class_names)))
    task_b: Sequence[int | str] = every[:2] if transfer.all_pairs else transfer.task_b
    if transfer.automatic:
        counts = np.bincount(y, minlength=len(every))
        task_b = sorted(np.argsort(-counts, kind="stable")[:2].tolist())
    # Where the names are numbers (the user's labels were 3, 7, 9) a number means the name, not
    # the position: taking 1 for class 7 would be a trap.
    by_name = not (transfer.all_pairs or transfer.automatic)
    if by_name and all(name.isdecimal() for name in class_names):
        task_b = [str(chosen) for chosen in task_b]
    if problems := class_problems(task_b, class_names, rest=0 if transfer.a else 2):
        raise InputError(*problems)
    chosen = [class_names.index(c) if isinstance(c, str) else c for c in task_b]
    if transfer.a:
        return {"full": every, "b": chosen}
    return {"full": every, "a": [label for label in every if label not in chosen], "b": chosen}
