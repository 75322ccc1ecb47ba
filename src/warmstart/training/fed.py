"""Numbers that are fed to a compiled program instead of being compiled into it."""

from functools import partial
from typing import Any

import keras
import numpy as np

from warmstart.networks.choices import CLIPPING


class Fed:
    """A hyperparameter that a program reads from a variable, like a weight.

    Keras's code asks of its settings whether they are set (`momentum != 0`, `clipnorm > 0`) and
    then calculates with them. A fed number is set, whatever its value: that question is one of the
    program's structure.
    """

    def __init__(self, value: float | np.ndarray) -> None:
        self.variable = keras.Variable(value, trainable=False, dtype=keras.config.floatx())

    @property
    def dtype(self) -> str:
        return self.variable.dtype

    def __bool__(self) -> bool:
        return True

    def __gt__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # nothing that compares so belongs in a dict

    def __mul__(self, other: Any) -> Any:
        return self.variable * other

    def __neg__(self) -> Any:
        return -self.variable

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.variable

    __rmul__ = __mul__

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        return self.variable.__tf_tensor__(dtype, name)

    def __jax_array__(self) -> Any:
        return self.variable.__jax_array__()


def clips(optimizer: keras.optimizers.Optimizer) -> bool:
    return any(getattr(optimizer, setting) is not None for setting in CLIPPING.values())


def clipped(optimizer: keras.optimizers.Optimizer, gradients: list[Any]) -> list[Any]:
    """What `optimizer.apply` makes of `gradients` before it uses them; Keras has no public name
    for it."""
    return optimizer._clip_gradients(gradients)


def feed_optimizer(optimizer: keras.optimizers.Optimizer) -> dict[str, Fed]:
    """Have `optimizer` read its momentum and clip threshold, where it has them, from variables."""
    fed = {}
    if getattr(optimizer, "momentum", 0.0) and isinstance(optimizer, keras.optimizers.SGD):
        fed["momentum"] = optimizer.momentum = Fed(optimizer.momentum)
    for setting in CLIPPING.values():
        if getattr(optimizer, setting) is not None:
            fed["clip_threshold"] = Fed(getattr(optimizer, setting))
            setattr(optimizer, setting, fed["clip_threshold"])
    return fed


def feed_slope(model: keras.Sequential) -> Fed | None:
    """Have all LeakyReLU layers of `model` read their slope from one variable, if it has any.

    The layers' own `call` cannot: TensorFlow's operation compiles its slope in.
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.LeakyReLU)]
    if not layers:
        return None
    slope = Fed(layers[0].negative_slope)
    for layer in layers:
        layer.call = partial(_leaky_relu, slope)
    return slope


def _leaky_relu(slope: Fed, x: Any) -> Any:
    """The backend's, whose derivative at 0 is 1 on JAX and the slope on TensorFlow."""
    positive = x >= 0 if keras.backend.backend() == "jax" else x > 0
    return keras.ops.where(positive, x, slope * x)
