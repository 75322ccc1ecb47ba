"""Copied, never shared; frozen means frozen."""

import keras
import numpy as np
import pytest

from warmstart.arms import Activation, Network
from warmstart.errors import InputError
from warmstart.networks import mlp, saving, transfer


@pytest.fixture
def model_a() -> keras.Sequential:
    network = Network(hidden=(8, 6), activation=Activation(name="elu"), batch_norm="after").resolve(
        5
    )
    return mlp.build(network, features=5, classes=4, seed=3)


def snapshot(model: keras.Model) -> list[np.ndarray]:
    return [np.array(weight) for weight in model.get_weights()]


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def train(model: keras.Sequential) -> None:
    generator = np.random.default_rng(0)
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        generator.normal(size=(64, 5)).astype("float32"),
        generator.integers(0, 2, 64),
        epochs=2,
        verbose=0,
    )


def test_all_layers_but_the_head_are_copied(model_a: keras.Sequential) -> None:
    model_b, copied = transfer.graft(model_a, features=5, classes=2, seed=9)
    assert copied == tuple(layer.name for layer in model_a.layers[:-1])
    for name in copied:
        a, b = model_a.get_layer(name), model_b.get_layer(name)
        assert a is not b
        assert equal(snapshot(a), snapshot(b))
    assert model_b.output_shape == (None, 2)


def test_training_b_never_moves_a(model_a: keras.Sequential) -> None:
    before = snapshot(model_a)
    model_b, _ = transfer.graft(model_a, features=5, classes=2, seed=9)
    train(model_b)
    assert equal(before, snapshot(model_a))


def test_frozen_layers_stand_still_and_thawed_layers_move(model_a: keras.Sequential) -> None:
    model_b, copied = transfer.graft(model_a, features=5, classes=2, seed=9)
    transfer.set_frozen(model_b, copied, True)
    layers = [model_b.get_layer(name) for name in copied if model_b.get_layer(name).weights]
    before, head = [snapshot(layer) for layer in layers], snapshot(model_b.layers[-1])
    train(model_b)
    # weights and batch norm's moving statistics alike
    assert all(equal(a, snapshot(layer)) for a, layer in zip(before, layers, strict=True))
    assert not equal(head, snapshot(model_b.layers[-1]))
    transfer.set_frozen(model_b, copied, False)
    train(model_b)
    for old, layer in zip(before, layers, strict=True):
        for a, b in zip(old, snapshot(layer), strict=True):
            assert not np.array_equal(a, b)


def test_other_features_are_refused_with_both_shapes(model_a: keras.Sequential) -> None:
    with pytest.raises(InputError, match=r"\(batch, 7\).*received input \(None, 5\)"):
        transfer.graft(model_a, features=7, classes=2, seed=9)


def test_loading_refuses_what_is_no_stack(tmp_path) -> None:
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "functional.keras")
    with pytest.raises(InputError, match=r"expected a Sequential model.*received Functional"):
        transfer.load(tmp_path / "functional.keras")


def test_loading_gives_what_was_saved(tmp_path, model_a: keras.Sequential) -> None:
    saving.save(mlp.compile_for_use(model_a), tmp_path / "a.keras")
    assert equal(snapshot(model_a), snapshot(transfer.load(tmp_path / "a.keras")))
