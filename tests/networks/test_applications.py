"""Keras's pretrained networks: their names, their preprocessing, and where weights come from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from warmstart.config.model_a import APPLICATIONS, ModelA
from warmstart.errors import InputError
from warmstart.networks import applications

MOBILE = "keras.applications.MobileNet"


def test_the_names_are_kerass() -> None:
    assert [*APPLICATIONS] == [n for n in dir(keras.applications) if n[0].isupper()]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_preprocessing_is_kerass(name: str) -> None:
    kernel, bias = applications.affine(name)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3))
    module = getattr(keras.applications, name).__module__.rpartition(".")[2]
    expected = getattr(keras.applications, module).preprocess_input(pixels.astype("float32"))
    np.testing.assert_allclose(pixels @ kernel + bias, expected, atol=1e-4)


def test_sizes_stay_between_what_all_take_and_what_they_learned_from() -> None:
    assert applications.size_for(28, 28) == (96, 96)
    assert applications.size_for(100, 500) == (100, 224)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[..., keras.Model]:
    """In MobileNet's place a network of a layer, which fetches its weights as Keras's do."""

    def build(*, input_shape: Any, weights: Any, **_: Any) -> keras.Model:
        pooled = keras.layers.GlobalAveragePooling2D()
        layers = [keras.Input(input_shape), pooled, keras.layers.Dense(2, name="only")]
        model = keras.Sequential(layers)
        if weights:
            address = "https://nowhere.invalid/small.weights.h5"
            model.load_weights(
                file_utils.get_file("small.weights.h5", address, cache_subdir="models")
            )
        return model

    monkeypatch.setattr(keras.applications, "MobileNet", build)
    return build


def weights(model: keras.Model) -> list[list[float]]:
    return [each.tolist() for each in model.get_weights()]


def test_weights_from_the_users_file_from_kerass_cache_and_none(
    small: Callable[..., keras.Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = file_utils.get_file
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    known = small(input_shape=(8, 8, 3), weights=None)
    (tmp_path / "models").mkdir()
    file = tmp_path / "models/small.weights.h5"
    known.save_weights(file)
    built = applications.build(ModelA(model=MOBILE), (8, 8), 1, download=False)
    assert weights(built) == weights(known)
    moved = file.rename(tmp_path / "mine.weights.h5")
    own = ModelA(model=MOBILE, weights=str(moved))
    assert weights(applications.build(own, (8, 8), 1, download=False)) == weights(known)
    random = ModelA(model=MOBILE, weights="random")
    first, again, other = (applications.build(random, (8, 8), s, download=False) for s in (1, 1, 2))
    assert weights(first) == weights(again) != weights(other)
    assert file_utils.get_file is fetch


def test_weights_that_are_not_here_are_one_line(
    small: Callable[..., keras.Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(url: str) -> None:
        raise OSError(f"no answer from {url}")

    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    monkeypatch.setattr("warmstart.data.reachable.check", nobody)
    a = ModelA(model=MOBILE)
    where = f"{tmp_path}/models/small.weights.h5"
    with pytest.raises(applications.LackingError, match=f"{where}: `prepare` downloads them from"):
        applications.build(a, (8, 8), 1, download=False)
    with pytest.raises(InputError) as error:
        applications.build(a, (8, 8), 1, download=True)
    (line,) = error.value.problems
    assert line.startswith(f"transfer.a: expected weights as {where} or by download, received none")
    assert "no answer from https://nowhere.invalid/small.weights.h5" in line
    assert line.endswith("or name it as transfer.a: {model: …, weights: FILE}")
    missing = ModelA(model=MOBILE, weights=str(tmp_path / "none.h5"))
    with pytest.raises(InputError, match=r"transfer\.a\.weights: expected a file with weights"):
        applications.build(missing, (8, 8), 1, download=True)
    (tmp_path / "wrong.weights.h5").write_bytes(b"no weights")
    wrong = ModelA(model=MOBILE, weights=str(tmp_path / "wrong.weights.h5"))
    with pytest.raises(InputError, match=r"received from Keras: .*; change transfer\.a's .*wrong"):
        applications.build(wrong, (8, 8), 1, download=True)


@pytest.mark.slow
def test_keras_asks_for_its_weights_where_it_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    for name in ("MobileNet", "EfficientNetB0", "ResNet50", "DenseNet121"):
        a = ModelA(model=f"keras.applications.{name}")
        with pytest.raises(applications.LackingError, match=r"https://.*no_?top.*\.h5"):
            applications.build(a, (96, 96), 1, download=False)
    a = ModelA(model="keras.applications.VGG16", weights="random")
    with pytest.raises(InputError, match=r"received from Keras: .*at least 32"):
        applications.build(a, (20, 20), 1, download=False)
