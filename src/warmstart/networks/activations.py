"""Layers that draw anew in every step of training: RReLU, which Keras 3 lacks, and how a compiled
program draws for Keras's dropout.

`keras.random` leaves the choice of generator to TensorFlow, and under XLA on a CPU the code that
chooses takes 25 times as long as the drawing: here the generator is named.
"""

from functools import partial
from typing import Any, Literal

import keras


def drawn(
    kind: Literal["uniform", "normal"], x: Any, a: float, b: float, seed: keras.random.SeedGenerator
) -> Any:
    """U(a, b), or N(a, b²) with mean a and standard deviation b, in the shape and dtype of `x`."""
    if keras.backend.backend() != "tensorflow":
        return getattr(keras.random, kind)(keras.ops.shape(x), a, b, dtype=x.dtype, seed=seed)
    import tensorflow as tf

    pair = keras.ops.cast(seed.next(), "int32")
    return getattr(tf.random, f"stateless_{kind}")(tf.shape(x), pair, a, b, x.dtype, alg="philox")


@keras.saving.register_keras_serializable(package="warmstart")
class RReLU(keras.layers.Layer):
    """Randomized leaky ReLU (Xu et al. 2015, "Empirical Evaluation of Rectified Activations").

    `x` where `x >= 0`, else `slope * x`. In training the slope of every element is drawn anew from
    U(lower, upper); in inference it is the mean, (lower + upper) / 2. Shape and dtype stay.
    """

    def __init__(
        self, lower: float = 1 / 8, upper: float = 1 / 3, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.lower, self.upper, self.seed = lower, upper, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        slope: Any = (self.lower + self.upper) / 2
        if training:
            slope = drawn("uniform", x, self.lower, self.upper, self.seed_generator)
        return keras.ops.where(x >= 0, x, slope * x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"lower": self.lower, "upper": self.upper, "seed": self.seed}
        return {**super().get_config(), **own}


def name_generators(model: keras.Model) -> None:
    """Have the dropout layers of `model` draw the same numbers from a generator that they name.

    With the generator that TensorFlow chooses, an epoch with dropout takes ten times as long under
    XLA on a CPU. Only compiled programs are changed: a saved model holds Keras's layers as they
    are. On JAX Keras draws fast by itself.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.call = partial(_dropout, layer)
        elif isinstance(layer, keras.layers.AlphaDropout):
            layer.call = partial(_alpha_dropout, layer)


def _kept(layer: Any, x: Any) -> Any:
    return drawn("uniform", x, 0.0, 1.0, layer.seed_generator) >= layer.rate


def _dropout(layer: keras.layers.Dropout, x: Any, training: bool = False) -> Any:
    """`x / (1 - rate)` where it is kept, else 0."""
    if not training:
        return x
    return keras.ops.where(_kept(layer, x), x * (1 / (1 - layer.rate)), 0.0)


def _alpha_dropout(layer: keras.layers.AlphaDropout, x: Any, training: bool = False) -> Any:
    """A dropped unit takes SELU's limit for -∞, and an affine map `a x + b` gives mean 0 and
    deviation 1 back (Klambauer et al. 2017, section 4)."""
    if not training:
        return x
    limit, rate = -1.6732632423543772 * 1.0507009873554805, layer.rate
    a = ((1 - rate) * (1 + rate * limit**2)) ** -0.5
    return a * keras.ops.where(_kept(layer, x), x, limit) - a * limit * rate
