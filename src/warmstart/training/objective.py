"""What a program minimizes, and what its epochs show beside that loss."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from warmstart.networks import building
from warmstart.training.fed import Fed


class Objective:
    """Of classes the cross-entropy and the accuracy; of a number the mean squared and the mean
    absolute error; of reconstructions the mean squared error and NaN.

    Args:
        outputs: units of the network's last layer; 1: a number.
        reconstruct: the targets are samples.
        class_weights: `(classes,)`: the loss of a sample in training is multiplied by that of its
            class, as by `class_weight` in Keras's `fit`. What is measured never is.
    """

    def __init__(
        self, outputs: int, *, reconstruct: bool = False, class_weights: Fed | None = None
    ) -> None:
        self.loss: Any = (
            keras.losses.MeanSquaredError() if reconstruct else building.loss_of(outputs)
        )
        self.beside: Any = _accuracy
        if reconstruct or outputs == 1:
            self.beside = _nothing if reconstruct else keras.losses.MeanAbsoluteError()
        self._weights = class_weights

    def training_loss(self, y: Any, outputs: Any) -> Any:
        """The mean loss of a mini-batch that a step follows."""
        if self._weights is None:
            return self.loss(y, outputs)
        weights = keras.ops.take(self._weights.variable.value, y, axis=0)
        return self.loss(y, outputs, sample_weight=weights)

    def measure(self, y: Any, outputs: Any) -> Any:
        """`(2,)`: the loss, and what is shown beside it."""
        return keras.ops.stack([self.loss(y, outputs), self.beside(y, outputs)])


def balanced(y: NDArray[np.int32], classes: int) -> tuple[float, ...]:
    """Weights by which the samples `y (n,)` of all classes count alike: of a class n / (classes ·
    its samples), as scikit-learn's; 0 where it has none."""
    counts = np.bincount(y, minlength=classes)
    return tuple(len(y) / (classes * count) if count else 0.0 for count in counts.tolist())


def _accuracy(y: Any, logits: Any) -> Any:
    hits = keras.ops.cast(keras.ops.argmax(logits, axis=-1), y.dtype) == y
    return keras.ops.mean(keras.ops.cast(hits, logits.dtype))


def _nothing(y: Any, outputs: Any) -> Any:
    return keras.ops.full((), np.nan, outputs.dtype)
