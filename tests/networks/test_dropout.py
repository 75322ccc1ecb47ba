"""What a compiled program draws for Keras's dropout layers."""

import keras
import numpy as np
import pytest

from warmstart.networks import activations

SIZE, RATE = 200_000, 0.2
ERROR = np.sqrt(RATE * (1 - RATE) / SIZE)  # of a share


def drawn(layer: keras.layers.Layer, x: np.ndarray) -> np.ndarray:
    activations.name_generators(keras.Sequential([keras.Input((SIZE,)), layer]))
    np.testing.assert_array_equal(layer(x, training=False), x)
    return np.asarray(layer(x, training=True))[0]


def test_dropout_drops_its_rate_and_scales_the_rest() -> None:
    x = np.random.default_rng(0).normal(size=(1, SIZE)).astype("float32")
    layer = keras.layers.Dropout(RATE, seed=1)
    out = drawn(layer, x)
    assert abs((out == 0).mean() - RATE) < 4 * ERROR
    np.testing.assert_allclose(out[out != 0], x[0][out != 0] / (1 - RATE), rtol=1e-6)
    again = np.asarray(layer(x, training=True))[0]
    both = ((out == 0) & (again == 0)).mean()  # independent: the square of the rate
    assert abs(both - RATE**2) < 4 * np.sqrt(RATE**2 / SIZE)


def test_alpha_dropout_keeps_mean_0_and_deviation_1() -> None:
    """Klambauer et al. 2017, section 4: dropped units take -λα, then a·x + b."""
    x = np.random.default_rng(0).normal(size=(1, SIZE)).astype("float32")
    out = drawn(keras.layers.AlphaDropout(RATE, seed=1), x)
    assert abs(out.mean()) < 4 / np.sqrt(SIZE)
    assert abs(out.std() - 1) < 4 / np.sqrt(SIZE)
    limit = -1.0507009873554805 * 1.6732632423543772
    a = (0.8 + 0.2 * 0.8 * limit**2) ** -0.5
    dropped = np.isclose(out, a * limit - a * limit * RATE, rtol=1e-6)
    assert dropped.mean() == pytest.approx(RATE, abs=4 * ERROR)
    np.testing.assert_allclose(
        out[~dropped], a * x[0][~dropped] - a * limit * RATE, rtol=1e-5, atol=1e-6
    )
