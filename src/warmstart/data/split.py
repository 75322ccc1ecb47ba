"""Which samples train, which choose, which judge; and the two tasks of transfer learning.

Every class is divided by itself, so the parts are stratified and disjoint by construction. Task A
has all classes but the chosen ones, task B the chosen ones, of whose training labels each trial is
shown few; each part of theirs lies within the same part of the full task, so what tests one never
trained another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmstart.config.params import Data, Transfer, class_problems
from warmstart.data.dataset import Dataset
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.seeds import generator

__all__ = ["Rows", "Split", "Task", "split", "split_full"]

Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Rows of a dataset that make one task, in the order in which the task holds them."""

    name: str
    """`full`, `a` or `b`."""
    classes: tuple[int, ...]
    """The dataset's labels; their positions here are the task's labels."""
    train: Indices
    validation: Indices
    test: Indices

    def task(self, dataset: Dataset, x: NDArray[np.float32]) -> Task:
        """These rows of `x (n, features)`, which is `dataset.x` standardized, with their labels."""
        labels = np.full(len(dataset.class_names), -1, np.int32)
        labels[list(self.classes)] = np.arange(len(self.classes))
        return Task.of(
            name=self.name,
            class_names=tuple(dataset.class_names[label] for label in self.classes),
            x_train=x[self.train],
            y_train=labels[dataset.y[self.train]],
            x_validation=x[self.validation],
            y_validation=labels[dataset.y[self.validation]],
            x_test=x[self.test],
            y_test=labels[dataset.y[self.test]],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """The rows of the three tasks."""

    full: Rows
    a: Rows
    b: Rows


def split(dataset: Dataset, data: Data, transfer: Transfer, seed: int) -> Split:
    """Split `dataset`; the same arguments give the same rows.

    The fractions hold for every class, rounded to whole samples, at least one in each part.

    Raises:
        InputError: when `transfer.task_b` names a class that is not there or leaves too few.
    """
    full = split_full(dataset, data, seed)
    task_b = dataset.class_names[:2] if transfer.all_pairs else transfer.task_b
    chosen = _chosen(task_b, dataset.class_names)
    rest = [label for label in range(len(dataset.class_names)) if label not in chosen]
    return Split(
        full=full,
        a=_within(full, dataset.y, "a", rest),
        b=_within(full, dataset.y, "b", chosen),
    )


def split_full(dataset: Dataset, data: Data, seed: int) -> Rows:
    """The rows of the task with every class, as in `split`."""
    parts: tuple[list[Indices], ...] = ([], [], [])
    for label in range(len(dataset.class_names)):
        rows = np.flatnonzero(dataset.y == label)
        rows = generator(seed, "split", "full", label).permutation(rows)
        # one of each class for each part, whatever the fractions round to
        test = min(max(1, round(data.test_fraction * len(rows))), len(rows) - 2)
        validation = min(max(1, round(data.validation_fraction * len(rows))), len(rows) - test - 1)
        for part, chosen in zip(
            parts, np.split(rows, [len(rows) - test - validation, len(rows) - test]), strict=True
        ):
            part.append(chosen)
    # mixed, so that a reader who takes batches in order does not meet one class after another,
    # and so that `_draw` can take the first rows
    train, validation_rows, test_rows = (
        generator(seed, "split", "order", which).permutation(np.concatenate(part))
        for which, part in zip(("train", "validation", "test"), parts, strict=True)
    )
    return Rows(
        name="full",
        classes=tuple(range(len(dataset.class_names))),
        train=train,
        validation=validation_rows,
        test=test_rows,
    )


def _chosen(task_b: Sequence[int | str], names: tuple[str, ...]) -> list[int]:
    """Labels of the classes in `task_b`, in its order."""
    # Where the names are numbers (the user's labels were 3, 7, 9) a number means the name, not
    # the position: taking 1 for class 7 would be a trap.
    if all(name.isdecimal() for name in names):
        task_b = [str(chosen) for chosen in task_b]
    if problems := class_problems(task_b, names):
        raise InputError(*problems)
    return [names.index(c) if isinstance(c, str) else c for c in task_b]


def _within(full: Rows, y: NDArray[np.int32], name: str, classes: list[int]) -> Rows:
    """The rows of `full` that belong to `classes`."""
    train, validation, test = (
        rows[np.isin(y[rows], classes)] for rows in (full.train, full.validation, full.test)
    )
    return Rows(name=name, classes=tuple(classes), train=train, validation=validation, test=test)
