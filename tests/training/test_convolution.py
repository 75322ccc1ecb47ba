"""Convolutions and pooling by patches compute what Keras's layers compute, gradients included."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from warmstart.training import backends, convolution

Layer = keras.layers.Layer
CONVOLUTIONS = {
    "3 x 3, same": {"kernel_size": 3, "padding": "same"},
    "3 x 3, valid": {"kernel_size": 3, "padding": "valid"},
    "5 x 5, stride 2, same": {"kernel_size": 5, "strides": 2, "padding": "same"},
    "3 x 3, stride 2, valid": {"kernel_size": 3, "strides": 2, "padding": "valid"},
    "1 x 1": {"kernel_size": 1},
    "1 x 1, stride 2": {"kernel_size": 1, "strides": 2, "padding": "same"},
    "2 x 3, stride 1 x 2": {"kernel_size": (2, 3), "strides": (1, 2), "padding": "same"},
    "no bias, with activation": {"kernel_size": 3, "use_bias": False, "activation": "tanh"},
}
POOLS = {
    "2 x 2": {"pool_size": 2},
    "2 x 2, same": {"pool_size": 2, "padding": "same"},
    "3 x 3, stride 2": {"pool_size": 3, "strides": 2},
    "3 x 3, stride 2, same": {"pool_size": 3, "strides": 2, "padding": "same"},
    "2 x 3, same": {"pool_size": (2, 3), "padding": "same"},
    "2 x 2, stride 3": {"pool_size": 2, "strides": 3},
}


@pytest.fixture(autouse=True)
def by_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the backend that needs them."""
    monkeypatch.setattr(backends.current(), "by_patches", lambda: True)


def built(layer: Layer, shape: tuple[int, ...], seed: int = 1) -> keras.Model:
    """`layer` alone, its weights drawn: biases, too."""
    model = keras.Sequential([keras.Input(shape), layer])
    draw = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(draw.normal(size=weight.shape))
    return model


def computed(model: keras.Model, x: np.ndarray) -> list[np.ndarray]:
    """What `model` puts out for `x`, and the gradients of the sum of `output · (1, 2, 3, …)` with
    respect to `x` and its weights."""
    variable = keras.Variable(x, dtype="float32")
    tape = backends.current().Tape([variable, *model.variables])

    def loss() -> tuple[Any, Any]:
        outputs = model(keras.ops.copy(variable), training=True)
        factors = np.arange(np.prod(outputs.shape), dtype="float32") / np.prod(outputs.shape)
        return keras.ops.sum(outputs * factors.reshape(outputs.shape)), outputs

    (_, outputs), gradients = tape.value_and_gradients(loss, [variable, *model.weights])
    return [np.array(values) for values in (outputs, *gradients)]


def both(make: Callable[[], Layer], x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(ours, Keras's) of all that is `computed`."""
    keras_s, ours = built(make(), x.shape[1:]), built(make(), x.shape[1:])
    convolution.unfold(ours)
    return list(zip(computed(ours, x), computed(keras_s, x), strict=True))


@pytest.mark.parametrize("size", [(6, 6), (7, 9)])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions_equal_kerass(case: str, size: tuple[int, int]) -> None:
    x = np.random.default_rng(2).normal(size=(3, *size, 2)).astype("float32")
    for ours, keras_s in both(lambda: keras.layers.Conv2D(4, **CONVOLUTIONS[case]), x):
        assert np.abs(keras_s).max() > 0
        np.testing.assert_allclose(ours, keras_s, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(6, 6), (7, 9)])
@pytest.mark.parametrize("case", POOLS)
@pytest.mark.parametrize("kind", [keras.layers.MaxPooling2D, keras.layers.AveragePooling2D])
def test_pooling_equals_kerass(kind: type, case: str, size: tuple[int, int]) -> None:
    """Of three values, so that most windows have several largest ones."""
    x = np.random.default_rng(2).integers(-3, 0, (3, *size, 2)).astype("float32")
    for ours, keras_s in both(lambda: kind(**POOLS[case]), x):
        np.testing.assert_allclose(ours, keras_s, rtol=1e-6, atol=1e-6)


def test_of_equal_pixels_the_first_gets_the_gradient() -> None:
    """Against a loop in NumPy."""
    x = np.random.default_rng(3).integers(0, 2, (2, 4, 6, 3)).astype("float32")
    model = built(keras.layers.MaxPooling2D(2), x.shape[1:])
    convolution.unfold(model)
    outputs, gradient = computed(model, x)
    factors = (np.arange(outputs.size, dtype="float32") / outputs.size).reshape(outputs.shape)
    expected = np.zeros_like(x)
    for n, i, j, c in np.ndindex(outputs.shape):
        window = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        row, column = divmod(int(window.argmax()), 2)  # of several the first
        expected[n, 2 * i + row, 2 * j + column, c] = factors[n, i, j, c]
        assert outputs[n, i, j, c] == window.max()
    np.testing.assert_array_equal(gradient, expected)


def test_a_value_that_is_not_finite_is_not_lost() -> None:
    x = np.zeros((1, 4, 4, 1), "float32")
    x[0, 0, 1] = np.nan
    model = built(keras.layers.MaxPooling2D(2), x.shape[1:])
    convolution.unfold(model)
    np.testing.assert_array_equal(np.isnan(computed(model, x)[0]).ravel(), [1, 0, 0, 0])


@pytest.mark.parametrize("settings", [{"groups": 2}, {"dilation_rate": 2}])
def test_grouped_and_dilated_convolutions_stay_kerass(settings: dict[str, int]) -> None:
    layer = keras.layers.Conv2D(4, 3, **settings)
    convolution.unfold(built(layer, (6, 6, 2)))
    assert "convolution_op" not in vars(layer)


def test_layers_of_a_model_within_the_model_count() -> None:
    inner = built(keras.layers.Conv2D(4, 3), (6, 6, 2))
    convolution.unfold(keras.Sequential([keras.Input((6, 6, 2)), inner]))
    assert "convolution_op" in vars(inner.layers[0])


def test_where_they_are_not_needed_keras_own_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends.current(), "by_patches", lambda: False)
    layers = [keras.layers.Conv2D(4, 3), keras.layers.MaxPooling2D(2)]
    convolution.unfold(keras.Sequential([keras.Input((6, 6, 2)), *layers]))
    assert not any({"convolution_op", "call"} & set(vars(layer)) for layer in layers)


def test_outputs_in_pieces_are_those_of_the_whole() -> None:
    model = built(keras.layers.Conv2D(4, 3), (6, 6, 2))
    x = np.random.default_rng(2).normal(size=(11, 6, 6, 2)).astype("float32")
    pieces = convolution.outputs(model, x, size=4)
    np.testing.assert_allclose(np.array(pieces), np.array(model(x)), rtol=1e-6, atol=1e-6)
