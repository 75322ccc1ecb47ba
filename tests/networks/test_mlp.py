"""Arms become the Keras models that the chapter describes."""

import keras
import numpy as np
import pytest

from warmstart.config.arm import Arm
from warmstart.config.parts import Activation
from warmstart.networks import building, saving


def build(**choices) -> keras.Sequential:
    network = Arm(**choices)
    return building.build(network.resolve(784), features=784, outputs=10, seed=0)


def test_the_chapters_batch_norm_network_has_its_parameters() -> None:
    """Géron, 3rd edition, chapter 11: batch norm on the input and after each hidden layer."""
    model = build(hidden=(300, 100), activation=Activation(name="elu"), batch_norm="input+after")
    weighted = [layer.count_params() for layer in model.layers if layer.count_params()]
    assert weighted == [3136, 235_500, 1200, 30_100, 400, 1010]
    assert model.count_params() == 271_346
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 268_978
    assert sum(int(np.prod(w.shape)) for w in model.non_trainable_weights) == 2_368


@pytest.mark.parametrize(
    ("batch_norm", "kinds"),
    [
        ("none", "Dense Activation Dense Activation Dense"),
        ("input", "BatchNormalization Dense Activation Dense Activation Dense"),
        ("before", "Dense BatchNormalization Activation " * 2 + "Dense"),
        ("after", "Dense Activation BatchNormalization " * 2 + "Dense"),
        (
            "input+before",
            "BatchNormalization " + "Dense BatchNormalization Activation " * 2 + "Dense",
        ),
        (
            "input+after",
            "BatchNormalization " + "Dense Activation BatchNormalization " * 2 + "Dense",
        ),
    ],
)
def test_batch_norm_stands_where_it_should(batch_norm: str, kinds: str) -> None:
    model = build(hidden=(8, 8), batch_norm=batch_norm)
    assert [type(layer).__name__ for layer in model.layers] == kinds.split()


def test_a_layer_before_batch_norm_has_no_bias() -> None:
    assert [layer.use_bias for layer in build(hidden=(8,), batch_norm="before").layers[::3]] == [
        False,
        True,  # the head
    ]
    assert build(hidden=(8,), batch_norm="after").layers[0].use_bias


def test_batch_norm_has_its_momentum() -> None:
    model = build(hidden=(8,), batch_norm={"name": "input+after", "momentum": 0.9})
    norms = [layer for layer in model.layers if "batch_norm" in layer.name]
    assert [layer.momentum for layer in norms] == [0.9, 0.9]
    x = np.full((4, 784), 3.0, "float32")
    model(x, training=True)
    np.testing.assert_allclose(norms[0].moving_mean, 0.1 * x[0], rtol=1e-6)  # 0.9 · 0 + 0.1 · 3


def test_dropout_stands_at_the_end_of_each_hidden_layer() -> None:
    model = build(hidden=(8, 8), batch_norm="after", dropout=0.25)
    kinds = "Dense Activation BatchNormalization Dropout " * 2 + "Dense"
    assert [type(layer).__name__ for layer in model.layers] == kinds.split()
    assert {layer.rate for layer in model.layers if "dropout" in layer.name} == {0.25}
    model = build(hidden=(8, 8), alpha_dropout=0.25)
    kinds = "Dense Activation AlphaDropout " * 2 + "Dense"
    assert [type(layer).__name__ for layer in model.layers] == kinds.split()
    one, other = (layer.seed for layer in model.layers if "dropout" in layer.name)
    assert one != other


def test_the_head_has_an_initializer_of_its_own() -> None:
    """Keras's default, Glorot uniform: bounded by √(6 / (8 + 10)); LeCun: variance 1/8 in place of
    2 / (8 + 10), uniform within √(3/8)."""
    head = {"default": build(hidden=(8,)), "auto": build(hidden=(8,), head_initializer="auto")}
    head["lecun"] = build(hidden=(8,), head_initializer="lecun_uniform")
    kernels = {name: np.array(model.layers[-1].kernel) for name, model in head.items()}
    np.testing.assert_array_equal(kernels["default"], kernels["auto"])
    stretched = kernels["default"] * np.sqrt((3 / 8) / (6 / 18))  # the same draws
    np.testing.assert_allclose(kernels["lecun"], stretched, rtol=1e-5, atol=1e-6)
    assert 0.5 < np.abs(kernels["default"]).max() <= np.sqrt(6 / 18)
    hidden = [np.array(model.layers[0].kernel) for model in head.values()]
    np.testing.assert_array_equal(hidden[0], hidden[2])


def test_auto_sizes() -> None:
    assert Arm().resolve(784).hidden == (300, 100, 50, 50, 50)
    assert Arm().resolve(64).hidden == (100, 50, 50, 50, 50)


def test_same_seed_same_weights_other_seed_other_weights() -> None:
    network = Arm(hidden=(8,)).resolve(4)
    one, same, other = (building.build(network, 4, 3, seed).get_weights() for seed in (1, 1, 2))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one[0], other[0])


def test_a_saved_model_has_the_same_bytes_and_predicts_the_same(tmp_path) -> None:
    model = building.compile_for_use(build(hidden=(8, 8), activation=Activation(name="rrelu")))
    saving.save(model, tmp_path / "one.keras")
    again = building.compile_for_use(build(hidden=(8, 8), activation=Activation(name="rrelu")))
    saving.save(again, tmp_path / "two.keras")
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()
    assert b"1980-01-01" in (tmp_path / "one.keras").read_bytes()
    loaded = keras.models.load_model(tmp_path / "one.keras", safe_mode=True)
    x = np.random.default_rng(0).normal(size=(5, 784)).astype("float32")
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(loaded(x)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.keras", "two.keras"]
