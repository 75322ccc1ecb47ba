"""Convolutional and residual networks: their layers, and what they compute, against NumPy."""

from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from warmstart.config.arm import Arm
from warmstart.errors import InputError
from warmstart.networks import building, saving, transfer
from warmstart.networks.stack import Stack
from warmstart.seeds import derive

SHAPE, CLASSES = (6, 8, 2), 3
FEATURES = 6 * 8 * 2
X = np.random.default_rng(3).normal(size=(5, FEATURES)).astype(np.float32)


def arm(network: Any, **given: Any) -> Arm:
    return Arm.model_validate({"network": network} | given, strict=False).resolve(SHAPE)


def build(network: Any, **given: Any) -> keras.Model:
    return building.build(arm(network, **given), FEATURES, CLASSES, seed=3)


def convolve(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, strides: int = 1) -> np.ndarray:
    """Zero padding as TensorFlow's "same": of an odd sum the larger half comes last."""
    side = kernel.shape[0]
    height, width = (-(-size // strides) for size in x.shape[1:3])
    pads = [
        max(0, (out - 1) * strides + side - size)
        for out, size in zip((height, width), x.shape[1:3], strict=True)
    ]
    padded = np.pad(x, [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads), (0, 0)])
    made = np.empty((len(x), height, width, kernel.shape[-1]))
    for i, j in product(range(height), range(width)):
        top, left = i * strides, j * strides
        patch = padded[:, top : top + side, left : left + side]
        made[:, i, j] = np.tensordot(patch, kernel, 3) + bias
    return made


def pooled(x: np.ndarray) -> np.ndarray:
    height, width = x.shape[1] // 2, x.shape[2] // 2
    cut = x[:, : 2 * height, : 2 * width]
    return cut.reshape(len(x), height, 2, width, 2, -1).max(axis=(2, 4))


def weights(model: keras.Model, name: str) -> tuple[np.ndarray, np.ndarray]:
    kernel, bias = model.get_layer(name).get_weights()
    rng = np.random.default_rng(len(name))
    bias = rng.normal(size=bias.shape).astype(np.float32)  # where they start they are zero
    model.get_layer(name).set_weights([kernel, bias])
    return kernel, bias


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def test_convolutions_against_numpy() -> None:
    model = build({"convolutional": {"filters": [4, 5], "convolutions": 2}}, hidden=(7,))
    x = X.reshape(-1, *SHAPE)
    for number in range(1, 5):
        x = relu(convolve(x, *weights(model, f"hidden_{number}")))
        x = x if number % 2 else pooled(x)
    assert x.shape[1:] == (1, 2, 5)
    kernel, bias = weights(model, "hidden_5")
    x = relu(x.reshape(len(x), -1) @ kernel + bias)
    kernel, bias = weights(model, "logits")
    expected = x @ kernel + bias
    np.testing.assert_allclose(np.array(model(X)), expected, rtol=1e-4, atol=1e-5)


def test_residual_blocks_against_numpy() -> None:
    model = build({"residual": {"filters": [4, 5]}})
    x = relu(convolve(X.reshape(-1, *SHAPE), *weights(model, "hidden_1")))
    inner = relu(convolve(x, *weights(model, "hidden_2")))
    x = relu(x + convolve(inner, *weights(model, "hidden_3")))
    inner = relu(convolve(x, *weights(model, "hidden_4"), strides=2))
    short = convolve(x, *weights(model, "shortcut_5"), strides=2)
    x = relu(short + convolve(inner, *weights(model, "hidden_5")))
    kernel, bias = weights(model, "logits")
    expected = x.mean(axis=(1, 2)) @ kernel + bias
    np.testing.assert_allclose(np.array(model(X)), expected, rtol=1e-4, atol=1e-5)


def test_sizes_are_those_of_keras() -> None:
    for network in (
        {"convolutional": {"filters": [4, 5], "convolutions": 2, "kernel": 5}},
        {"residual": {"filters": [4, 5, 6], "blocks": 2}},
    ):
        made, model = arm(network, hidden=(7,)), build(network, hidden=(7,))
        layers = [model.get_layer(f"hidden_{n + 1}") for n in range(len(made.network.layers))]
        assert made.network.maps == (SHAPE, *(layer.output.shape[1:] for layer in layers))
        assert made.network.weights == sum(int(np.prod(layer.kernel.shape)) for layer in layers)
        dense = model.get_layer(f"hidden_{len(layers) + 1}")
        assert made.network.flat(FEATURES) == dense.kernel.shape[0]


def test_the_scale_of_kernels_is_by_the_fans_of_a_convolution() -> None:
    """fan_in of He's is 3 · 3 · channels; n values scatter by std / sqrt(2n)."""
    model = build({"convolutional": {"filters": [64, 64]}}, initializer="he_normal")
    kernel = np.array(model.get_layer("hidden_2").kernel)
    expected = np.sqrt(2 / (9 * 64))
    assert kernel.std() == pytest.approx(expected, rel=5 / np.sqrt(2 * kernel.size))


def test_every_kernel_is_its_own() -> None:
    model = build({"residual": {"filters": [4], "blocks": 2}})
    kernels = [np.array(model.get_layer(f"hidden_{n}").kernel) for n in (2, 3, 4, 5)]
    assert len({kernel.tobytes() for kernel in kernels}) == 4


@pytest.mark.parametrize("place", ["before", "after"])
def test_normalization_stands_before_or_after_activations(place: str) -> None:
    model = build({"residual": {"filters": [4, 5]}}, batch_norm=place, dropout=0.1)
    names = [layer.name for layer in model.layers]
    where = {name: names.index(name) for name in names}
    for number in range(1, 6):
        norm, activation = where[f"batch_norm_{number}"], where[f"activation_{number}"]
        assert (norm < activation) == (place == "before")
        assert model.get_layer(f"hidden_{number}").use_bias == (place == "after")
        assert where[f"dropout_{number}"] > max(norm, activation)
    assert ("batch_norm_shortcut_5" in names) == (place == "before")
    assert where["batch_norm_3"] < where["add_3"] or place == "after"


def test_auto_fits_the_data() -> None:
    def names(*shape: int, **given: Any) -> tuple[str, object]:
        resolved = Arm.model_validate(given, strict=False).resolve(shape)
        return resolved.network.name, resolved.hidden

    assert names(8, 8, 1) == ("dense", (100, 50, 50, 50, 50))
    assert names(28, 28, 1) == ("convolutional", (64,))
    assert names(784) == ("dense", (300, 100, 50, 50, 50))
    assert names(28, 28, 1, hidden=(9,)) == ("dense", (9,))
    assert names(28, 28, 1, skip_connections=True)[0] == "dense"
    assert names(28, 28, 1, network="dense") == ("dense", (300, 100, 50, 50, 50))
    assert names(8, 8, 1, network="residual") == ("residual", ())
    assert Arm(network="convolutional").resolve((8, 8, 1)).network.filters == (16, 32)
    assert Arm(network="convolutional").resolve((32, 32, 3)).network.filters == (32, 64, 64)


def test_both_ways_to_write_it() -> None:
    assert arm({"kind": "residual", "blocks": 2}) == arm({"residual": {"blocks": 2}})
    assert arm({"residual": {"blocks": 2}}).settings()["network"] == (
        "residual(filters=16-32, kernel=3, blocks=2)"
    )


def test_what_is_no_image_is_refused_with_its_place() -> None:
    with pytest.raises(InputError, match=r"^compare\.base\.network: expected dense or auto, since"):
        Arm(network="convolutional").resolve(64, "compare.base")
    four = {"network": {"convolutional": {"filters": [4, 4, 4, 4]}}}
    with pytest.raises(InputError, match=r"^network.filters: expected at most 3 for images of 8 ×"):
        Arm.model_validate(four, strict=False).resolve((8, 9, 1))
    Arm.model_validate(four, strict=False).resolve((16, 16, 1))


def test_keys_of_dense_networks_stay() -> None:
    assert "network" not in Arm(network="dense").resolve(64).content()
    assert "network" not in Arm().resolve(64).settings()
    kinds = (arm("convolutional"), arm("residual"), arm({"convolutional": {"pooling": "average"}}))
    assert len({str(one.content()) for one in kinds}) == 3


def test_saving_and_starting_on_one(tmp_path: Path) -> None:
    for network, blocks in (
        ({"convolutional": {"filters": [4, 5]}}, ["image", "hidden_2", "hidden_3"]),
        ({"residual": {"filters": [4, 5]}}, ["image", "hidden_2", "hidden_4", "hidden_6"]),
    ):
        model = building.compile_for_use(build(network, hidden=(7,), batch_norm="before"))
        path = tmp_path / "a.keras"
        saving.save(model, path)
        stack, source = Stack.read(path), transfer.load(path)
        assert [block[0] for block in stack.blocks] == blocks
        np.testing.assert_array_equal(np.array(source(X)), np.array(model(X)))
        grafted = transfer.graft(source, FEATURES, 2, seed=derive(1, "b"))
        kernel = grafted.get_layer("hidden_2").kernel
        kernel.assign(np.zeros(kernel.shape))
        copied = stack.blocks[0] + stack.blocks[1]
        rest = tuple(name for block in stack.blocks[2:] for name in block)
        transfer.copy(source, grafted, copied, (*rest, stack.head))
        copy = model.get_layer("hidden_2").kernel
        np.testing.assert_array_equal(np.array(kernel), np.array(copy))
        assert grafted.output_shape == (None, 2)
        saving.save(building.compile_for_use(saving.portable(saving.load(path))), path)


def test_a_users_convolutional_network_takes_flat_features(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(4, 3, activation="relu", name="first"),
            keras.layers.Flatten(),
            keras.layers.Dense(4, name="out"),
        ]
    )
    model.save(tmp_path / "a.keras")
    assert Stack.read(tmp_path / "a.keras").blocks[0][:2] == ("image", "first")
    loaded = transfer.load(tmp_path / "a.keras")
    expected = np.array(model(X.reshape(-1, *SHAPE)))
    np.testing.assert_array_equal(np.array(loaded(X)), expected)
