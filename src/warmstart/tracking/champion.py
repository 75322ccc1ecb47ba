"""Which of two models is the better one, by the rule of the statistics: paired, on validation."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from warmstart.analysis.statistics import interval
from warmstart.records import Interval


def accuracy_difference(
    challenger: Path, champion: Path, x: NDArray[np.float32], y: NDArray[np.int32]
) -> Interval:
    """Accuracy of `challenger` minus that of `champion`, paired by sample, with its 95 % interval.

    Args:
        challenger, champion: `.keras` files that take samples like `x` and give one logit for each
            class.
        x: `(n, …)` raw validation samples.
        y: `(n,)` their labels.
    """
    one, other = (_right(path, x, y) for path in (challenger, champion))
    return interval((one - other).tolist())


def takes(model: Path, shape: Sequence[int], classes: int) -> bool:
    """Whether `model` takes samples of this shape and tells as many classes apart."""
    loaded = _load(model)
    return (*loaded.input_shape[1:], loaded.output_shape[-1]) == (*shape, classes)


def _right(path: Path, x: NDArray[np.float32], y: NDArray[np.int32]) -> NDArray[np.float64]:
    """(n,): 1 where the model says the label, else 0."""
    return (_load(path).predict(x, verbose=0).argmax(axis=1) == y).astype(np.float64)


def _load(path: Path) -> keras.Sequential:
    return keras.models.load_model(path, compile=False, safe_mode=True)
