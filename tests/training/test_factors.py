"""Frozen layers stand still to the bit, slower ones take the step of Keras's own optimizer at a
lower rate."""

import keras
import numpy as np
import pytest

from small_task import make_task
from warmstart.config.arm import Arm
from warmstart.config.parts import Activation, Clipping, Optimizer
from warmstart.networks import building, choices
from warmstart.training.fed import Factors
from warmstart.training.program import Data, Numbers, Program

RATE, BATCH = 0.05, 14  # five whole batches
NETWORK = Arm(
    hidden=(8, 6),
    # smooth: a dead unit's gradient is rounding, which Adam blows up
    activation=Activation(name="elu"),
    batch_norm="after",
    optimizer=Optimizer(name="adamw"),  # whose decay must not reach a frozen layer either
    clipping=Clipping(name="global_norm", threshold=0.5),
).resolve(6)
LAYERS = ("hidden_1", "batch_norm_1", "hidden_2", "batch_norm_2", "logits")
FROZEN = LAYERS[:2]


class Case:
    """One compiled program, and a start whose batch norm has seen something already."""

    def __init__(self) -> None:
        self.task = make_task()
        self.model = self.build()
        self.start = [np.array(variable) for variable in self.model.variables]
        self.program = Program(
            self.model,
            choices.optimizer(NETWORK).build(),
            Data.of(self.task),
            BATCH,
            factors=Factors(self.model),
        )

    def build(self) -> keras.Sequential:
        model = building.build(NETWORK, 6, 3, seed=1)
        model.get_layer("batch_norm_1").moving_mean.assign(np.linspace(-1, 1, 8))
        return model

    def epoch(self, *factors: float) -> list[np.ndarray]:
        """From the start -> the program's state after an epoch."""
        numbers = Numbers(
            learning_rate=RATE,
            momentum=0.9,
            clip_threshold=0.5,
            negative_slope=0.2,
            layer_factors=factors,
        )
        self.program.start([self.start], [numbers])
        before = self.program.state()[0]
        self.program.epoch(np.arange(70, dtype="int32")[None])
        self.before, self.after = before, self.program.state()[0]
        return self.after

    def moved(self) -> dict[str, list[bool]]:
        """Whether each variable and slot of each layer has moved, to the bit."""
        variables = [*self.model.variables, *self.program.optimizer.variables]
        found: dict[str, list[bool]] = {layer: [] for layer in LAYERS}
        for variable, old, new in zip(variables, self.before, self.after, strict=False):
            for layer in LAYERS:
                if layer in variable.path and variable.shape:
                    found[layer].append(old.tobytes() != new.tobytes())
        return found


@pytest.fixture(scope="module")
def case() -> Case:
    return Case()


def test_frozen_means_frozen_to_the_bit(case: Case) -> None:
    """Weights, batch norm's statistics and Adam's two slots for every weight."""
    case.epoch(0, 0, 1, 1, 1)
    assert case.moved() == {
        "hidden_1": [False] * (2 + 4),
        "batch_norm_1": [False] * (4 + 4),
        "hidden_2": [True] * (2 + 4),
        "batch_norm_2": [True] * (4 + 4),
        "logits": [True] * (2 + 4),
    }
    case.epoch(0.1, 1, 1, 1, 1)  # the same program, thawed
    assert all(all(moved) for moved in case.moved().values())


