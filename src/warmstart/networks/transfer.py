"""Reuse a pretrained model's layers: copied, never shared."""

import math
from collections.abc import Sequence
from itertools import dropwhile
from pathlib import Path

import keras

from warmstart.errors import InputError
from warmstart.networks import choices, saving
from warmstart.networks.stack import IMAGE, PREPROCESSING, Stack


def load(path: Path) -> keras.Model:
    """A pretrained stack from a `.keras` file, in Keras's safe mode, that takes `(batch, features)`
    and has none of the layers before it that take raw samples.

    Raises:
        InputError: as `Stack.read`, and if Keras refuses a layer: code of its own, or unknown.
    """
    Stack.read(path)
    model = saving.foreign(path)
    if not isinstance(model, keras.Sequential):
        return model
    layers = list(dropwhile(lambda layer: type(layer).__name__ in PREPROCESSING, model.layers))
    if len(layers[0].input.shape) == 4:
        layers.insert(0, keras.layers.Reshape(layers[0].input.shape[1:], name=IMAGE))
    elif len(layers) == len(model.layers):
        return model
    return keras.Sequential([keras.Input((math.prod(model.input_shape[1:]),)), *layers])


def graft(source: keras.Model, features: int, outputs: int, seed: int) -> keras.Model:
    """A new model of the same layers as `source`, which `load` gave, all fresh, but with a head of
    so many `outputs`.

    `Sequential(source.layers[:-1] + …)` would share the layers, so that training B changes A.

    Raises:
        InputError: if `source` takes inputs of another size.
    """
    if source.input_shape[-1] != features:
        raise InputError(
            f"model to reuse: expected input (batch, {features}) as the data have, "
            f"received input {source.input_shape}; pretrain on the same features"
        )
    head = choices.head(outputs, seed).build()
    if not isinstance(source, keras.Sequential):
        hidden = keras.models.clone_model(keras.Model(source.input, source.layers[-1].input))
        hidden.trainable = True
        return keras.Model(hidden.input, head(hidden.output), name=source.name)
    layers = [layer.__class__.from_config(layer.get_config()) for layer in source.layers[:-1]]
    for layer in layers:
        layer.trainable = True
    inputs = keras.Input((features,), name="features")
    return keras.Sequential([inputs, *layers, head], name="mlp")


def copy(
    source: keras.Model,
    model: keras.Model,
    copied: Sequence[str],
    not_copied: Sequence[str],
) -> None:
    """Give the layers `copied` of `model`, which is a graft of `source`, their weights in it.

    Raises:
        ValueError: unless `copied` and `not_copied` are all layers of `source`, each once.
    """
    inputs = keras.layers.InputLayer
    layers = [layer.name for layer in source.layers if not isinstance(layer, inputs)]
    if sorted([*copied, *not_copied]) != sorted(layers):
        raise ValueError(
            f"layers to reuse: expected each of {', '.join(layers)} as copied or not copied, "
            f"received copied: {', '.join(copied) or 'none'}; "
            f"not copied: {', '.join(not_copied) or 'none'}"
        )
    for name in copied:
        model.get_layer(name).set_weights(source.get_layer(name).get_weights())
