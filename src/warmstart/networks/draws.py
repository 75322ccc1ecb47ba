"""Random numbers of layers, drawn anew in every step of training.

`keras.random` leaves the choice of generator to TensorFlow, and under XLA on a CPU the code that
chooses takes 25 times as long as the drawing: here the generator is named.
"""

from typing import Any

import keras


def uniform(x: Any, low: float, high: float, seed: keras.random.SeedGenerator) -> Any:
    """U(low, high) of the shape and dtype of `x`."""
    if keras.backend.backend() != "tensorflow":
        return keras.random.uniform(keras.ops.shape(x), low, high, dtype=x.dtype, seed=seed)
    import tensorflow as tf

    return tf.random.stateless_uniform(tf.shape(x), _pair(seed), low, high, x.dtype, alg="philox")


def normal(x: Any, stddev: float, seed: keras.random.SeedGenerator) -> Any:
    """N(0, stddev²) of the shape and dtype of `x`."""
    if keras.backend.backend() != "tensorflow":
        return keras.random.normal(keras.ops.shape(x), 0.0, stddev, dtype=x.dtype, seed=seed)
    import tensorflow as tf

    return tf.random.stateless_normal(tf.shape(x), _pair(seed), 0.0, stddev, x.dtype, alg="philox")


def _pair(seed: keras.random.SeedGenerator) -> Any:
    return keras.ops.cast(seed.next(), "int32")
