"""The compiled epoch is what Keras computes, step by step, with the same weights and batches.

On JAX bit for bit. On TensorFlow the compiler orders sums as it likes: within float32's rounding
over five steps, and within 1e-9 over an epoch in float64.
"""

from collections.abc import Iterator
from math import prod

import keras
import numpy as np
import pytest

from small_task import make_task
from warmstart.config.arm import Arm
from warmstart.config.augmentation import Augmentation
from warmstart.config.network import Network
from warmstart.config.parts import Activation, BatchNorm, Clipping, GroupNorm, Optimizer, Schedule
from warmstart.data.task import Task
from warmstart.networks import building, choices, schedules
from warmstart.training import convolution
from warmstart.training.fed import feed_slope
from warmstart.training.program import Data, Numbers, Program

JAX = keras.backend.backend() == "jax"
# momenta and slopes that float32 holds exactly: Keras passes them through it even in float64
CASES = {
    "relu": Arm(),
    "selu": Arm(activation=Activation(name="selu")),
    "elu, batch norm": Arm(activation=Activation(name="elu"), batch_norm="input+after"),
    "prelu": Arm(activation=Activation(name="prelu")),
    "rrelu": Arm(activation=Activation(name="rrelu")),
    "both dropouts, batch norm": Arm(
        dropout=0.25, alpha_dropout=0.125, batch_norm=BatchNorm(name="before", momentum=0.75)
    ),
    "skip connections": Arm(
        hidden=(16, 16, 12, 12, 12),
        activation=Activation(name="selu"),
        batch_norm="after",
        skip_connections=True,
    ),
    "leaky relu": Arm(activation=Activation(name="leaky_relu", negative_slope=0.25)),
    "nadam, global norm": Arm(
        optimizer=Optimizer(name="nadam"), clipping=Clipping(name="global_norm", threshold=0.5)
    ),
    "momentum, norm": Arm(
        optimizer=Optimizer(name="momentum", momentum=0.875),
        clipping=Clipping(name="norm", threshold=0.1),
    ),
    "nesterov, value": Arm(
        optimizer=Optimizer(name="nesterov", momentum=0.75),
        clipping=Clipping(name="value", threshold=0.02),
    ),
    "convolutional": Arm(
        network=Network(name="convolutional", filters=(4, 5), convolutions=2),
        activation=Activation(name="elu"),
    ),
    "convolutional, average, augmented": Arm(
        network=Network(name="convolutional", filters=(4,), pooling="average"),
        augmentation=Augmentation(shift=1, flip=True, crop=2),
    ),
    "residual, batch norm": Arm(
        network=Network(name="residual", filters=(4, 6)), batch_norm="before", hidden=()
    ),
    "layer norm, lion, warm-up": Arm(
        layer_norm="before",
        optimizer=Optimizer(name="lion"),
        schedule=Schedule(name="warmup", share=0.5),
    ),
    "group norm, momentum, cosine": Arm(
        group_norm=GroupNorm(name="before", groups=4),
        activation=Activation(name="mish"),
        optimizer=Optimizer(name="momentum", momentum=0.875),
        schedule=Schedule(name="cosine"),
    ),
    "rms norm, muon, global norm": Arm(
        rms_norm="after",
        activation=Activation(name="tanh"),
        optimizer=Optimizer(name="muon"),
        clipping=Clipping(name="global_norm", threshold=0.5),
    ),
    "adam, warm-up and cosine": Arm(
        activation=Activation(name="elu"),
        optimizer=Optimizer(name="adam"),
        schedule=Schedule(name="warmup_cosine", share=0.25),
    ),
}
IMAGE = (7, 8, 2)
ROUNDED = (
    "momentum, norm",
    "convolutional",
    "convolutional, average, augmented",
    "residual, batch norm",
    "group norm, momentum, cosine",
    "adam, warm-up and cosine",
)
"""Where XLA rounds otherwise: when a number is one of the program and not a constant, and since
convolutions are products of patches here."""
RATE, BATCH = 0.05, 16
PARTS = ("train", "validation", "test")


