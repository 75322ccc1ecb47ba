"""Layer-sequential unit-variance initialization (Mishkin & Matas 2016, "All You Need Is a Good
Init", algorithm 1)."""

from collections.abc import Container, Iterable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from warmstart.config.arm import Arm

SAMPLES = 256
"""The batch: the first ones."""


def chosen(network: Arm, model: keras.Model) -> Sequence[keras.layers.Layer]:
    """The layers of `model` for which `network` asks it."""
    hidden = model.layers[:-1] if network.initializer.name == "lsuv" else []
    return hidden + (model.layers[-1:] if network.head_initializer.name == "lsuv" else [])


def scaled(
    model: keras.Model,
    network: Arm,
    values: Sequence[np.ndarray],
    x: np.ndarray,
    copied: Container[str] = (),
) -> list[np.ndarray]:
    """`values` of `model.variables` after `scale`, for what `network` asks it, but for the layers
    `copied` from another model."""
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    scale(model, [layer for layer in chosen(network, model) if layer.name not in copied], x)
    return [np.array(variable) for variable in model.variables]


def scale(model: keras.Model, layers: Iterable[keras.layers.Layer], x: np.ndarray) -> None:
    """Divide the kernel of each of `layers` that has one, orthonormal until then, by the standard
    deviation of what the layer puts out for `x`, the layers below it divided before it.

    The deviation is that over samples and units, or channels at all places. An output is
    proportional to the kernel, since biases start at 0, so a single division makes its variance 1
    where the paper's loop, which has a tolerance, would ask for more. What puts out the same
    everywhere, or nothing finite, stays as it is.

    The network is in training mode, as it is when it starts to learn, with batch norm's statistics
    those of `x`. Whatever else that moves is put back.

    Args:
        x: (n, features), of which SAMPLES are taken.
    """
    own = [layer for layer in layers if hasattr(layer, "kernel")]
    if not own:
        return
    kernels = {id(layer.kernel) for layer in own}
    others = [variable for variable in model.variables if id(variable) not in kernels]
    before = [np.array(variable) for variable in others]
    calls = [layer.call for layer in own]
    for layer in own:
        layer.call = partial(_divided, layer, layer.call)
    try:
        model(keras.ops.convert_to_tensor(x[:SAMPLES], keras.config.floatx()), training=True)
    finally:
        for layer, call in zip(own, calls, strict=True):
            layer.call = call
    for variable, value in zip(others, before, strict=True):
        variable.assign(value)


def _divided(layer: keras.layers.Layer, call: Any, x: Any, training: Any = None) -> Any:
    """What `call` makes of `x` with the kernel of `layer` divided."""
    outputs = call(x)
    deviation = keras.ops.convert_to_numpy(outputs).std(dtype="float64")
    if not 0 < deviation < np.inf:
        return outputs
    layer.kernel.assign(layer.kernel / float(deviation))
    return call(x)
