"""Copied, never shared; frozen means frozen."""

import keras
import numpy as np
import pytest

from warmstart.config.arm import Arm
from warmstart.config.parts import Activation
from warmstart.errors import InputError
from warmstart.networks import building, saving, transfer


@pytest.fixture
def model_a() -> keras.Sequential:
    network = Arm(hidden=(8, 6), activation=Activation(name="elu"), batch_norm="after").resolve(5)
    model = building.build(network, features=5, outputs=4, seed=3)
    model.set_weights([weight + 0.5 for weight in model.get_weights()])  # as if trained
    return model


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


LAYERS = ("hidden_1", "activation_1", "batch_norm_1", "hidden_2", "activation_2", "batch_norm_2")


def test_what_is_copied_is_equal_and_what_is_not_is_fresh(model_a: keras.Sequential) -> None:
    model_b = transfer.graft(model_a, features=5, outputs=2, seed=9)
    transfer.copy(model_a, model_b, LAYERS[:3], (*LAYERS[3:], "logits"))
    for name in LAYERS:
        a, b = model_a.get_layer(name), model_b.get_layer(name)
        assert a is not b
        if a.weights:
            assert equal(snapshot(a), snapshot(b)) == (name in LAYERS[:3])
    assert model_b.output_shape == (None, 2)
    transfer.copy(model_a, model_b, LAYERS, ("logits",))
    for name in LAYERS:
        assert equal(snapshot(model_a.get_layer(name)), snapshot(model_b.get_layer(name)))


@pytest.mark.parametrize(
    ("copied", "not_copied"),
    [
        (LAYERS[:3], ("logits",)),  # three layers of nowhere
        (LAYERS, ("logits", "hidden_2")),  # one on both sides
        (LAYERS, ("logits", "hidden_3")),  # one that does not exist
    ],
)
def test_every_layer_of_the_source_is_on_one_side(
    model_a: keras.Sequential, copied: tuple[str, ...], not_copied: tuple[str, ...]
) -> None:
    model_b = transfer.graft(model_a, features=5, outputs=2, seed=9)
    with pytest.raises(ValueError, match=r"expected each of hidden_1, .*logits") as raised:
        transfer.copy(model_a, model_b, copied, not_copied)
    assert f"copied: {', '.join(copied)}; not copied: {', '.join(not_copied)}" in str(raised.value)


def test_training_b_never_moves_a(model_a: keras.Sequential) -> None:
    before = snapshot(model_a)
    model_b = transfer.graft(model_a, features=5, outputs=2, seed=9)
    transfer.copy(model_a, model_b, LAYERS, ("logits",))
    train(model_b)
    assert equal(before, snapshot(model_a))


def test_other_features_are_refused_with_both_shapes(model_a: keras.Sequential) -> None:
    with pytest.raises(InputError, match=r"\(batch, 7\).*received input \(None, 5\)"):
        transfer.graft(model_a, features=7, outputs=2, seed=9)


def test_loading_gives_what_was_saved(tmp_path, model_a: keras.Sequential) -> None:
    saving.save(building.compile_for_use(model_a), tmp_path / "a.keras")
    assert equal(snapshot(model_a), snapshot(transfer.load(tmp_path / "a.keras")))


def test_code_in_a_model_is_refused(tmp_path) -> None:
    """Keras would run it when it loads the model."""
    layers = [keras.layers.Dense(2), keras.layers.Lambda(lambda x: x), keras.layers.Dense(2)]
    saving.save(keras.Sequential([keras.Input((2,)), *layers]), tmp_path / "code.keras")
    with pytest.raises(InputError, match=r"code\.keras: expected a model that Keras loads in safe"):
        transfer.load(tmp_path / "code.keras")