def task_for(case: str, samples: int = 70) -> Task:
    """Images for networks that take them."""
    if not CASES[case].network.is_convolutional:
        return make_task(samples)
    flat = make_task(samples, features=prod(IMAGE))
    arrays = {f"{a}_{part}": getattr(flat, f"{a}_{part}") for a in "xy" for part in PARTS}
    return Task.of(name="full", class_names=flat.class_names, shape=IMAGE, **arrays)


def spans(network: Arm, samples: int) -> tuple[int, int]:
    """Of a phase of one epoch."""
    return schedules.spans(network.schedule, schedules.steps(1, samples, BATCH))


def numbers(network: Arm, rate: float = RATE, samples: int = 70) -> Numbers:
    decay_steps, warmup_steps = spans(network, samples)
    return Numbers(
        decay_steps=decay_steps,
        warmup_steps=warmup_steps,
        learning_rate=rate,
        momentum=network.optimizer.momentum,
        clip_threshold=network.clipping.threshold,
        negative_slope=network.activation.negative_slope,
    )


def make(network: Arm, task: Task, trials: int = 1, batch: int = BATCH) -> Program:
    """The program of `network`'s structure: what is a number is not compiled in."""
    network = Arm(hidden=(16, 12)).changed_by(network).resolve(task.shape).structure()
    model = building.build(network, task.features, task.classes, seed=1)
    return Program(
        model, choices.optimizer(network).build(), Data.of(task), batch, trials, feed_slope(model)
    )


def plain_keras(network: Arm, task: Task, rate: float = RATE, seed: int = 1) -> keras.Model:
    network = Arm(hidden=(16, 12)).changed_by(network).resolve(task.shape)
    model = building.build(network, task.features, task.classes, seed=seed)
    steps = spans(network, len(task.y_train))
    building.compile_for_use(model, choices.optimizer(network, rate, steps).build())
    # TensorFlow draws other numbers with XLA than without, from the same seed; what convolves is
    # not compiled by XLA there
    draws = network.activation.name == "rrelu" or network.dropout > 0 or network.augmentation
    model.jit_compile = JAX or (bool(draws) and not convolution.is_in(model))
    return model


def values(model: keras.Model) -> list[np.ndarray]:
    """Of all variables but those of metrics and the optimizer."""
    seeds = [
        layer.seed_generator.state for layer in model.layers if hasattr(layer, "seed_generator")
    ]
    own = {id(v) for v in [*model.weights, *seeds]}
    return [np.array(v) for v in model.variables if id(v) in own]


def train(plain: keras.Model, task: Task, order: np.ndarray) -> list[float]:
    """One epoch in plain Keras, batch by batch -> its loss and accuracy, and those validated."""
    found, sizes = [], []
    for rows in np.split(order, range(BATCH, len(order), BATCH)):
        found.append(plain.train_on_batch(task.x_train[rows], task.y_train[rows]))
        sizes.append(len(rows))
        plain.reset_metrics()
    validated = plain.evaluate(task.x_validation, task.y_validation, verbose=0)
    return [*np.average(found, axis=0, weights=sizes), *validated]


@pytest.fixture
def float64() -> Iterator[None]:
    if JAX:
        import jax

        jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    if JAX:
        jax.config.update("jax_enable_x64", False)


def order_of(samples: int = 70, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).permutation(samples).astype("int32")


