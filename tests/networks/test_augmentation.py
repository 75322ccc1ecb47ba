"""Shifts, flips and crops against NumPy on the same draws, and how they are distributed."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from warmstart.config.arm import Arm
from warmstart.config.augmentation import Augmentation
from warmstart.errors import InputError
from warmstart.networks import building, saving, transfer
from warmstart.networks.activations import drawn
from warmstart.networks.augmentation import DRAWS, Augment, enlarging
from warmstart.networks.stack import Stack

IMAGE = (6, 5, 2)
X = np.random.default_rng(1).normal(size=(300, *IMAGE)).astype("float32")


def draws_of(seed: int, count: int = len(X)) -> np.ndarray:
    """The first that a layer of `seed` makes, (count, DRAWS)."""
    like = keras.ops.zeros((count, DRAWS))
    return np.array(drawn("uniform", like, 0.0, 1.0, keras.random.SeedGenerator(seed)))


def by_hand(x: np.ndarray, draws: np.ndarray, shift: int, flip: bool, crop: int) -> np.ndarray:
    """One image (height, width, channels) after another, pixel by pixel."""
    height, width, _ = x.shape
    if shift:
        up, left = (int(draw * (2 * shift + 1)) - shift for draw in draws[:2])
        moved = np.zeros_like(x)
        for i, j in np.ndindex(height, width):
            if 0 <= i + up < height and 0 <= j + left < width:
                moved[i, j] = x[i + up, j + left]
        x = moved
    if flip and draws[2] < 0.5:
        x = x[:, ::-1]
    if crop:
        top, left = (int(draw * (crop + 1)) for draw in draws[3:5])
        cut = x[top : top + height - crop, left : left + width - crop]
        x = np.array(keras.ops.image.resize(cut, (height, width), data_format="channels_last"))
    return x


@pytest.mark.parametrize(
    ("shift", "flip", "crop"),
    [(2, False, 0), (0, True, 0), (0, False, 2), (1, True, 3)],
)
@pytest.mark.parametrize("flat", [False, True])
def test_each_image_is_changed_as_its_own_draws_say(
    shift: int, flip: bool, crop: int, flat: bool
) -> None:
    layer = Augment(IMAGE, shift=shift, flip=flip, crop=crop, seed=7)
    x = X.reshape(len(X), -1) if flat else X
    found = np.array(layer(x, training=True))
    assert found.shape == x.shape
    expected = [by_hand(*pair, shift, flip, crop) for pair in zip(X, draws_of(7), strict=True)]
    np.testing.assert_allclose(found.reshape(X.shape), expected, rtol=1e-5, atol=1e-5)
    again = np.array(layer(x, training=True))
    assert np.abs(again - found).reshape(len(X), -1).max(axis=1).mean() > 0.1


def test_in_inference_it_does_nothing() -> None:
    layer = Augment(IMAGE, shift=2, flip=True, crop=1, seed=7)
    np.testing.assert_array_equal(np.array(layer(X, training=False)), X)
    np.testing.assert_array_equal(np.array(layer(X)), X)


def test_every_shift_is_as_likely_and_half_are_flipped() -> None:
    """Of one bright pixel off the middle: counts within 4 standard deviations."""
    count = 4000
    x = np.zeros((count, 7, 8, 1), "float32")
    x[:, 3, 3] = 1
    found = np.array(Augment((7, 8, 1), shift=2, seed=3)(x, training=True))
    counts = found.sum(axis=0)[..., 0]
    assert counts[1:6, 1:6].sum() == count
    p = 1 / 25
    assert np.abs(counts[1:6, 1:6] - p * count).max() < 4 * np.sqrt(count * p * (1 - p))
    found = np.array(Augment((7, 8, 1), flip=True, seed=3)(x, training=True))
    flipped = found[:, 3, 4, 0].sum()
    assert flipped + found[:, 3, 3, 0].sum() == count
    assert abs(flipped - count / 2) < 4 * np.sqrt(count / 4)


def test_every_crop_is_as_likely() -> None:
    """Rows of 6 numbered 0 to 5, without 2 of them: what is enlarged begins with its first row."""
    count = 4000
    x = np.broadcast_to(np.arange(6, dtype="float32")[:, None, None], (count, 6, 5, 1))
    found = np.array(Augment((6, 5, 1), crop=2, seed=3)(x, training=True))[:, 0, 0, 0]
    counts = [(np.abs(found - first) < 1e-5).sum() for first in range(3)]
    assert sum(counts) == count
    assert max(abs(n - count / 3) for n in counts) < 4 * np.sqrt(count * 2 / 9)


def test_what_is_enlarged_keeps_its_sum_of_weights() -> None:
    np.testing.assert_allclose(enlarging(5, 8).sum(axis=1), 1)
    np.testing.assert_array_equal(enlarging(4, 4), np.eye(4))


def arm(shape: tuple[int, ...] = IMAGE, **given: Any) -> Arm:
    base = {"network": "convolutional", "hidden": [4], "augmentation": {"shift": 1, "flip": True}}
    return Arm.model_validate(base | given, strict=False).resolve(shape)


@pytest.mark.parametrize("network", ["dense", "convolutional", {"residual": {"filters": [4]}}])
def test_networks_augment_in_training_alone(network: Any) -> None:
    augmented = building.build(arm(network=network), 60, 3, seed=3)
    plain = building.build(arm(network=network, augmentation="none"), 60, 3, seed=3)
    assert {layer.name for layer in augmented.layers} - {layer.name for layer in plain.layers} == {
        "augmentation"
    }
    plain.set_weights(augmented.get_weights())
    x = X.reshape(len(X), -1)
    np.testing.assert_array_equal(np.array(augmented(x)), np.array(plain(x)))
    changed = augmented.get_layer("augmentation")(X, training=True)
    assert np.abs(np.array(changed) - X).max() > 1


def test_arms_of_one_seed_draw_the_same() -> None:
    one, other = (
        building.build(arm(**given), 60, 3, seed=3).get_layer("augmentation")
        for given in ({"network": "dense"}, {"activation": "selu", "augmentation": {"crop": 1}})
    )
    assert one.seed == other.seed
    assert building.build(arm(), 60, 3, seed=4).get_layer("augmentation").seed != one.seed


@pytest.mark.parametrize("network", ["dense", "convolutional", {"residual": {"filters": [4]}}])
def test_a_saved_network_predicts_without_and_is_reused_with_it(
    network: Any, tmp_path: Path
) -> None:
    model = building.compile_for_use(building.build(arm(network=network), 60, 3, seed=3))
    saving.save(model, tmp_path / "a.keras")
    x, expected = X.reshape(len(X), -1), None
    expected = np.array(model(x))
    np.testing.assert_array_equal(np.array(saving.load(tmp_path / "a.keras")(x)), expected)
    portable = saving.portable(model)
    assert not [layer for layer in portable.layers if isinstance(layer, Augment)]
    np.testing.assert_array_equal(np.array(portable(x)), expected)
    stack = Stack.read(tmp_path / "a.keras")
    source = transfer.load(tmp_path / "a.keras")
    graft = transfer.graft(source, 60, 2, seed=4)
    copied = [name for block in stack.blocks for name in block]
    assert "augmentation" in copied
    transfer.copy(source, graft, copied, [stack.head])
    assert graft.get_layer("augmentation").get_config() == {
        **model.get_layer("augmentation").get_config()
    }
    assert np.array(graft(x)).shape == (len(x), 2)


def test_off_it_is_in_no_key_and_no_setting() -> None:
    off = arm(augmentation="none")
    assert "augmentation" not in off.content() | off.settings()
    assert off == arm(augmentation={"shift": 0})
    on = arm(augmentation={"shift": 2, "flip": True, "crop": 1})
    assert on.settings()["augmentation"] == "shift=2, flip, crop=1"
    assert on.content()["augmentation"] == {"shift": 2, "flip": True, "crop": 1, "image": IMAGE}
    assert on.structure().augmentation == on.augmentation


@pytest.mark.parametrize(
    ("shape", "given", "expected"),
    [
        ((60,), {"shift": 1}, "no image, received shift=1; remove it"),
        (IMAGE, {"shift": 5}, "augmentation.shift: expected less than the 5 pixels"),
        (IMAGE, {"crop": 5}, "augmentation.crop: expected less than the 5 pixels"),
    ],
)
def test_what_cannot_be_done_is_a_line(
    shape: tuple[int, ...], given: dict[str, int], expected: str
) -> None:
    with pytest.raises(InputError, match=expected) as error:
        Arm(network="dense", augmentation=Augmentation(**given)).resolve(shape, "compare.base")
    assert str(error.value).startswith("compare.base.augmentation")
    assert "\n" not in str(error.value)
