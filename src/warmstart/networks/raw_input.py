"""A trained network that takes samples as they came."""

from pathlib import Path

import keras
import numpy as np

from warmstart.networks import activations, mlp


def load(
    path: Path, feature_shape: tuple[int, ...], mean: np.ndarray, scale: np.ndarray
) -> keras.Sequential:
    """The network in the `.keras` file `path`, which takes standardized `(batch, features)`, behind
    layers that flatten and standardize `(batch, *feature_shape)`.

    It is compiled with the file's optimizer, which remembers nothing of its training.

    Args:
        path: of a compiled `Sequential` model.
        feature_shape: of one raw sample.
        mean, scale: `(features,)` float: the value of a feature is standardized to
            `(value - mean) / scale`.
    """
    model = keras.models.load_model(path, safe_mode=True)
    layers = [
        keras.Input(feature_shape, name="raw"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Normalization(mean=mean, variance=scale**2, name="standardize"),
        *model.layers,
    ]
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    return mlp.compile_for_use(keras.Sequential(layers, name="mlp"), optimizer)


def portable(model: keras.Sequential) -> keras.Sequential:
    """`model` with the same predictions and none but Keras's own layers, for programs without this
    package: RReLU, which has a fixed slope outside training, as a LeakyReLU of that slope."""
    layers = [
        keras.layers.LeakyReLU(negative_slope=(layer.lower + layer.upper) / 2, name=layer.name)
        if isinstance(layer, activations.RReLU)
        else layer
        for layer in model.layers
    ]
    inputs = keras.Input(model.input_shape[1:], name="raw")
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    return mlp.compile_for_use(keras.Sequential([inputs, *layers], name="mlp"), optimizer)
