"""Autoencoders around the hidden layers of an arm, and the encoders that are left of them.

An autoencoder learns to give back what it is given, so it needs no labels; what its encoder has
learned by then is where another network can start.
"""

from typing import Any

import keras
import numpy as np

from warmstart.config.arm import Arm
from warmstart.networks import activations, building, choices

NOISE, DECODER = "noise", "decoder"
"""Names of layers: the noise, and what the names of all decoding layers start with."""


@keras.saving.register_keras_serializable(package="warmstart")
class Noise(keras.layers.GaussianNoise):
    """Keras's GaussianNoise: in training N(0, stddev²) is added to every value, in inference
    nothing. Only its generator is named, see `activations`."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or not self.stddev:
            return inputs
        return inputs + activations.drawn("normal", inputs, 0.0, self.stddev, self.seed_generator)


class Tied(keras.layers.Layer):
    """`x (batch, units) @ kernel.T + bias`, where `kernel (features, units)` is that of `dense`: a
    decoding layer with a bias of its own and no other weights (Vincent et al. 2010, section 2.2).
    """

    def __init__(self, dense: keras.layers.Dense, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._dense = [dense]

    def build(self, input_shape: Any) -> None:
        features = self._dense[0].kernel.shape[0]
        self.bias = self.add_weight(shape=(features,), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        return keras.ops.matmul(x, keras.ops.transpose(self._dense[0].kernel)) + self.bias

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self._dense[0].kernel.shape[0])


def build(
    network: Arm, features: int, seed: int, *, noise: float, tied: bool, first: int = 1
) -> keras.Sequential:
    """The autoencoder `(batch, features) -> (batch, features)` whose encoder is the hidden layers
    of the resolved `network`, whose decoder is their mirror image and ends linearly.

    With noise it has to restore what it was given from what it sees of it: a denoising
    autoencoder (Vincent et al. 2008, "Extracting and Composing Robust Features").

    Args:
        noise: standard deviation of the noise on the input; 0: none.
        tied: whether each decoding kernel is the transpose of its encoding kernel.
        first: number of the first hidden layer, where the encoder is part of a longer one.
    """
    layers: list[keras.layers.Layer] = [keras.Input((features,), name="features")]
    if noise:
        layers.append(Noise(noise, seed=choices.layer_seed(seed, NOISE), name=NOISE))
    layers += building.build(network, features, features, seed, first).layers[:-1]
    dense = [layer for layer in layers if isinstance(layer, keras.layers.Dense)]
    widths = [features, *(layer.units for layer in dense)][:-1]
    for number, units in reversed(list(enumerate(widths, start=first))):
        name, last = f"{DECODER}_{number}", number == first
        if tied:
            layers.append(Tied(dense[number - first], name=name))
        else:
            own = choices.layer_seed(seed, name)
            kernel = (
                keras.initializers.GlorotUniform(seed=own)
                if last
                else choices.initializer(network.initializer, own).build()
            )
            layers.append(keras.layers.Dense(units, kernel_initializer=kernel, name=name))
        if not last:
            name = f"{DECODER}_activation_{number}"
            own = choices.layer_seed(seed, name)
            layers.append(choices.activation(network.activation, seed=own, name=name).build())
    return keras.Sequential(layers, name="autoencoder")


def unroll(model: keras.Sequential, below: keras.Sequential | None = None) -> keras.Sequential:
    """A plain model with the weights of `model`: no noise, no tied kernels; put between encoder
    and decoder of `below`, whose codes `model` gives back (Hinton & Salakhutdinov 2006, figure 1).
    """
    outer = below.layers if below else []
    inside = [layer for layer in model.layers if layer.name != NOISE]
    layers = [*outer[: _encoding(outer)], *inside, *outer[_encoding(outer) :]]
    return _copy(layers, (below or model).input_shape[-1], "autoencoder")


def codes(whole: keras.Sequential) -> keras.Sequential:
    """The encoder of an unrolled autoencoder: `(batch, features) -> (batch, code size)`."""
    return _copy(whole.layers[: _encoding(whole.layers)], whole.input_shape[-1], "encoder")


def encoder(whole: keras.Sequential) -> keras.Sequential:
    """The part of an unrolled autoencoder that is reused: its encoder and the first decoding layer,
    which stands for the head that replaces it."""
    return _copy(whole.layers[: _encoding(whole.layers) + 1], whole.input_shape[-1], "mlp")


def _encoding(layers: list[keras.layers.Layer]) -> int:
    """How many of `layers` encode."""
    return sum(not layer.name.startswith(DECODER) for layer in layers)


def _copy(layers: list[keras.layers.Layer], features: int, name: str) -> keras.Sequential:
    plain, weights = [], []
    for layer in layers:
        values = [np.array(value) for value in layer.get_weights()]
        if isinstance(layer, Tied):
            kernel = np.array(layer._dense[0].kernel).T
            plain.append(keras.layers.Dense(kernel.shape[1], name=layer.name))
            values = [kernel, np.array(layer.bias)]
        else:
            plain.append(layer.__class__.from_config(layer.get_config()))
        weights.append(values)
    model = keras.Sequential([keras.Input((features,), name="features"), *plain], name=name)
    for layer, values in zip(plain, weights, strict=True):
        layer.set_weights(values)
    return model


def first_filters(model: keras.Sequential) -> np.ndarray:
    """The weights of each unit of the first hidden layer: `(units, features)` float32. Those of a
    convolution stand in the middle of an image of zeros."""
    layer = next(layer for layer in model.layers if hasattr(layer, "kernel"))
    kernel = np.array(layer.kernel)
    if kernel.ndim == 2:
        return kernel.T
    side, shape = kernel.shape[0], layer.input.shape[1:]
    framed = np.zeros((kernel.shape[-1], *shape), kernel.dtype)
    top, left = ((size - side) // 2 for size in shape[:2])
    framed[:, top : top + side, left : left + side] = kernel.transpose(3, 0, 1, 2)
    return framed.reshape(len(framed), -1)