def test_frozen_layers_compute_what_kerass_do(case: Case) -> None:
    """As with `trainable = False` before `compile`: what still learns ends at the same weights.
    Batch norm uses its statistics, and the norm of the gradient is that of what learns."""
    plain = case.build()
    for layer in FROZEN:
        plain.get_layer(layer).trainable = False
    building.compile_for_use(plain, choices.optimizer(NETWORK, RATE).build())
    for rows in np.arange(70).reshape(5, BATCH):
        plain.train_on_batch(case.task.x_train[rows], case.task.y_train[rows])
    ours = case.epoch(0, 0, 1, 1, 1)
    for variable, mine in zip(case.model.variables, ours, strict=False):
        *_, layer, name = variable.path.split("/")
        (keras_s,) = [v for v in plain.get_layer(layer).variables if v.name == name]
        np.testing.assert_allclose(mine, np.array(keras_s), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    ["sgd", "momentum", "nesterov", "adam", "adamw", "nadam", "rmsprop", "muon", "lion"],
)
def test_a_factor_is_a_learning_rate_of_ones_own(name: str) -> None:
    """Five steps by random gradients, against one optimizer of Keras's for each layer."""
    network = NETWORK.changed_by(
        Arm(optimizer=Optimizer(name=name), clipping=Clipping(name="norm", threshold=2.0))
    )
    model, reference = building.build(network, 6, 3, seed=1), building.build(network, 6, 3, seed=1)
    factors, steps = Factors(model), (0.3, 1.0, 0.05, 2.0, 0.0)
    factors.fed.variable.assign(steps)
    ours = choices.optimizer(network, RATE).build()
    theirs = {
        layer: choices.optimizer(network, RATE * step).build()
        for layer, step in zip(LAYERS, steps, strict=True)
    }
    draw = np.random.default_rng(0)
    for _ in range(5):
        gradients = {v.path: draw.normal(size=v.shape) for v in model.trainable_variables}
        values = [keras.ops.convert_to_tensor(g, "float32") for g in gradients.values()]
        factors.apply(ours, values, factors.before())
        for layer, optimizer in theirs.items():
            weights = reference.get_layer(layer).trainable_variables
            optimizer.apply(
                [keras.ops.convert_to_tensor(gradients[w.path], "float32") for w in weights],
                weights,
            )
    for mine, keras_s in zip(model.variables, reference.variables, strict=True):
        # a step is lost in the last bits of a weight of 1 where the rate is low
        np.testing.assert_allclose(np.array(mine), np.array(keras_s), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ["muon", "lion"])
def test_no_sign_and_no_direction_moves_a_frozen_layer(name: str) -> None:
    """Both make steps of a length of their own out of any gradient: of none, out of 0, too."""
    network = NETWORK.changed_by(Arm(optimizer=Optimizer(name=name)))
    model = building.build(network, 6, 3, seed=1)
    factors, optimizer = Factors(model), choices.optimizer(network, RATE).build()
    optimizer.build(model.trainable_variables)
    factors.fed.variable.assign([0.0, 0.0, 1.0, 1.0, 1.0])
    variables = [*model.variables, *optimizer.variables]
    start = [np.array(variable) for variable in variables]
    draw = np.random.default_rng(0)
    for _ in range(2):
        gradients = [draw.normal(size=v.shape) for v in model.trainable_variables]
        values = [keras.ops.convert_to_tensor(gradient, "float32") for gradient in gradients]
        factors.apply(optimizer, values, factors.before())
    for variable, old in zip(variables, start, strict=True):
        if any(layer in variable.path for layer in LAYERS) and "moving" not in variable.path:
            frozen = any(layer in variable.path for layer in FROZEN)
            assert np.array_equal(np.array(variable), old) == frozen, variable.path
            assert np.isfinite(np.array(variable)).all()


def test_factors_are_given_for_every_layer_with_weights() -> None:
    factors = Factors(building.build(NETWORK, 6, 3, seed=1))
    given = [(layer, float(i)) for i, layer in enumerate(reversed((*LAYERS, "activation_1")))]
    assert factors.of(given) == (5, 4, 3, 2, 1)
    assert factors.of([]) == (1, 1, 1, 1, 1)
    with pytest.raises(ValueError, match=r"each of hidden_1, .*without batch_norm_1, logits$"):
        factors.of([(layer, 0.0) for layer in ("hidden_1", "hidden_2", "batch_norm_2")])
