"""Which layers a `.keras` file holds, without loading it."""

from pathlib import Path

import keras
import pytest

from warmstart.config.arm import Arm
from warmstart.errors import InputError
from warmstart.networks import building, saving, transfer
from warmstart.networks.stack import Stack


def saved(model: keras.Model, folder: Path) -> Path:
    model.save(folder / "model.keras")
    return folder / "model.keras"


def test_blocks_begin_at_dense_layers(tmp_path: Path) -> None:
    network = Arm(hidden=(8, 6), batch_norm="input+before").resolve(5)
    saving.save(building.build(network, 5, 4, seed=3), tmp_path / "a.keras")
    stack = Stack.read(tmp_path / "a.keras")
    assert stack.blocks == (
        ("batch_norm_input", "hidden_1", "batch_norm_1", "activation_1"),
        ("hidden_2", "batch_norm_2", "activation_2"),
    )
    assert stack.head == "logits"
    assert stack.batch_norms == ("batch_norm_input", "batch_norm_1", "batch_norm_2")


def test_a_foreign_stack_keeps_its_names(tmp_path: Path) -> None:
    layers = [keras.layers.Dense(3, name="one"), keras.layers.Dropout(0.5, name="off")]
    layers += [keras.layers.Dense(4, "relu", name="two"), keras.layers.Dense(2, name="out")]
    stack = Stack.read(saved(keras.Sequential([keras.Input((5,)), *layers]), tmp_path))
    assert stack == Stack(blocks=(("one", "off"), ("two",)), head="out", batch_norms=())


def test_what_is_no_stack_is_refused(tmp_path: Path) -> None:
    inputs = keras.Input((3,))
    functional = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(2)(inputs)))
    with pytest.raises(InputError, match=r"expected a Sequential model.*received Functional of D"):
        Stack.read(saved(functional, tmp_path))
    shallow = keras.Sequential([inputs, keras.layers.Dense(2)])
    with pytest.raises(InputError, match=r"received Sequential of Dense; pretrain"):
        Stack.read(saved(shallow, tmp_path))
    active = keras.Sequential([inputs, *map(keras.layers.Dense, (3, 2)), keras.layers.Softmax()])
    with pytest.raises(InputError, match=r"Sequential of Dense, Dense, Softmax"):
        Stack.read(saved(active, tmp_path))


@pytest.mark.parametrize("content", [None, b"no archive", b""])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.keras: expected a model that Keras saved"):
        Stack.read(path)


def test_what_makes_raw_samples_flat_and_standard_is_no_part_of_it(tmp_path: Path) -> None:
    before = [keras.layers.Flatten(name="flat")]
    before += [keras.layers.Normalization(mean=[0.0] * 6, variance=[1.0] * 6, name="standard")]
    layers = [keras.layers.Dense(3, name="one"), keras.layers.Normalization(mean=0.0, variance=1.0)]
    layers += [keras.layers.Dense(2, name="out")]
    stack = Stack.read(saved(keras.Sequential([keras.Input((2, 3)), *before, *layers]), tmp_path))
    assert stack.blocks == (("one", layers[1].name),)
    loaded = transfer.load(tmp_path / "model.keras")
    assert [layer.name for layer in loaded.layers] == ["one", layers[1].name, "out"]
    assert loaded.input_shape == (None, 6)
