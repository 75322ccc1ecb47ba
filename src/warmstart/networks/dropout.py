"""Dropout: the layers are Keras's own; how a compiled program draws for them is not."""

from functools import partial
from typing import Any

import keras

from warmstart.networks.draws import uniform

KINDS = {"dropout": keras.layers.Dropout, "alpha_dropout": keras.layers.AlphaDropout}
"""By the field of `Network` that holds the rate."""


def name_generators(model: keras.Sequential) -> None:
    """Have the dropout layers of `model` draw the same numbers from a generator that they name.

    Keras leaves the choice to TensorFlow, and under XLA on a CPU an epoch with dropout then takes
    ten times as long (see `draws`). Only compiled programs are told: a saved model
    holds Keras's layers as they are. On JAX Keras draws well by itself.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.call = partial(_dropout, layer)
        elif isinstance(layer, keras.layers.AlphaDropout):
            layer.call = partial(_alpha_dropout, layer)


def _kept(layer: Any, x: Any) -> Any:
    return uniform(x, 0.0, 1.0, layer.seed_generator) >= layer.rate


def _dropout(layer: keras.layers.Dropout, x: Any, training: bool = False) -> Any:
    """`x / (1 - rate)` where it is kept, else 0."""
    if not training:
        return x
    return keras.ops.where(_kept(layer, x), x * (1 / (1 - layer.rate)), 0.0)


def _alpha_dropout(layer: keras.layers.AlphaDropout, x: Any, training: bool = False) -> Any:
    """Klambauer et al. 2017, section 4: a dropped unit takes SELU's limit for -∞, and an affine map
    `a x + b` gives mean 0 and deviation 1 back."""
    if not training:
        return x
    limit, rate = -1.6732632423543772 * 1.0507009873554805, layer.rate
    a = ((1 - rate) * (1 + rate * limit**2)) ** -0.5
    return a * keras.ops.where(_kept(layer, x), x, limit) - a * limit * rate
