"""Networks of others as backbones: the data as they want them, and features as they give them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from small_task import make_task
from warmstart.config.model_a import ModelA
from warmstart.data.standardization import Standardization
from warmstart.errors import InputError
from warmstart.networks import backbones, saving
from warmstart.networks.backbone import is_backbone
from warmstart.networks.backbones import Samples

LAYERS = keras.layers
OWN = ModelA(model="own.keras")


def samples(shape: tuple[int, ...], white: int = 255, n: int = 5) -> tuple[Samples, Any, Any]:
    """Samples of which raw ones `(n, *shape)` and standardized ones `(n, features)` are some."""
    draw = np.random.default_rng(1)
    raw = draw.integers(0, white + 1, (n, *shape)).astype(np.float32)
    flat = raw.reshape(n, -1)
    flat[0, 0] = white
    standardization = Standardization.of([flat])
    return Samples.of(flat, shape, standardization), raw, standardization.apply(flat)


def cnn(shape: tuple[int | None, ...], *first: keras.layers.Layer) -> keras.Model:
    """A functional classifier of images with four feature maps, a hidden layer and two classes."""
    x = inputs = keras.Input(shape)
    for layer in (*first, LAYERS.Conv2D(4, 3, activation="relu")):
        x = layer(x)
    x = LAYERS.GlobalAveragePooling2D(name="pooled")(x)
    x = LAYERS.Dense(3, name="hidden")(x)
    return keras.Model(inputs, LAYERS.Dense(2, activation="softmax")(x))


def hidden(model: keras.Model, images: Any) -> Any:
    """What its hidden layer gives."""
    return np.array(keras.Model(model.input, model.get_layer("hidden").output)(images))


def test_an_application_sees_what_its_own_preprocessing_makes() -> None:
    known, raw, x = samples((28, 28, 1), n=3)
    a = ModelA(model="keras.applications.MobileNet", weights="random", size=(32, 32))
    made = backbones.wrap_application(a, known, 3, download=False)
    core = next(each for each in made.model.layers if isinstance(each, keras.Model))
    images = LAYERS.Resizing(32, 32)(np.repeat(raw, 3, axis=-1))
    prepared = keras.applications.mobilenet.preprocess_input(np.array(images))
    expected = core.predict(prepared, verbose=0)
    assert np.abs(expected).max() > 0
    received = made.model.predict(x, verbose=0)
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert made.said == (
        "28 × 28 × 1 resized to 32 × 32, grey to RGB, pixels scaled from 0 to 255 to -1 to 1; "
        "1,024 features"
    )
    assert not made.model.trainable_variables


def test_the_users_network_sees_shares_or_bytes_or_what_the_user_says() -> None:
    known, raw, x = samples((9, 8, 3))
    model = cnn((9, 8, 3))
    shares = backbones.wrap_own(OWN, model, known)
    np.testing.assert_allclose(shares.model(x), hidden(model, raw / 255), atol=1e-5)
    assert shares.said == "9 × 8 × 3, pixels scaled from 0 to 255 to 0 to 1; 3 features"
    said = OWN.model_copy(update={"pixels": (-1.0, 3.0)})
    others = backbones.wrap_own(said, model, known)
    np.testing.assert_allclose(others.model(x), hidden(model, raw / 255 * 4 - 1), atol=1e-5)
    scaling = cnn((9, 8, 3), LAYERS.Rescaling(1 / 255))
    as_they_are = backbones.wrap_own(OWN, scaling, known)
    np.testing.assert_allclose(as_they_are.model(x), hidden(scaling, raw), atol=1e-5)
    assert as_they_are.said == "9 × 8 × 3, pixels from 0 to 255 as they are; 3 features"


def test_pixels_below_zero_are_scaled_from_there() -> None:
    raw = np.random.default_rng(0).uniform(-2, 3, (4, 8, 8, 1)).astype(np.float32)
    raw[0, 0, 0, 0], raw[0, 0, 1, 0] = -2, 3
    known = Samples.of(raw.reshape(4, -1), (8, 8, 1), Standardization.none(64))
    model = cnn((8, 8, 1))
    made = backbones.wrap_own(OWN, model, known)
    expected = hidden(model, (raw + 2) / 5)
    np.testing.assert_allclose(made.model(raw.reshape(4, -1)), expected, atol=1e-5)
    assert made.steps[1] == "pixels scaled from -2 to 3 to 0 to 1"


def test_sizes_and_colours_become_those_of_the_network() -> None:
    digits, raw, x = samples((8, 8, 1), white=16)
    coloured = cnn((12, 10, 3))
    made = backbones.wrap_own(OWN, coloured, digits)
    images = np.repeat(np.array(LAYERS.Resizing(12, 10)(raw / 16)), 3, axis=-1)
    np.testing.assert_allclose(made.model(x), hidden(coloured, images), atol=1e-5)
    assert made.steps == (
        "8 × 8 × 1 resized to 12 × 10", "grey to RGB", "pixels scaled from 0 to 16 to 0 to 1",
    )  # fmt: skip
    photos, raw, x = samples((8, 8, 3))
    grey = cnn((None, None, 1))
    made = backbones.wrap_own(OWN, grey, photos)
    luma = raw[..., :1] * 0.299 + raw[..., 1:2] * 0.587 + raw[..., 2:] * 0.114
    np.testing.assert_allclose(made.model(x), hidden(grey, luma / 255), atol=1e-5)
    assert made.steps[1] == "RGB to grey"
    larger = backbones.wrap_own(OWN.model_copy(update={"size": (16, 16)}), grey, photos)
    assert larger.steps[0] == "8 × 8 × 3 resized to 16 × 16"


def test_spatial_features_are_averaged_and_flat_ones_stay_standardized() -> None:
    known, raw, x = samples((6, 6, 1))
    inputs = keras.Input((6, 6, 1))
    maps = keras.Model(inputs, LAYERS.Conv2D(2, 3)(inputs))
    received = backbones.wrap_own(OWN, maps, known).model(x)
    np.testing.assert_allclose(
        received, np.array(maps(raw / 255)).mean(axis=(1, 2)), rtol=1e-4, atol=1e-5
    )
    table = Samples.of(x, (36,), Standardization.none(36))
    inputs = keras.Input((36,))
    wide = LAYERS.Dense(4, activation="tanh", name="hidden")(inputs)
    both = LAYERS.Concatenate()([wide, inputs])
    flat = keras.Model(inputs, LAYERS.Dense(2)(both))
    made = backbones.wrap_own(OWN, flat, table)
    np.testing.assert_allclose(
        made.model(x), np.concatenate([hidden(flat, x), x], axis=1), atol=1e-5
    )
    assert made.said == "36 standardized features; 40 features"


def test_what_does_not_fit_is_one_line() -> None:
    table = Samples.of(np.zeros((2, 4)), (4,), Standardization.none(4))
    images, *_ = samples((8, 8, 3))
    two = keras.Input((8, 8, 3), name="one"), keras.Input((8, 8, 3), name="two")
    sum_of_two = keras.Model(two, LAYERS.GlobalAveragePooling2D()(LAYERS.Add()(two)))
    text = keras.Sequential([keras.Input((7,)), LAYERS.Dense(3), LAYERS.Dense(2)])
    wrong = {
        "grey or coloured images, which own.keras takes": (cnn((8, 8, 3)), table),
        "a network of one input and one output": (sum_of_two, images),
        "a network on the 192 features of these data": (text, images),
        "a network of images with 1 or 3 channels": (cnn((8, 8, 2)), images),
    }
    for line, (model, known) in wrong.items():
        with pytest.raises(InputError, match=rf"transfer\.a: expected {line}") as error:
            backbones.wrap_own(OWN, model, known)
        assert len(error.value.problems) == 1
    sized = OWN.model_copy(update={"size": (9, 9)})
    with pytest.raises(InputError, match=r"transfer\.a\.size: expected \[8, 8\], which own.keras"):
        backbones.wrap_own(sized, cnn((8, 8, 3)), images)


def test_a_saved_backbone_is_known_and_a_head_on_it_gives_what_it_gave(tmp_path: Path) -> None:
    task = make_task(features=12)
    known = Samples.of(task.x_train, (2, 2, 3), Standardization.none(12))
    made = backbones.wrap_own(OWN, cnn((4, 4, 3)), known)
    path = tmp_path / "a.keras"
    saving.save(made.model, path)
    assert is_backbone(path)
    read = backbones.load(path)
    of_features = backbones.task_of_features(task, read)
    assert of_features.y_train is task.y_train
    assert of_features.shape == (3,)
    np.testing.assert_allclose(of_features.x_test, made.model(task.x_test), atol=1e-5)
    seen, standardization = backbones.standardized(of_features)
    np.testing.assert_allclose(seen.x_train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.x_train.std(axis=0), 1, atol=1e-5)
    head = keras.Sequential([keras.Input((3,)), LAYERS.Dense(3, name="logits")])
    joined = backbones.join(read, standardization, head)
    saving.save(head, tmp_path / "head.keras")
    assert not is_backbone(tmp_path / "head.keras")
    np.testing.assert_allclose(joined(task.x_test), head(seen.x_test), atol=1e-4)
    assert len(joined.trainable_variables) == 2
