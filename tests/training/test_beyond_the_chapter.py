"""Schedules, LSUV, Muon and Lion through cohorts: steps of a phase, samples of a trial, models."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from small_task import export, make_cohort, make_task
from warmstart.config.arm import Arm
from warmstart.networks import building, choices, lsuv, saving
from warmstart.runtime.store import Store
from warmstart.seeds import derive, generator
from warmstart.training import worker
from warmstart.training.order import Order
from warmstart.training.program import Data
from warmstart.training.trainer import Trainer
from warmstart.training.trials import Cohort, Phase, Pretrained, Trial


def nothing(epochs: int) -> None: ...


def arm(**given: Any) -> Arm:
    return Arm.model_validate({"hidden": (8, 6), "activation": "elu"} | given, strict=False)


def trained(cohort: Cohort, folder: Path) -> list[np.ndarray]:
    """Weights of the first trial."""
    worker.train(cohort, Store(folder), nothing)
    return Store(folder).weights(cohort.key(cohort.trials[0]))


def fitted(cohort: Cohort, start: list[np.ndarray], labels: int | None = None) -> list[np.ndarray]:
    """The weights after Keras alone has trained the first trial, by a CosineDecay of its own for
    each phase, on the batches of the project."""
    trial, task = cohort.trials[0], make_task()
    model = building.build(trial.network, task.features, task.outputs, seed=0)
    model.set_weights(start)
    epoch, count = 0, labels or len(task.y_train)
    rows = (
        Order(cohort.root_seed).seen(replace(trial, labels=labels), task.y_train)
        if labels
        else count
    )
    for phase in cohort.phases:
        rate = trial.learning_rate * phase.learning_rate_factor
        steps = phase.epochs * int(np.ceil(count / cohort.batch_size))
        warmup = int(0.25 * steps)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps - warmup, warmup_target=rate, warmup_steps=warmup
        )
        building.compile_for_use(model, keras.optimizers.SGD(schedule, momentum=0.9))
        for _ in range(phase.epochs):
            order = generator(cohort.root_seed, "batches", trial.seed, epoch).permutation(rows)
            for at in range(0, count, cohort.batch_size):
                batch = order[at : at + cohort.batch_size]
                model.train_on_batch(task.x_train[batch], task.y_train[batch])
            epoch += 1
    return model.get_weights()


@pytest.mark.parametrize("labels", [None, pytest.param(32, marks=pytest.mark.slow)])
def test_a_schedule_spans_each_phase_as_kerass_own(labels: int | None, tmp_path: Path) -> None:
    network = arm(optimizer="momentum", schedule={"warmup_cosine": {"share": 0.25}})
    cohort = make_cohort(tmp_path, network, trials=1)
    phases = (Phase(epochs=1), Phase(epochs=3, learning_rate_factor=0.5))
    rest = labels % cohort.batch_size if labels else None
    trials = tuple(replace(trial, labels=labels) for trial in cohort.trials)
    cohort = replace(cohort, phases=phases, trials=trials, rest=rest)
    start = Trainer(cohort, Data.of(make_task())).initial(cohort.trials[0])
    for ours, theirs in zip(trained(cohort, tmp_path), fitted(cohort, start, labels), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    shares = [arm(schedule={"warmup": {"share": share}}).resolve(6) for share in (0.1, 0.5)]
    assert shares[0].structure() == shares[1].structure()
    assert shares[0].structure() != arm().resolve(6).structure()


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["muon", "lion"])
def test_a_saved_model_goes_on_with_its_optimizer_and_schedule(
    optimizer: str, tmp_path: Path
) -> None:
    network = arm(optimizer=optimizer, schedule="warmup", layer_norm="before", clipping={"norm": 1})
    cohort = make_cohort(tmp_path, network, trials=2)
    cohort = replace(
        cohort, trials=tuple(replace(one, learning_rate=0.003) for one in cohort.trials)
    )
    results = worker.train(cohort, Store(tmp_path), nothing)
    export(cohort, cohort.trials[1], tmp_path, tmp_path / "model.keras")
    task, model = make_task(), saving.portable(saving.load(tmp_path / "model.keras"))
    assert type(model.optimizer).__name__.lower() == optimizer
    assert model.optimizer.get_config()["learning_rate"]["config"]["warmup_target"] == 0.003
    assert float(model.optimizer.learning_rate) == 0
    found = model.evaluate(task.x_validation, task.y_validation, verbose=0)
    assert found[0] == pytest.approx(results[1].epochs["val_loss"][-1], rel=1e-5)
    model.fit(task.x_train, task.y_train, batch_size=16, epochs=2, verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.003)
    assert model.evaluate(task.x_train, task.y_train, verbose=0)[0] < results[1].epochs["loss"][-1]


def starts(cohort: Cohort, trial: Trial) -> dict[str, np.ndarray]:
    trainer = Trainer(cohort, Data.of(make_task()))
    values = trainer.initial(trial)
    variables = zip(trainer.model.variables, values, strict=True)
    return {variable.path.partition("/")[2]: value for variable, value in variables}


def test_lsuv_takes_the_samples_that_a_trial_sees(tmp_path: Path) -> None:
    """All of 70, or 12 of them; the same every time, whatever was trained before."""
    cohort = make_cohort(tmp_path, arm(initializer="lsuv", dropout=0.25), trials=2)
    few = replace(cohort.trials[0], labels=12)
    task, trainer = make_task(), Trainer(cohort, Data.of(make_task()))
    drawn = Order(cohort.root_seed).seen(few, task.y_train)
    for trial, x in ((cohort.trials[0], task.x_train), (few, task.x_train[drawn])):
        kernel = starts(cohort, trial)["hidden_1/kernel"]
        assert float((x @ kernel).std()) == pytest.approx(1, rel=1e-5)
        own = choices.layer_seed(derive(cohort.root_seed, "trial", 0), "hidden_1")
        plain = np.array(choices.initializer(trial.network.initializer, own).build()((6, 8)))
        np.testing.assert_allclose(kernel / kernel[0, 0], plain / plain[0, 0], rtol=1e-4)
    before = trainer.initial(cohort.trials[0])
    trainer.initial(cohort.trials[1])
    trainer.train(cohort.trials[1:], Store(tmp_path), nothing)
    for one, other in zip(before, trainer.initial(cohort.trials[0]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_lsuv_leaves_copies_of_model_a_alone(tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path, arm(initializer="lsuv"), trials=1)
    a = building.build(cohort.trials[0].network, 6, 4, seed=9)
    saving.save(building.compile_for_use(a), tmp_path / "a.keras")
    names = [layer.name for layer in a.layers]
    copied = tuple(name for name in names if name.endswith("_1"))
    on_a = replace(
        cohort,
        sources=(Pretrained.of(tmp_path / "a.keras"),),
        copied=copied,
        not_copied=tuple(name for name in names if name not in copied),
    )
    found, task = starts(on_a, cohort.trials[0]), make_task()
    kernel = np.array(a.get_layer("hidden_1").kernel)
    np.testing.assert_array_equal(found["hidden_1/kernel"], kernel)
    below = keras.activations.elu(task.x_train @ kernel)
    assert float(np.std(below @ found["hidden_2/kernel"])) == pytest.approx(1, rel=1e-5)


def test_a_profile_starts_as_a_trial_does(tmp_path: Path) -> None:
    network = arm(initializer="lsuv", head_initializer="lsuv", activation="tanh")
    cohort = replace(make_cohort(tmp_path, network, trials=1), probed=True)
    looked = worker.profile(cohort, Store(tmp_path), nothing)
    trainer = Trainer(cohort, Data.of(make_task()))
    kernels = [v for v in trainer.initial(cohort.trials[0]) if v.ndim == 2]
    x = make_task().x_train[: lsuv.SAMPLES]
    for kernel, probe in zip(kernels[:-1], looked, strict=False):
        x = np.tanh(x @ kernel)
        assert probe.activation_deviation == pytest.approx(float(x.std()), rel=1e-4)
    assert looked[-1].activation_deviation == pytest.approx(1, rel=1e-4)
