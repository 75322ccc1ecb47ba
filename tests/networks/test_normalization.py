"""Layer, group and RMS normalization in hidden layers, and Mish, against NumPy."""

from typing import Any

import keras
import numpy as np
import pytest

from warmstart.config.arm import Arm
from warmstart.errors import InputError
from warmstart.networks import building, choices

X = np.random.default_rng(2).normal(size=(7, 5)).astype(np.float32)
EPSILON = 1e-3
"""Keras's of layer and group normalization; of RMS normalization it is 1e-6."""


def build(**given: Any) -> keras.Model:
    network = Arm.model_validate({"hidden": (8,), "activation": "linear"} | given, strict=False)
    return building.build(network.resolve(5), 5, 3, seed=1)


def layer_norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + EPSILON)


def group_norm(x: np.ndarray) -> np.ndarray:
    return layer_norm(x.reshape(len(x), 4, -1)).reshape(x.shape)


def rms_norm(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [("layer_norm", layer_norm), ("group_norm", group_norm), ("rms_norm", rms_norm)],
)
def test_against_numpy(kind: str, expected: Any, place: str) -> None:
    settings = {place: {"groups": 4}} if kind == "group_norm" else place
    model = build(activation="tanh", **{kind: settings})
    names = [layer.name for layer in model.layers]
    assert (names.index(f"{kind}_1") < names.index("activation_1")) == (place == "before")
    hidden = model.get_layer("hidden_1")
    assert hidden.use_bias == (place == "after" or kind == "rms_norm")
    x = X @ np.array(hidden.kernel)
    x = np.tanh(expected(x)) if place == "before" else expected(np.tanh(x))
    out = x @ np.array(model.get_layer("logits").kernel)
    np.testing.assert_allclose(np.array(model(X)), out, rtol=1e-3, atol=1e-4)


def test_of_feature_maps_groups_are_of_channels_at_all_places() -> None:
    network = Arm.model_validate(
        {"network": {"convolutional": {"filters": [4]}}, "group_norm": {"before": {"groups": 2}}},
        strict=False,
    ).resolve((4, 4, 1))
    model = building.build(network, 16, 3, seed=1)
    norm = model.get_layer("group_norm_1")
    maps = np.random.default_rng(3).normal(size=(3, 4, 4, 4)).astype(np.float32)
    parts = maps.reshape(3, 16, 2, 2).transpose(0, 2, 1, 3).reshape(3, 2, -1)
    expected = layer_norm(parts).reshape(3, 2, 16, 2).transpose(0, 2, 1, 3).reshape(maps.shape)
    np.testing.assert_allclose(np.array(norm(maps)), expected, rtol=1e-4, atol=1e-5)


def test_groups_divide_every_layer_or_are_refused() -> None:
    assert Arm(hidden=(12, 18), group_norm="before").resolve(5).group_norm.groups == 6
    given = {"hidden": (12, 18), "group_norm": {"before": {"groups": 4}}}
    odd = Arm.model_validate(given, strict=False)
    line = r"group_norm\.groups: expected a number that divides the units .* \(12-18\), received 4;"
    assert len(odd.conflicts()) == 1
    with pytest.raises(InputError, match=line):
        odd.resolve(5)


def test_one_normalization_in_hidden_layers() -> None:
    both = Arm(batch_norm="before", layer_norm="after")
    assert both.conflicts() == [
        "layer_norm: expected none, since hidden layers have one normalization and batch_norm is "
        "before, received after; set one of the two to none"
    ]
    assert Arm(batch_norm="input", layer_norm="after").conflicts() == []
    kept = Arm(activation="selu", rms_norm="after", self_normalize=True).conflicts()
    assert [line.split(":")[0] for line in kept] == ["rms_norm"]


def test_mish_by_its_formula() -> None:
    """x · tanh(ln(1 + eˣ)): Misra 2019, equation 1."""
    x = np.linspace(-6, 6, 41).astype(np.float32)
    layer = choices.activation(Arm(activation="mish").activation).build()
    np.testing.assert_allclose(np.array(layer(x)), x * np.tanh(np.log1p(np.exp(x))), atol=1e-6)
    assert Arm(activation="mish").resolve(5).initializer.name == "he_normal"


def test_what_is_off_is_in_no_key() -> None:
    settings = Arm().resolve(64).settings()
    new = ("layer_norm", "group_norm", "rms_norm", "schedule", "augmentation", "network")
    assert not set(new) & settings.keys()
    assert not set(new) & Arm().resolve(64).content().keys()
    assert Arm(group_norm="before").resolve(64).settings()["group_norm"] == "before(groups=5)"
