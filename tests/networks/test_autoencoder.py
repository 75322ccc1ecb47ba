"""Autoencoders are mirror images; what is left of them is exactly what they had learned."""

import keras
import numpy as np
import pytest

from warmstart.config.arm import Arm
from warmstart.config.parts import Activation, BatchNorm
from warmstart.networks import autoencoder, building, saving, transfer

NETWORK = Arm(hidden=(10, 6), activation=Activation(name="selu")).resolve(8)
X = np.random.default_rng(0).normal(size=(7, 8)).astype("float32")


def selu(x: np.ndarray) -> np.ndarray:
    """Klambauer et al. 2017, equation 2."""
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))


def dense(model: keras.Sequential, name: str) -> list[np.ndarray]:
    return [np.array(w) for w in model.get_layer(name).get_weights()]


def test_the_decoder_is_the_encoder_mirrored() -> None:
    model = autoencoder.build(NETWORK, 8, 3, noise=0.0, tied=False)
    shapes = {layer.name: [w.shape for w in layer.get_weights()] for layer in model.layers}
    assert shapes == {
        "hidden_1": [(8, 10), (10,)],
        "activation_1": [],
        "hidden_2": [(10, 6), (6,)],
        "activation_2": [],
        "decoder_2": [(6, 10), (10,)],
        "decoder_activation_2": [],
        "decoder_1": [(10, 8), (8,)],
    }
    kernels = [dense(model, n)[0].ravel()[:48] for n in ("hidden_1", "decoder_2", "decoder_1")]
    assert len({kernel.tobytes() for kernel in kernels}) == 3  # each drew from its own stream


@pytest.mark.parametrize("tied", [False, True])
def test_it_computes_what_its_weights_say(tied: bool) -> None:
    model = autoencoder.build(NETWORK, 8, 3, noise=0.3, tied=tied)
    for number, variable in enumerate(model.trainable_variables):
        if len(variable.shape) == 1:
            variable.assign(np.full(variable.shape, 0.1 * number))
    (w1, b1), (w2, b2) = dense(model, "hidden_1"), dense(model, "hidden_2")
    up, down = model.get_layer("decoder_2"), model.get_layer("decoder_1")
    v2, v1 = (w2.T, w1.T) if tied else (np.array(up.kernel), np.array(down.kernel))
    codes = selu(selu(X @ w1 + b1) @ w2 + b2)
    expected = selu(codes @ v2 + np.array(up.bias)) @ v1 + np.array(down.bias)
    np.testing.assert_allclose(np.array(model(X, training=False)), expected, atol=1e-5)
    assert len(model.trainable_variables) == (6 if tied else 8)

    whole = autoencoder.unroll(model)
    np.testing.assert_allclose(np.array(whole(X, training=True)), expected, atol=1e-5)
    kinds = {type(layer) for layer in whole.layers}
    assert kinds == {keras.layers.Dense, keras.layers.Activation}
    np.testing.assert_allclose(np.array(autoencoder.codes(whole)(X)), codes, atol=1e-5)


def test_noise_has_its_deviation_and_comes_in_training_only() -> None:
    layer = autoencoder.Noise(0.5, seed=1)
    zeros = np.zeros((100, 100), "float32")
    np.testing.assert_array_equal(np.array(layer(zeros, training=False)), zeros)
    first, second = (np.array(layer(zeros, training=True)) for _ in range(2))
    n = zeros.size
    assert abs(first.mean()) < 4 * 0.5 / np.sqrt(n)
    assert abs(first.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * n)  # 0.49 or 0.51 would be out
    assert abs(np.mean(first * second)) < 4 * 0.25 / np.sqrt(n)  # drawn anew


def test_a_higher_layer_is_put_between_the_halves_of_the_lower() -> None:
    low = autoencoder.unroll(autoencoder.build(NETWORK, 8, 3, noise=0.0, tied=False))
    before = [w.tobytes() for w in low.get_weights()]
    top = Arm(hidden=(4,)).resolve(6)
    high = autoencoder.build(top, 6, 3, noise=0.0, tied=True, first=3)
    whole = autoencoder.unroll(high, low)
    codes = np.array(autoencoder.codes(low)(X))
    (w3, b3), bias = dense(whole, "hidden_3"), np.array(high.get_layer("decoder_3").bias)
    again = np.maximum(codes @ w3 + b3, 0) @ w3.T + bias
    decoder = keras.Sequential([layer for layer in low.layers if layer.name.startswith("decoder")])
    np.testing.assert_allclose(np.array(whole(X)), np.array(decoder(again)), atol=1e-5)
    assert [w.tobytes() for w in low.get_weights()] == before
    left = [layer.name for layer in autoencoder.encoder(whole).layers]
    assert left == [
        "hidden_1", "activation_1", "hidden_2", "activation_2", "hidden_3", "activation_3",
        "decoder_3",
    ]  # fmt: skip


@pytest.mark.parametrize("batch_norm", ["none", "input+before"])
def test_an_encoder_is_reused_as_model_a_is(tmp_path, batch_norm: str) -> None:
    """Its layers have the names and weights of the network they were pretrained for."""
    network = NETWORK.changed_by(Arm(batch_norm=BatchNorm(name=batch_norm)))
    model = autoencoder.build(network, 8, 3, noise=0.3, tied=True)
    saving.save(autoencoder.encoder(autoencoder.unroll(model)), tmp_path / "encoder.keras")
    source = transfer.load(tmp_path / "encoder.keras")
    grafted, copied = transfer.graft(source, 8, 2, seed=9), [n.name for n in source.layers[:-1]]
    transfer.copy(source, grafted, copied, [source.layers[-1].name])
    plain = building.build(network, 8, 2, seed=5)
    assert [layer.name for layer in grafted.layers] == [layer.name for layer in plain.layers]
    assert copied == [layer.name for layer in plain.layers[:-1]]
    for ours, theirs in zip(grafted.weights, plain.weights, strict=True):
        assert ours.shape == theirs.shape
    for name in copied:
        for ours, theirs in zip(dense(grafted, name), dense(model, name), strict=True):
            assert ours.tobytes() == theirs.tobytes()
