"""Fashion-MNIST split and scaled as the two editions' notebooks do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from warmstart.config.data import KNOWN_CLASSES
from warmstart.data.standardization import Standardization
from warmstart.data.task import Task

Edition = Literal["second", "third"]
B_TRAIN = 200
"""Labels of task B: the first ones of its classes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """All samples, training files before test files."""

    x: np.ndarray
    """`(n, 784)` float32 from 0 to 1."""
    y: np.ndarray
    """`(n,)` int32."""

    @classmethod
    def of(cls, images: np.ndarray, labels: np.ndarray) -> "Images":
        """From `(n, 28, 28)` uint8 and `(n,)`."""
        return cls(
            x=(images.reshape(len(images), -1) / 255).astype(np.float32), y=labels.astype(np.int32)
        )

    def rows(self, edition: Edition, limit: int | None) -> dict[str, np.ndarray]:
        """Part -> rows. Of 70,000: 55,000 to train, 5,000 to validate (the second edition takes the
        first ones of the training files, the third the last ones), 10,000 to test.

        `limit` leaves so many to train and a tenth of that in the other parts.
        """
        n = len(self.y)
        test, validation = n // 7, n // 14
        known = np.arange(n - test)
        if edition == "second":
            held_out, train = known[:validation], known[validation:]
        else:
            train, held_out = known[:-validation], known[-validation:]
        parts = {"train": train, "validation": held_out, "test": np.arange(n - test, n)}
        if limit is None:
            return parts
        return {
            part: rows[: limit if part == "train" else limit // 10] for part, rows in parts.items()
        }


def full(images: Images, edition: Edition, *, standardize: bool, limit: int | None = None) -> Task:
    """Every class; pixels from 0 to 1, or each standardized over the training set."""
    rows, x = images.rows(edition, limit), images.x
    if standardize:
        x = Standardization.of([x[rows["train"]]]).apply(x)
    return _task("full", x, images.y, rows, range(10))


def pair(
    images: Images, edition: Edition, classes: tuple[int, int], limit: int | None = None
) -> tuple[Task, Task]:
    """Task A, all classes but two, and task B, these two with B_TRAIN labels; raw pixels."""
    rows, y = images.rows(edition, limit), images.y
    others = [label for label in range(10) if label not in classes]
    of_a = {part: found[np.isin(y[found], others)] for part, found in rows.items()}
    of_b = {part: found[np.isin(y[found], classes)] for part, found in rows.items()}
    of_b["train"] = of_b["train"][:B_TRAIN]
    return _task("a", images.x, y, of_a, others), _task("b", images.x, y, of_b, classes)


def _task(
    name: str, x: np.ndarray, y: np.ndarray, rows: dict[str, np.ndarray], classes: Sequence[int]
) -> Task:
    numbers = np.full(10, -1, np.int32)
    numbers[list(classes)] = np.arange(len(classes))
    names = KNOWN_CLASSES["fashion_mnist"]
    arrays = {f"x_{part}": x[found] for part, found in rows.items()}
    arrays |= {f"y_{part}": numbers[y[found]] for part, found in rows.items()}
    return Task.of(name=name, class_names=tuple(names[label] for label in classes), **arrays)