# to the bit on JAX; what TensorFlow rounds is seen better in float64, below
@pytest.mark.parametrize(
    "case",
    CASES
    if JAX
    else [
        "relu",
        "both dropouts, batch norm",
        "skip connections",
        "residual, batch norm",
        "group norm, momentum, cosine",
        "adam, warm-up and cosine",
    ],
)
def test_five_steps_equal_keras(case: str) -> None:
    network, task = CASES[case], task_for(case)  # 4 batches and a rest of 6
    plain, program = plain_keras(network, task), make(network, task)
    program.start([values(plain)], [numbers(network)])
    ours, theirs = program.epoch(order_of()[None])[0], train(plain, task, order_of())
    for mine, keras_s in zip(program.weights()[0], values(plain), strict=True):
        if JAX and case not in ROUNDED:
            np.testing.assert_array_equal(mine, keras_s)
        else:
            np.testing.assert_allclose(mine, keras_s, rtol=1e-5, atol=1e-6)
    assert ours[:4] == pytest.approx(theirs, rel=1e-5)
    assert ours[4] == 1


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("case", CASES)
def test_an_epoch_in_float64_equals_keras(case: str) -> None:
    network, task = CASES[case], task_for(case, samples=1000)  # 62 batches and a rest of 8
    plain, program = plain_keras(network, task), make(network, task)
    program.start([values(plain)], [numbers(network, samples=1000)])
    ours, theirs = program.epoch(order_of(1000)[None])[0], train(plain, task, order_of(1000))
    for mine, keras_s in zip(program.weights()[0], values(plain), strict=True):
        assert mine.dtype == "float64" or mine.dtype.kind in "iu"
        # Keras calculates schedules in float32, whatever its precision; on JAX batch norm, too,
        # which XLA rounds as it fuses it
        single = network.schedule.name != "constant" or (JAX and case == "residual, batch norm")
        rtol, atol = (1e-5, 1e-6) if single else (1e-9, 1e-12)
        np.testing.assert_allclose(mine, keras_s, rtol=rtol, atol=atol)
    assert ours[:4] == pytest.approx(theirs, rel=1e-6)  # Keras's metrics are float32


def test_fit_is_the_same_epoch() -> None:
    """`fit` with the batches in the same order, for the whole epoch and its history."""
    task = make_task()
    network = CASES["elu, batch norm"]
    plain, program = plain_keras(network, task), make(network, task)
    program.start([values(plain)], [numbers(network)])
    order = order_of()
    history = plain.fit(
        task.x_train[order],
        task.y_train[order],
        batch_size=BATCH,
        shuffle=False,
        validation_data=(task.x_validation, task.y_validation),
        verbose=0,
    ).history
    ours = program.epoch(order[None])[0, :4]
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    assert ours == pytest.approx([history[name][0] for name in names], rel=1e-5)


def test_accuracy_is_measured_while_training() -> None:
    """With a learning rate of 0 it is that of the initial weights."""
    task, network = make_task(), Arm()
    plain, program = plain_keras(network, task), make(network, task)
    program.start([values(plain)], [numbers(network, rate=0.0)])
    expected = plain.evaluate(task.x_train, task.y_train, verbose=0)
    assert program.epoch(order_of()[None])[0, :2] == pytest.approx(expected, rel=1e-5)


SHAPE_OF_NUMBERS = Arm(
    activation=Activation(name="leaky_relu"),
    clipping=Clipping(name="norm"),
    optimizer=Optimizer(name="momentum"),
)


def variant(number: int) -> Arm:
    return SHAPE_OF_NUMBERS.changed_by(
        Arm(
            activation=Activation(name="leaky_relu", negative_slope=0.1 * number),
            clipping=Clipping(name="norm", threshold=0.05 * (number + 1)),
            optimizer=Optimizer(name="momentum", momentum=0.5 + 0.1 * number),
        )
    )


def test_one_program_serves_all_numbers_and_keeps_nothing_of_another_trial() -> None:
    task = make_task()
    program = make(SHAPE_OF_NUMBERS, task)
    assert variant(1).structure() == variant(2).structure()
    first: list[np.ndarray] = []
    for number in (1, 2, 3, 1):
        plain = plain_keras(variant(number), task, rate=0.02 * number, seed=number)
        program.start([values(plain)], [numbers(variant(number), 0.02 * number)])
        for epoch in range(2):  # momentum goes over from one to the next
            found = program.epoch(order_of(seed=epoch)[None])[0]
            assert found[:4] == pytest.approx(train(plain, task, order_of(seed=epoch)), rel=1e-4)
        first.append(found)
    np.testing.assert_array_equal(first[0], first[3])


