"""Layer-sequential unit variance, against NumPy."""

import keras
import numpy as np
import pytest

from warmstart.config.arm import Arm
from warmstart.networks import building, lsuv

X = np.random.default_rng(2).normal(2.0, 3.0, size=(300, 6)).astype(np.float32)


def built(arm: Arm, shape: tuple[int, ...] = (6,)) -> tuple[Arm, keras.Model]:
    network = arm.resolve(shape)
    return network, building.build(network, int(np.prod(shape)), 3, seed=1)


def scaled(network: Arm, model: keras.Model, x: np.ndarray, **more: tuple[str, ...]) -> keras.Model:
    values = [np.array(variable) for variable in model.variables]
    for variable, value in zip(
        model.variables, lsuv.scaled(model, network, values, x, **more), strict=True
    ):
        variable.assign(value)
    return model


def test_two_layers_against_numpy() -> None:
    """Kernels start orthonormal; each is divided by the deviation of what it puts out."""
    network, model = built(Arm(hidden=(5, 4), activation="tanh", initializer="lsuv"))
    first, second = (np.array(model.get_layer(f"hidden_{n}").kernel) for n in (1, 2))
    np.testing.assert_allclose(first.T @ first, np.eye(5), atol=1e-5)
    seen = X[: lsuv.SAMPLES].astype("float64")
    first = first / (seen @ first).std()
    seen = np.tanh(seen @ first)
    second = second / (seen @ second).std()
    head = np.array(model.get_layer("logits").kernel)
    scaled(network, model, X)
    np.testing.assert_allclose(np.array(model.get_layer("hidden_1").kernel), first, rtol=1e-4)
    np.testing.assert_allclose(np.array(model.get_layer("hidden_2").kernel), second, rtol=1e-4)
    np.testing.assert_array_equal(np.array(model.get_layer("logits").kernel), head)


@pytest.mark.parametrize(
    ("arm", "shape"),
    [
        (Arm(hidden=(20, 20, 20), activation="relu", initializer="lsuv"), (6,)),
        (Arm(hidden=(8, 8), batch_norm="after", skip_connections=True, initializer="lsuv"), (6,)),
        (Arm(network="residual", initializer="lsuv", batch_norm="before"), (6, 6, 1)),
    ],
    ids=["dense", "skips", "residual"],
)
def test_every_hidden_layer_puts_out_unit_variance(arm: Arm, shape: tuple[int, ...]) -> None:
    network, model = built(arm, shape)
    x = np.random.default_rng(3).normal(size=(lsuv.SAMPLES, int(np.prod(shape))))
    x = x.astype(np.float32)
    others = {v.path: np.array(v) for v in model.variables if "kernel" not in v.path}
    scaled(network, model, x)
    names = [layer.name for layer in model.layers if layer.name.startswith("hidden_")]
    seen: dict[str, float] = {}
    for name in names:
        layer, call = model.get_layer(name), model.get_layer(name).call

        def recorded(
            inputs: object, training: object = None, name: str = name, call: object = call
        ) -> object:
            outputs = call(inputs)  # type: ignore[operator]
            seen[name] = float(np.std(np.array(outputs), dtype="float64"))
            return outputs

        layer.call = recorded
    moved = {v.path: np.array(v) for v in model.variables if "kernel" not in v.path}
    model(x, training=True)
    assert seen == {name: pytest.approx(1.0, rel=1e-3) for name in names}
    for path, value in others.items():
        np.testing.assert_array_equal(moved[path], value, err_msg=path)


def test_what_was_copied_stays() -> None:
    network, model = built(Arm(hidden=(5, 4), initializer="lsuv"))
    kernel = np.array(model.get_layer("hidden_1").kernel)
    scaled(network, model, X, copied=("hidden_1",))
    np.testing.assert_array_equal(np.array(model.get_layer("hidden_1").kernel), kernel)


def test_a_layer_that_says_nothing_stays_as_it_is() -> None:
    network, model = built(Arm(hidden=(5,), initializer="lsuv"))
    scaled(network, model, np.zeros_like(X))
    assert np.isfinite(np.array(model.get_layer("hidden_1").kernel)).all()
