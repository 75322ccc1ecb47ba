"""A network with skip connections is a functional Keras model of Keras's own layers."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from warmstart.config.arm import Arm
from warmstart.config.parts import Activation
from warmstart.networks import building, saving
from warmstart.networks.stack import Stack

FEATURES, CLASSES = 8, 3
X = np.random.default_rng(0).normal(size=(20, FEATURES)).astype("float32")
# the input is as wide as the first two hidden layers, which changes nothing for the first
HIDDEN = (8, 8, 5, 5, 5)


def build(**changes: Any) -> keras.Model:
    network = Arm(hidden=HIDDEN, skip_connections=True, **changes)
    return building.build(network.resolve(FEATURES), FEATURES, CLASSES, seed=3)


def selu(z: np.ndarray) -> np.ndarray:
    """Klambauer et al. 2017, equation 2."""
    return 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))


def by_hand(weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Logits: the second, fourth and fifth of `HIDDEN` are as wide as the one before."""
    (w1, b1, w2, b2, w3, b3, w4, b4, w5, b5, w6, b6) = [w.astype("float64") for w in weights]
    h1 = selu(x @ w1 + b1)
    h2 = selu(h1 @ w2 + b2) + h1
    h3 = selu(h2 @ w3 + b3)
    h4 = selu(h3 @ w4 + b4) + h3
    h5 = selu(h4 @ w5 + b5) + h4
    return h5 @ w6 + b6


def test_layers_as_wide_as_the_one_before_add_their_input() -> None:
    model = build(activation=Activation(name="selu"))
    draw = np.random.default_rng(1)
    model.set_weights([draw.normal(size=w.shape) * 0.5 for w in model.get_weights()])
    expected = by_hand(model.get_weights(), X)
    np.testing.assert_allclose(np.array(model(X)), expected, rtol=1e-4, atol=1e-4)
    added = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Add)]
    assert added == ["skip_2", "skip_4", "skip_5"]


@pytest.mark.parametrize(
    ("changes", "block"),
    [
        ({"batch_norm": "before", "dropout": 0.1}, "Dense BatchNormalization Activation Dropout"),
        ({"batch_norm": "input+after"}, "Dense Activation BatchNormalization"),
        ({"alpha_dropout": 0.1}, "Dense Activation AlphaDropout"),
    ],
)
def test_the_sum_comes_last_in_its_layer(changes: dict[str, Any], block: str) -> None:
    model = build(**changes)
    kinds = " ".join(type(layer).__name__ for layer in model.layers)
    on_input = "BatchNormalization " if "input" in changes.get("batch_norm", "") else ""
    skipped = f"{block} Add"
    hidden = " ".join([block, skipped, block, skipped, skipped])
    assert kinds == f"InputLayer {on_input}{hidden} Dense"


def test_without_it_or_without_equal_widths_the_network_is_sequential() -> None:
    plain = Arm(hidden=HIDDEN).resolve(FEATURES)
    assert isinstance(building.build(plain, FEATURES, CLASSES, seed=3), keras.Sequential)
    assert Arm(skip_connections=True).resolve(784).skips == (4, 5)  # 300-100-50-50-50
    assert Arm(skip_connections=True).resolve(64).skips == (3, 4, 5)  # 100-50-50-50-50
    assert plain.skips == ()


def test_they_change_no_weight_and_no_seed() -> None:
    """Against the same network without: every layer draws from a stream under its own name."""
    plain = building.build(Arm(hidden=HIDDEN).resolve(FEATURES), FEATURES, CLASSES, seed=3)
    for ours, theirs in zip(build().get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_saved_one_is_keras_own_and_takes_raw_samples(tmp_path: Path) -> None:
    """Also with RReLU, which is no layer of Keras's until the model is made portable."""
    model = building.compile_for_use(build(activation=Activation(name="rrelu"), batch_norm="after"))
    for _ in range(3):
        model(X, training=True)  # moves the statistics
    for name in ("one", "two"):
        saving.save(model, tmp_path / f"{name}.keras")
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()
    expected = np.array(model(X, training=False))
    loaded = saving.load(tmp_path / "one.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)
    portable = saving.portable(loaded)
    saving.save(portable, tmp_path / "portable.keras")
    again = keras.models.load_model(tmp_path / "portable.keras", safe_mode=True)
    for made in (portable, again):
        assert {type(layer).__module__.split(".")[0] for layer in made.layers} == {"keras"}
        np.testing.assert_allclose(made.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)
    labels = expected.argmax(axis=1)
    assert again.evaluate(X, labels, verbose=0)[1] == 1


def test_a_block_that_is_skipped_is_one_block(tmp_path: Path) -> None:
    saving.save(building.compile_for_use(build()), tmp_path / "a.keras")
    blocks = Stack.read(tmp_path / "a.keras").blocks
    assert [block[0] for block in blocks] == [f"hidden_{n}" for n in range(1, len(HIDDEN) + 1)]
    assert "skip_2" in blocks[1]
