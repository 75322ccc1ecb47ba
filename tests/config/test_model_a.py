"""What may be named as model A."""

from typing import Any

import pytest

import parameters
from warmstart.config.loading import parse
from warmstart.config.model_a import ModelA
from warmstart.errors import InputError


def given(a: Any) -> ModelA | None:
    content = parameters.content()
    content["transfer"]["a"] = a
    transfer = parse(content).transfer
    assert transfer
    return transfer.a


def test_a_name_alone_or_with_settings() -> None:
    assert given(None) is None
    assert given("own.keras") == ModelA(model="own.keras")
    assert str(given("models:/a@champion")) == "models:/a@champion"
    full = {"model": "keras.applications.VGG16", "weights": "vgg.h5", "size": [64, 48]}
    a = given(full)
    assert a == ModelA(model=full["model"], weights="vgg.h5", size=(64, 48))
    assert a.application == "VGG16"
    assert given({"model": "own.keras", "pixels": [-1, 1]}).pixels == (-1.0, 1.0)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("a", "line"),
    [
        ("keras.applications.MobilNetV2", "received 'MobilNetV2'; did you mean 'MobileNetV2'?"),
        ("keras.applications.qqqqq", "received 'qqqqq'; there are ConvNeXtBase, "),
        ({"model": "own.keras", "weights": "w.h5"}, "a.weights: expected none for 'own.keras'"),
        ({"model": "keras.applications.VGG16", "pixels": [0, 1]}, "a.pixels: expected none for"),
        ({"model": "own.keras", "pixels": [1, 1]}, "a.pixels: expected two numbers"),
        ({"model": "own.keras", "sizes": [1, 1]}, "a.sizes: unknown key; did you mean 'size'?"),
    ],
)
def test_what_is_wrong_is_one_line(a: Any, line: str) -> None:
    with pytest.raises(InputError) as error:
        given(a)
    assert len(error.value.problems) == 1
    assert line in error.value.problems[0]


def test_pairs_have_models_a_of_their_own() -> None:
    content = parameters.content()
    content["transfer"] |= {"a": "own.keras", "task_b": "all_pairs"}
    with pytest.raises(InputError, match=r"transfer\.a: expected null for all_pairs"):
        parse(content)