@pytest.mark.skipif(not JAX, reason="only the JAX backend stacks trials")
def test_stacked_trials_are_each_their_own() -> None:
    """Four trials that differ in every number at once: each as plain Keras trains it alone."""
    task = make_task()
    program = make(SHAPE_OF_NUMBERS, task, trials=4)
    models = [plain_keras(variant(n), task, rate=0.02 * (n + 1), seed=n) for n in range(4)]
    program.start(
        [values(m) for m in models], [numbers(variant(n), 0.02 * (n + 1)) for n in range(4)]
    )
    for epoch in range(2):
        orders = np.stack([order_of(seed=10 * epoch + n) for n in range(4)])
        found = program.epoch(orders)
        for n, model in enumerate(models):
            assert found[n, :4] == pytest.approx(train(model, task, orders[n]), rel=1e-4)
    for mine, model in zip(program.weights(), models, strict=True):
        for ours, theirs in zip(mine, values(model), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not JAX, reason="only the JAX backend stacks trials")
def test_a_stacked_trial_that_diverges_or_rests_leaves_the_others_alone() -> None:
    task, network = make_task(), Arm()
    alone, program = make(network, task, trials=2), make(network, task, trials=2)
    good, wild = (
        values(plain_keras(network, task, seed=1)),
        values(plain_keras(network, task, seed=2)),
    )
    orders = np.stack([order_of(seed=1), order_of(seed=2)])
    alone.start([good, good], [numbers(network)] * 2)
    program.start([good, wild], [numbers(network), numbers(network, rate=1e30)])
    expected, found = alone.epoch(orders), program.epoch(orders)
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[:, 4].tolist() == [1, 0]
    for kept, start in zip(program.weights()[1], wild, strict=True):
        np.testing.assert_array_equal(kept, start)  # the last finite ones
    before = program.weights()[0]
    program.epoch(orders, np.array([False, False]))
    for kept, start in zip(program.weights()[0], before, strict=True):
        np.testing.assert_array_equal(kept, start)


def test_a_state_that_was_read_goes_on_as_if_nothing_had_happened() -> None:
    task, network = make_task(), CASES["nadam, global norm"]
    program, other = make(network, task), make(network, task)
    program.start([values(plain_keras(network, task))], [numbers(network)])
    program.epoch(order_of(seed=1)[None])
    other.load(program.state())
    np.testing.assert_array_equal(
        program.epoch(order_of(seed=2)[None]), other.epoch(order_of(seed=2)[None])
    )
    for ours, theirs in zip(program.state()[0], other.state()[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_batch_larger_than_the_data_is_one_batch() -> None:
    task = make_task(samples=10)
    plain, program = plain_keras(Arm(), task), make(Arm(), task, batch=32)
    program.start([values(plain)], [numbers(Arm())])
    program.epoch(np.arange(10, dtype="int32")[None])
    plain.train_on_batch(task.x_train, task.y_train)
    for ours, theirs in zip(program.weights()[0], values(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def step(clipping: Clipping, gradients: list[list[float]]) -> list[np.ndarray]:
    """What SGD with learning rate 1 subtracts for these gradients of two variables."""
    optimizer = choices.optimizer(Arm(clipping=clipping), learning_rate=1.0).build()
    variables = [keras.Variable(np.zeros(len(g), "float32")) for g in gradients]
    optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    return [-np.array(variable) for variable in variables]


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
        ("muon", "Muon", {"exclude_layers": ["logits"]}),
        ("lion", "Lion", {"beta_1": 0.9, "beta_2": 0.99, "weight_decay": None}),
    ],
)
def test_optimizers_are_kerass(name: str, kind: str, settings: dict[str, object]) -> None:
    choice = (
        Optimizer(name=name, momentum=0.8)
        if "momentum" in settings and name != "sgd"
        else (Optimizer(name=name))
    )
    made = choices.optimizer(Arm(optimizer=choice), 0.07).build()
    assert type(made).__name__ == kind
    assert float(made.learning_rate) == pytest.approx(0.07)
    assert {key: made.get_config()[key] for key in settings} == settings
