"""Reuse a pretrained model's layers: copied, never shared."""

from pathlib import Path

import keras

from warmstart.errors import InputError
from warmstart.networks import activations, mlp  # noqa: F401  (registers RReLU for loading)


def load(path: Path) -> keras.Sequential:
    """A pretrained stack from a `.keras` file, in Keras's safe mode.

    Raises:
        InputError: if it is not a Sequential stack that ends in a Dense layer.
    """
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    if not isinstance(model, keras.Sequential) or not isinstance(
        model.layers[-1], keras.layers.Dense
    ):
        kinds = ", ".join(type(layer).__name__ for layer in model.layers[-3:])
        raise InputError(
            f"{path}: expected a Sequential model that ends in a Dense layer, "
            f"received {type(model).__name__} ending in {kinds}; pretrain such a model"
        )
    return model


def graft(
    source: keras.Sequential, features: int, classes: int, seed: int
) -> tuple[keras.Sequential, tuple[str, ...]]:
    """A new model on copies of all layers of `source` but the last, with a fresh head.

    `Sequential(source.layers[:-1] + …)` would share the layers, so that training B changes A;
    `clone_model` alone would copy the architecture and not the weights.

    Returns:
        The model, every layer trainable, and the names of the copied layers.

    Raises:
        InputError: if `source` takes inputs of another size.
    """
    if source.input_shape[-1] != features:
        raise InputError(
            f"model to reuse: expected input (batch, {features}) as the data have, "
            f"received input {source.input_shape}; pretrain on the same features"
        )
    layers = [layer.__class__.from_config(layer.get_config()) for layer in source.layers[:-1]]
    inputs = keras.Input((features,), name="features")
    model = keras.Sequential([inputs, *layers, mlp.head(classes, seed)], name="mlp")
    for copy, layer in zip(layers, source.layers, strict=False):
        copy.set_weights(layer.get_weights())
        copy.trainable = True
    return model, tuple(layer.name for layer in layers)


def set_frozen(model: keras.Sequential, names: tuple[str, ...], frozen: bool) -> None:
    """Freeze or thaw the layers `names`. What was traced or compiled before keeps the old state:
    build the program (or `compile`) again after this."""
    for name in names:
        model.get_layer(name).trainable = not frozen
