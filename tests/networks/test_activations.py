"""RReLU is ours; SELU's thousand layers are the chapter's."""

import keras
import numpy as np
import pytest

from warmstart.config.parts import Activation, Initializer
from warmstart.networks import choices
from warmstart.networks.activations import RReLU

X = np.linspace(-3, 3, 4001, dtype="float32").reshape(1, -1)


def test_rrelu_draws_a_slope_per_element_in_training() -> None:
    layer = RReLU(lower=0.1, upper=0.3, seed=3)
    out = np.asarray(layer(X, training=True))
    slopes = (out / np.where(X == 0, 1, X))[X < 0]
    assert slopes.min() >= 0.1 - 1e-6
    assert slopes.max() <= 0.3 + 1e-6
    # uniform: mean 0.2 and variance 0.2²/12, each within 4 standard errors of 2,000 draws
    assert abs(slopes.mean() - 0.2) < 4 * 0.2 / np.sqrt(12 * slopes.size)
    assert abs(slopes.var() - 0.2**2 / 12) < 4 * 0.2**2 * np.sqrt(1 / 180 / slopes.size)
    np.testing.assert_array_equal(out[X >= 0], X[X >= 0])
    again = np.asarray(layer(X, training=True))
    assert (again != out)[X < 0].mean() > 0.99


def test_rrelu_uses_the_mean_slope_in_inference() -> None:
    out = np.asarray(RReLU(lower=0.1, upper=0.3, seed=3)(X, training=False))
    np.testing.assert_allclose(out, np.where(X >= 0, X, 0.2 * X), rtol=1e-6)


def test_rrelu_of_equal_bounds_is_leaky_relu() -> None:
    leaky = keras.layers.LeakyReLU(negative_slope=0.25)
    out = RReLU(lower=0.25, upper=0.25, seed=3)(X, training=True)
    np.testing.assert_allclose(np.asarray(out), np.asarray(leaky(X)), rtol=1e-6)


def test_rrelu_survives_saving(tmp_path) -> None:
    model = keras.Sequential([keras.Input((4,)), RReLU(0.2, 0.4, seed=5), keras.layers.Dense(2)])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    x = X[:, :4].repeat(3, 0)
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(loaded(x)))
    assert (loaded.layers[0].lower, loaded.layers[0].upper) == (0.2, 0.4)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Activation(name="leaky_relu", negative_slope=0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
        (Activation(name="elu", alpha=2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(x))),
        (
            Activation(name="selu"),
            lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
        ),
        (Activation(name="silu"), lambda x: x / (1 + np.exp(-x))),
        (Activation(name="relu"), lambda x: np.maximum(x, 0)),
        (Activation(name="prelu"), lambda x: np.maximum(x, 0)),  # its slopes start at 0
        (Activation(name="tanh"), np.tanh),
        (Activation(name="sigmoid"), lambda x: 1 / (1 + np.exp(-x))),
    ],
    ids=lambda value: str(value) if isinstance(value, Activation) else "",
)
def test_formula(choice: Activation, expected) -> None:
    out = np.asarray(choices.activation(choice, seed=0, name="a").build()(X))
    np.testing.assert_allclose(out, expected(X.astype("float64")), rtol=2e-5, atol=1e-6)


def a_thousand_layers(initializer: str) -> np.ndarray:
    """Standardized input through 1,000 SELU layers of 100 units -> the last activations."""
    z = np.random.default_rng(0).normal(size=(500, 100)).astype("float32")
    for layer in range(1000):
        kernel = choices.initializer(Initializer(name=initializer), seed=layer).build()((100, 100))
        with np.errstate(over="ignore"):
            z = np.asarray(keras.activations.selu(z @ np.asarray(kernel)))
        if not np.isfinite(z).all():
            break
    return z


def test_a_thousand_selu_layers_keep_mean_0_and_deviation_1() -> None:
    z = a_thousand_layers("lecun_normal")
    assert abs(z.mean()) < 0.1
    assert abs(z.std() - 1) < 0.1


def test_a_thousand_selu_layers_of_he_weights_do_not() -> None:
    z = a_thousand_layers("he_normal")
    assert not np.isfinite(z).all() or abs(z.std() - 1) > 0.3
