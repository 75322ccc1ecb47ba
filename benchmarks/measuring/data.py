"""Fashion-MNIST as every engine reads it: the first 55,000 samples to train on, the last 5,000 of
the training files to validate with, or the same in small."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engines.job import IMAGE
from warmstart.config.data import KNOWN_CLASSES
from warmstart.data import fashion_mnist
from warmstart.data.standardization import Standardization
from warmstart.data.task import Task

WHOLE = 55_000


def write_tasks(paths: Mapping[int, Path]) -> None:
    """Write for each number of training samples the file of its task.

    Raises:
        InputError: if Fashion-MNIST is nowhere to be found.
    """
    # in Debian's folder or Keras's cache; a folder of the user's is not looked for
    raw = fashion_mnist.read(fashion_mnist.DEBIAN)
    x, y = np.asarray(raw.x, np.float32).reshape(len(raw.x), -1), np.asarray(raw.y, np.int32)
    for samples, path in paths.items():
        _task(x, y, samples).write(path)


def write_made_up(path: Path, samples: int) -> None:
    """A task of the same shape from a seed, for machines without Fashion-MNIST: how long an epoch
    takes does not depend on what is in the images."""
    draw = np.random.default_rng(0)
    n = WHOLE + max(1, samples // 11) + 10
    y = draw.integers(0, 10, n).astype(np.int32)
    x = draw.normal(size=(n, 784), scale=4).astype(np.float32) + draw.normal(size=(10, 784))[y]
    _task(x.astype(np.float32), y, samples).write(path)


def _task(x: np.ndarray, y: np.ndarray, samples: int) -> Task:
    train = slice(0, samples)
    # 11 to 1, as in the whole; a validation set that did not shrink would cost more than training
    validation = slice(WHOLE, WHOLE + max(1, samples // 11))
    test = slice(-10, None)  # nothing here is tested: a few samples so that the file is complete
    standardized = Standardization.of([x[train]])
    return Task.of(
        name="full",
        class_names=KNOWN_CLASSES["fashion_mnist"],
        shape=IMAGE,
        x_train=standardized.apply(x[train]),
        y_train=y[train],
        x_validation=standardized.apply(x[validation]),
        y_validation=y[validation],
        x_test=standardized.apply(x[test]),
        y_test=y[test],
    )
