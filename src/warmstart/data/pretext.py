"""Data to pretrain on that need no labels: samples as they are, and images turned.

Both take their training samples from the training part of the full task, which is that of tasks A
and B together. Validation samples stay validation samples: they choose a learning rate and train
nothing. Test samples are not passed on.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warmstart.data.standardization import Standardization
from warmstart.data.task import Task

LIMIT = 5.0
"""Turned images light pixels that upright ones hardly ever do, whose scale is next to nothing:
beyond so many standard deviations a value says no more, and training diverges on it."""


def unlabelled(full: Task) -> Task:
    """The samples of `full` with all labels 0, and none to test on."""
    return _task("unlabelled", ("sample",), full, full.x_train, full.x_validation)


def is_square(shape: Sequence[int]) -> bool:
    """Whether samples of `shape`, as `Task.shape`, are images that fit when turned by 90°."""
    return len(shape) == 3 and shape[0] == shape[1] > 1


def turned(full: Task, standardization: Standardization) -> Task:
    """Every image of `full` four times, turned counter-clockwise by 0°, 90°, 180° and 270°; the
    turn is the label (Gidaris et al. 2018, "Unsupervised Representation Learning by Predicting
    Image Rotations").

    What is turned is the raw image: every pixel was standardized by its own mean and scale, so a
    turned standardized image would show by these how it was turned. Then it is standardized again
    and held within LIMIT.

    Args:
        full: standardized, `(n, features)`, of square images.
        standardization: of `full`.

    Returns:
        The four turns one after another: `(4n, features)`.
    """

    def turn(x: NDArray[np.float32]) -> NDArray[np.float32]:
        raw = standardization.undo(x).reshape(-1, *full.shape)
        turns = [np.rot90(raw, k, axes=(1, 2)).reshape(len(x), -1) for k in range(4)]
        return standardization.apply(np.concatenate(turns)).clip(-LIMIT, LIMIT)

    names = ("0°", "90°", "180°", "270°")
    return _task("turned", names, full, turn(full.x_train), turn(full.x_validation))


def _task(
    name: str,
    class_names: tuple[str, ...],
    full: Task,
    x_train: NDArray[np.float32],
    x_validation: NDArray[np.float32],
) -> Task:
    """Labelled by the class that the place of a sample says: as many of each, one after another."""

    def labels(x: NDArray[np.float32]) -> NDArray[np.int32]:
        classes = np.arange(len(class_names), dtype=np.int32)
        return np.repeat(classes, len(x) // len(class_names))

    return Task.of(
        name=name,
        class_names=class_names,
        shape=full.shape,
        x_train=x_train,
        y_train=labels(x_train),
        x_validation=x_validation,
        y_validation=labels(x_validation),
        x_test=full.x_test[:0],
        y_test=full.y_test[:0],
    )
