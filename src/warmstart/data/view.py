"""A task as trials see it: its own split, or one fold of a cross-validation after another;
standardized, or raw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from warmstart.data.standardize import Standardization
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.seeds import derive


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """Samples to train, to validate and to test with."""

    task: Task
    standardization: Standardization
    """From raw values to those of the task."""

    @classmethod
    def read(cls, prepared: Path, name: str) -> Self:
        """The task `name` in the folder that `prepare` wrote.

        Raises:
            InputError: as `Task.read`.
        """
        return cls(
            task=Task.read(prepared / f"{name}.npz"),
            standardization=Standardization.read(prepared / "standardize.npz"),
        )

    def raw(self) -> "View":
        """The same samples, not standardized: equal to what they were but for rounding."""
        task = self.task
        undone = {
            f"x_{part}": self.standardization.undo(getattr(task, f"x_{part}")).astype(np.float32)
            for part in ("train", "validation", "test")
        }
        return View(
            task=Task.of(
                name=f"{task.name}_raw",
                class_names=task.class_names,
                y_train=task.y_train,
                y_validation=task.y_validation,
                y_test=task.y_test,
                **undone,
            ),
            standardization=Standardization.none(task.features),
        )


def cross_validation(
    task: Task, standardization: Standardization, folds: int, seed: int
) -> tuple[View, ...]:
    """`task` once per fold: its training and validation samples are cut into `folds` stratified
    parts, one of which validates while the others train. The test samples stay what they are.

    Every sample that is not tested validates in one fold and trains in all others; sizes of folds,
    and of a class in them, differ by one sample at most. Each fold is standardized by its own
    training samples.

    Args:
        task: standardized.
        standardization: with which it was.
        folds: 2 or more.
        seed: root; the same arguments give the same folds.

    Raises:
        InputError: when a class has too few samples to be in every fold.
    """
    y = np.concatenate([task.y_train, task.y_validation])
    counts = np.bincount(y, minlength=task.classes)
    if counts.min() < folds:
        raise InputError(
            f"compare.folds: expected at most {counts.min()}, the samples of class "
            f"{task.class_names[counts.argmin()]!r} outside the test set, received {folds}; "
            "lower it"
        )
    from sklearn.model_selection import StratifiedKFold  # takes a second to import

    x = standardization.undo(np.concatenate([task.x_train, task.x_validation]))
    x_test = standardization.undo(task.x_test)
    cut = StratifiedKFold(folds, shuffle=True, random_state=derive(seed, "folds"))
    views = []
    for number, (train, validation) in enumerate(cut.split(x, y), start=1):
        own = Standardization.of(x[train])
        fold = Task.of(
            name=f"{task.name}_fold_{number}",
            class_names=task.class_names,
            x_train=own.apply(x[train]),
            y_train=y[train],
            x_validation=own.apply(x[validation]),
            y_validation=y[validation],
            x_test=own.apply(x_test),
            y_test=task.y_test,
        )
        views.append(View(task=fold, standardization=own))
    return tuple(views)
