"""Which of two models is the better one, by the rule of the statistics: paired, on validation."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from warmstart.analysis.statistics import interval
from warmstart.records import Interval

_AT_ONCE = 4096
"""Samples; `predict` would compile a program for each model first."""


def load(path: Path) -> keras.Sequential:
    """The model in a `.keras` file, in Keras's safe mode."""
    return keras.models.load_model(path, compile=False, safe_mode=True)


def takes(model: keras.Sequential, shape: Sequence[int], classes: int) -> bool:
    """Whether `model` takes samples of this shape and tells as many classes apart."""
    return (*model.input_shape[1:], model.output_shape[-1]) == (*shape, classes)


def accuracy_difference(
    challenger: keras.Sequential,
    champion: keras.Sequential,
    x: NDArray[np.float32],
    y: NDArray[np.int32],
) -> Interval:
    """Accuracy of `challenger` minus that of `champion`, paired by sample, with its 95 % interval.

    Args:
        challenger, champion: take samples like `x` and give one logit for each class.
        x: `(n, …)` raw validation samples.
        y: `(n,)` their labels.
    """
    one, other = (_right(model, x, y) for model in (challenger, champion))
    return interval((one - other).tolist())


def _right(
    model: keras.Sequential, x: NDArray[np.float32], y: NDArray[np.int32]
) -> NDArray[np.float64]:
    """(n,): 1 where the model says the label, else 0."""
    logits = [
        keras.ops.convert_to_numpy(model(x[start : start + _AT_ONCE], training=False))
        for start in range(0, len(x), _AT_ONCE)
    ]
    return (np.concatenate(logits).argmax(axis=1) == y).astype(np.float64)
