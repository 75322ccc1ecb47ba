"""The compiled epoch is what Keras computes, step by step, with the same weights and batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from small_task import make_task
from warmstart.arms import Activation, Clipping, Network, Optimizer
from warmstart.data.task import Task
from warmstart.networks import mlp, transfer
from warmstart.training import optimizers
from warmstart.training.program import Program, assign, evaluate

CASES = {
    "relu": Network(),
    "selu": Network(activation=Activation(name="selu")),
    "elu, batch norm": Network(activation=Activation(name="elu"), batch_norm="input+after"),
    "prelu": Network(activation=Activation(name="prelu")),
    "nadam, global norm": Network(
        optimizer=Optimizer(name="nadam"), clipping=Clipping(name="global_norm", threshold=0.5)
    ),
    "nesterov, value": Network(
        optimizer=Optimizer(name="nesterov"), clipping=Clipping(name="value", threshold=0.05)
    ),
}


def keras_and_program(network: Network, task: Task, batch: int) -> tuple[keras.Sequential, Program]:
    network = network.changed_by(Network(hidden=(16, 12))).resolve(task.features)
    plain = mlp.build(network, task.features, task.classes, seed=1)
    mlp.compile_for_use(plain, optimizers.make(network, 0.05))
    model = mlp.build(network, task.features, task.classes, seed=1)
    program = Program(model, optimizers.make(network), task, batch)
    program.start(0.05)
    return plain, program


@pytest.mark.parametrize("case", CASES)
def test_five_steps_equal_keras_within_float32_rounding(case: str) -> None:
    task = make_task()
    plain, program = keras_and_program(CASES[case], task, batch=16)  # 4 batches and a rest of 6
    order = np.random.default_rng(3).permutation(70).astype("int32")
    losses = []
    for rows in np.split(order, range(16, 70, 16)):
        losses.append(plain.train_on_batch(task.x_train[rows], task.y_train[rows])[0])
        plain.reset_metrics()
    loss, accuracy, val_loss, val_accuracy = program.epoch(order)
    for ours, theirs in zip(program.model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert loss == pytest.approx(np.average(losses, weights=[16, 16, 16, 16, 6]), rel=1e-5)
    expected = plain.evaluate(task.x_validation, task.y_validation, verbose=0)
    assert [val_loss, val_accuracy] == pytest.approx(expected, rel=1e-5)
    assert 0 <= accuracy <= 1


def test_accuracy_is_measured_while_training() -> None:
    """With a learning rate of 0 it is that of the initial weights."""
    task = make_task()
    plain, program = keras_and_program(Network(), task, batch=16)
    program.start(0.0)
    measured = program.epoch(np.arange(70))
    expected = plain.evaluate(task.x_train, task.y_train, verbose=0)
    assert measured[:2] == pytest.approx(expected, rel=1e-5)


def test_nothing_is_compiled_again_for_another_trial() -> None:
    task = make_task()
    _, program = keras_and_program(Network(), task, batch=16)
    fresh = [weight.numpy() for weight in program.model.weights]
    first = program.epoch(np.arange(70))
    program.start(0.5)
    other = program.epoch(np.arange(70)[::-1])
    assert other != first
    program.start(0.05)
    assign(program.model.weights, fresh)
    assert program.epoch(np.arange(70)) == first  # and nothing of the other trial is left over


def test_momentum_is_forgotten_at_the_start_of_a_trial() -> None:
    task = make_task()
    _, program = keras_and_program(Network(optimizer=Optimizer(name="momentum")), task, batch=16)
    fresh = [weight.numpy() for weight in program.model.weights]
    first = program.epoch(np.arange(70))
    assign(program.model.weights, fresh)
    assert program.epoch(np.arange(70)) != first
    assign(program.model.weights, fresh)
    program.start(0.05)
    assert program.epoch(np.arange(70)) == first


def test_a_program_keeps_the_layers_frozen_with_which_it_was_built() -> None:
    """Thawing reaches only a program built afterwards, as in Keras it takes another compile."""
    task = make_task()
    network = Network(hidden=(16, 12), batch_norm="after").resolve(task.features)
    source = mlp.build(network, task.features, 5, seed=2)
    model, copied = transfer.graft(source, task.features, task.classes, seed=1)
    transfer.set_frozen(model, copied, True)
    frozen = Program(model, optimizers.make(network), task, 16)
    transfer.set_frozen(model, copied, False)
    thawed = Program(model, optimizers.make(network), task, 16)
    layers = [model.get_layer(name) for name in copied if model.get_layer(name).weights]

    def now() -> list[np.ndarray]:
        return [np.array(w) for layer in layers for w in layer.get_weights()]

    before, head = now(), model.layers[-1].get_weights()[0]
    frozen.start(0.1)
    frozen.epoch(np.arange(70))
    for a, b in zip(before, now(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(head, model.layers[-1].get_weights()[0])
    thawed.start(0.1)
    thawed.epoch(np.arange(70))
    assert not any(np.array_equal(a, b) for a, b in zip(before, now(), strict=True))


def test_a_batch_larger_than_the_data_is_one_batch() -> None:
    task = make_task(samples=10)
    plain, program = keras_and_program(Network(), task, batch=32)
    program.epoch(np.arange(10))
    plain.train_on_batch(task.x_train, task.y_train)
    for ours, theirs in zip(program.model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_evaluate_is_kerass() -> None:
    task = make_task()
    plain, _ = keras_and_program(Network(batch_norm="after"), task, batch=16)
    ours = evaluate(plain, task.x_test, task.y_test)
    assert ours == pytest.approx(plain.evaluate(task.x_test, task.y_test, verbose=0), rel=1e-6)


def step(clipping: Clipping, gradients: list[list[float]]) -> list[np.ndarray]:
    """What SGD with learning rate 1 subtracts for these gradients of two variables."""
    optimizer = optimizers.make(Network(clipping=clipping), learning_rate=1.0)
    variables = [keras.Variable(np.zeros(len(g), "float32")) for g in gradients]
    optimizer.apply([tf.constant(g) for g in gradients], variables)
    return [-variable.numpy() for variable in variables]


# |(3, 4)| = 5, |(12,)| = 12, and together 13
GRADIENTS = [[3.0, 4.0], [12.0]]


@pytest.mark.parametrize(
    ("name", "threshold", "expected"),
    [
        ("value", 3.5, [[3, 3.5], [3.5]]),
        ("norm", 6.0, [[3, 4], [6]]),
        ("norm", 2.5, [[1.5, 2], [2.5]]),
        ("global_norm", 6.5, [[1.5, 2], [6]]),
        ("global_norm", 20.0, [[3, 4], [12]]),
    ],
)
def test_clipping_by_hand(name: str, threshold: float, expected: list[list[float]]) -> None:
    taken = step(Clipping(name=name, threshold=threshold), GRADIENTS)
    for ours, theirs in zip(taken, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_no_clipping_leaves_the_gradient() -> None:
    for ours, theirs in zip(step(Clipping(name="none"), GRADIENTS), GRADIENTS, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_clipping_by_value_turns_the_gradient_and_by_norm_does_not() -> None:
    """The chapter's [0.9, 100.0], which becomes [0.9, 1.0] or [0.009, 1.0]."""

    def cosine(clipping: Clipping) -> float:
        (taken,), raw = step(clipping, [[0.9, 100.0]]), np.array([0.9, 100.0])
        return float(taken @ raw / np.linalg.norm(taken) / np.linalg.norm(raw))

    (by_value,) = step(Clipping(name="value"), [[0.9, 100.0]])
    (by_norm,) = step(Clipping(name="norm"), [[0.9, 100.0]])
    np.testing.assert_allclose(by_value, [0.9, 1.0], rtol=1e-6)
    np.testing.assert_allclose(by_norm, [0.00899964, 0.9999595], rtol=1e-5)
    assert cosine(Clipping(name="value")) < 0.76
    assert cosine(Clipping(name="norm")) == pytest.approx(1, abs=1e-6)
    assert cosine(Clipping(name="global_norm")) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("sgd", "SGD", {"momentum": 0.0, "nesterov": False}),
        ("momentum", "SGD", {"momentum": 0.8, "nesterov": False}),
        ("nesterov", "SGD", {"momentum": 0.8, "nesterov": True}),
        ("adam", "Adam", {}),
        ("adamw", "AdamW", {}),
        ("nadam", "Nadam", {}),
        ("rmsprop", "RMSprop", {}),
    ],
)
def test_optimizers_are_kerass(name: str, kind: str, settings: dict[str, object]) -> None:
    choice = (
        Optimizer(name=name, momentum=0.8)
        if "momentum" in settings and name != "sgd"
        else (Optimizer(name=name))
    )
    made = optimizers.make(Network(optimizer=choice), 0.07)
    assert type(made).__name__ == kind
    assert float(made.learning_rate) == pytest.approx(0.07)
    assert {key: made.get_config()[key] for key in settings} == settings
