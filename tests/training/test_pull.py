"""L2-SP against arithmetic by hand, against a regularizer of Keras's, and at its two ends."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from small_task import make_task
from warmstart.config.arm import Arm
from warmstart.config.parts import Activation, Clipping, Optimizer
from warmstart.networks import building, choices, saving
from warmstart.runtime.store import Store
from warmstart.training import shared, worker
from warmstart.training.outcomes import Result
from warmstart.training.program import Data, Numbers, Program
from warmstart.training.pull import NEW, Pull
from warmstart.training.trials import Cohort, Phase, Pretrained, Split, Trial

RATE, ALPHA = 0.05, 0.7
LINEAR = Arm(hidden=(4,), activation=Activation(name="linear")).resolve(6)


def test_a_step_by_hand() -> None:
    """One batch of all samples through a network that is linear but for its softmax; the weights
    stand one away from where they are pulled to."""
    task = make_task()
    model = building.build(LINEAR, 6, 3, seed=1)
    start = [np.array(variable) for variable in model.variables]
    pull = Pull(model)
    program = Program(model, choices.optimizer(LINEAR).build(), Data.of(task), 70, pull=pull)
    strengths, origin = pull.of(ALPHA, [v - 1 for v in start], ("hidden_1", "activation_1"))
    assert strengths == (ALPHA, ALPHA, NEW, NEW)
    numbers = Numbers(
        learning_rate=RATE,
        momentum=0,
        clip_threshold=0,
        negative_slope=0,
        pull_strengths=strengths,
        pull_start=origin,
    )
    program.start([start], [numbers])
    ((loss, *_),) = program.epoch(np.arange(70, dtype="int32")[None])

    w, b, v, c = (value.astype(np.float64) for value in start)
    x, hot = task.x_train.astype(np.float64), np.eye(3)[task.y_train]
    hidden = x @ w + b
    shares = np.exp(hidden @ v + c)
    shares /= shares.sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-np.mean(np.log((shares * hot).sum(axis=1))), rel=1e-5)
    out = (shares - hot) / 70
    below = out @ v.T
    gradients = [x.T @ below, below.sum(axis=0), hidden.T @ out, out.sum(axis=0)]
    penalties = [ALPHA * np.ones_like(w), ALPHA * np.ones_like(b), NEW * v, NEW * c]
    for mine, old, g, p in zip(
        program.weights()[0], (w, b, v, c), gradients, penalties, strict=True
    ):
        np.testing.assert_allclose(mine, old - RATE * (g + p), rtol=1e-4, atol=1e-6)


@keras.saving.register_keras_serializable()
class Towards(keras.regularizers.Regularizer):
    def __init__(self, strength: float, origin: np.ndarray) -> None:
        self.strength, self.origin = strength, origin

    def __call__(self, x: Any) -> Any:
        return self.strength / 2 * keras.ops.sum((x - self.origin) ** 2)


@pytest.mark.parametrize("optimizer", ["nesterov", "adam"])
def test_five_steps_as_kerass_with_a_regularizer(optimizer: str) -> None:
    """With batch norm and clipping: the penalty goes where a loss goes, through both."""
    network = Arm(
        hidden=(8,),
        activation=Activation(name="elu"),
        batch_norm="after",
        optimizer=Optimizer(name=optimizer),  # type: ignore[arg-type]
        clipping=Clipping(name="global_norm", threshold=0.5),
    ).resolve(6)
    task = make_task()
    model, plain = building.build(network, 6, 3, seed=1), building.build(network, 6, 3, seed=1)
    start = [np.array(variable) for variable in model.variables]
    copied = ("hidden_1", "activation_1", "batch_norm_1")
    names = {"kernel": "kernel", "bias": "bias", "gamma": "gamma", "beta": "beta"}
    for layer in plain.layers:
        for weight in layer.trainable_weights:
            origin = np.array(weight) if layer.name in copied else np.zeros(weight.shape)
            how = Towards(ALPHA if layer.name in copied else NEW, origin.astype("float32"))
            weight.regularizer = how
            assert weight.name in names
    building.compile_for_use(plain, choices.optimizer(network, RATE).build())
    for rows in np.arange(70).reshape(5, 14):
        plain.train_on_batch(task.x_train[rows], task.y_train[rows])

    pull = Pull(model)
    program = Program(model, choices.optimizer(network).build(), Data.of(task), 14, pull=pull)
    strengths, origin = pull.of(ALPHA, start, copied)
    numbers = Numbers(
        learning_rate=RATE,
        momentum=0.9,
        clip_threshold=0.5,
        negative_slope=0,
        pull_strengths=strengths,
        pull_start=origin,
    )
    program.start([start], [numbers])
    program.epoch(np.arange(70, dtype="int32")[None])
    for mine, keras_s in zip(program.weights()[0], plain.variables, strict=True):
        np.testing.assert_allclose(mine, np.array(keras_s), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """All layers of one of two models A learn at once."""
    folder, network = tmp_path_factory.mktemp("pull"), Arm(hidden=(8, 5)).resolve(6)
    task = make_task()
    task.write(folder / "task.npz")
    for seed in (0, 1):
        saving.save(
            building.compile_for_use(building.build(network, 6, 5, seed=seed)),
            folder / f"{seed}.keras",
        )
    layers = ("hidden_1", "hidden_2", "logits")
    return Cohort(
        structure=network.structure(),
        phases=(Phase(epochs=4, layer_factors=tuple((layer, 1.0) for layer in layers)),),
        splits=(Split(folder / "task.npz", task.digest),),
        batch_size=16,
        root_seed=1,
        sources=tuple(Pretrained.of(folder / f"{seed}.keras") for seed in (0, 1)),
        copied=("hidden_1", "activation_1", "hidden_2", "activation_2"),
        not_copied=("logits",),
        trials=tuple(
            Trial(arm="arm", network=network, seed=seed, learning_rate=0.1) for seed in (0, 1)
        ),
    )


def trained(cohort: Cohort, folder: Path) -> tuple[list[Result], list[list[np.ndarray]]]:
    results = worker.train(cohort, Store(folder), lambda epochs: None)
    return results, [Store(folder).weights(cohort.key(trial)) for trial in cohort.trials]


def test_next_to_no_penalty_is_thaw_at_once_and_a_large_one_pins(
    whole: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, weights = trained(whole, tmp_path / "free")
    compiled, make = [], shared.Program
    monkeypatch.setattr(shared, "Program", lambda *a, **k: compiled.append(1) or make(*a, **k))
    monkeypatch.setattr("warmstart.training.pull.NEW", 0.0)
    loose, same = trained(replace(whole, l2_sp=1e-30), tmp_path / "loose")
    for one, other in zip(free, loose, strict=True):
        assert one.epochs["loss"] == pytest.approx(other.epochs["loss"], rel=1e-5)
    for ours, theirs in zip(weights, same, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    _, pinned = trained(replace(whole, l2_sp=9.0), tmp_path / "pinned")
    assert len(compiled) == 1  # α is a number to one program, and so is each seed's own start
    for seed, source in enumerate(whole.sources):
        start = shared.Source.read(source).model.get_weights()[:-2]
        for free_w, near, origin in zip(weights[seed], pinned[seed], start, strict=False):
            assert np.linalg.norm(near - origin) < 0.3 * np.linalg.norm(free_w - origin)


def test_what_is_off_changes_no_key(whole: Cohort) -> None:
    (trial, *_) = whole.trials
    keys = [whole.key(trial), replace(whole, l2_sp=0.1).key(trial)]
    keys += [replace(whole, l2_sp=0.2).key(trial), replace(whole, fitted="knn").key(trial)]
    assert len(set(keys)) == 4
    assert replace(whole, l2_sp=0.0, fitted=None).key(trial) == keys[0]
