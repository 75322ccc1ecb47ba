"""What a worker process does with a cohort: train it, evaluate its trials, export one.

TensorFlow is loaded here and nowhere above, so the process that hands out work stays light.
"""

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from warmstart.data.task import Task
from warmstart.networks import initializers, mlp, saving, transfer
from warmstart.records import EPOCH_METRICS, Outcome
from warmstart.seeds import derive, generator
from warmstart.training import optimizers, scratch
from warmstart.training.program import Program, assign, evaluate
from warmstart.training.trials import Cohort, Result, Trial

Progress = Callable[[int], None]


def train(cohort: Cohort, folder: Path, progress: Progress) -> list[Result]:
    """Train every trial of `cohort` that `folder` has no result of yet.

    Results are kept in `folder` as they come. `progress` is told how many epochs have passed.
    """
    found = {trial: scratch.read(folder, cohort.key(trial)) for trial in cohort.trials}
    trainer = None
    results = []
    for trial, result in found.items():
        if result is None:
            trainer = trainer or Trainer(cohort)
            result, weights = trainer.train(trial, progress)
            scratch.write(folder, result, weights)
        else:
            progress(cohort.epochs)
        results.append(result)
    return results


class Trainer:
    """A cohort's model with one compiled program per phase; trials pass through one by one."""

    def __init__(self, cohort: Cohort) -> None:
        self.cohort = cohort
        task = Task.read(cohort.task)
        self.model, self.copied = build(cohort, task)
        self._fresh = [weight.numpy() for weight in self.model.weights]
        self.programs = []
        for phase in cohort.phases:
            transfer.set_frozen(self.model, self.copied, phase.frozen)
            optimizer = optimizers.make(cohort.network)
            self.programs.append(Program(self.model, optimizer, task, cohort.batch_size))

    def train(self, trial: Trial, progress: Progress) -> tuple[Result, list[np.ndarray]]:
        """The trial's result and its weights, in the order of `model.weights`.

        A trial diverges in the epoch whose metrics leave the finite numbers; its weights are then
        those before that epoch, the last finite ones.
        """
        self.initialize(trial)
        orders = generator(self.cohort.root_seed, "batches", trial.seed)
        rows: list[list[float]] = []
        outcome: Outcome = "completed"
        start = time.perf_counter()
        for phase, program in zip(self.cohort.phases, self.programs, strict=True):
            program.start(trial.learning_rate * phase.learning_rate_factor)
            for _ in range(phase.epochs if outcome == "completed" else 0):
                before = self.weights()
                rows.append(program.epoch(orders.permutation(program.samples)))
                progress(1)
                if not np.isfinite(rows[-1]).all():
                    outcome = "diverged"
                    rows[-1] = [float("nan")] * len(EPOCH_METRICS)
                    assign(self.model.weights, before)
                    break
        progress(self.cohort.epochs - len(rows))
        result = Result(
            key=self.cohort.key(trial),
            outcome=outcome,
            epochs=dict(zip(EPOCH_METRICS, zip(*rows, strict=True), strict=True)),
            train_seconds=time.perf_counter() - start,
        )
        return result, self.weights()

    def weights(self) -> list[np.ndarray]:
        return [weight.numpy() for weight in self.model.weights]

    def initialize(self, trial: Trial) -> None:
        """Put the model where `trial` starts: every layer as `build` makes it, with the trial's own
        initializer and seed in the layers that were not copied from a pretrained model."""
        assign(self.model.weights, self._fresh)
        seed = derive(self.cohort.root_seed, "trial", trial.seed)
        for layer in self.model.layers:
            own = mlp.layer_seed(seed, layer.name)
            if isinstance(layer, keras.layers.Dense) and layer.name not in self.copied:
                make = (
                    mlp.head(layer.units, seed).kernel_initializer
                    if layer.name == mlp.HEAD
                    else initializers.make(trial.initializer, own)
                )
                layer.kernel.assign(make(layer.kernel.shape))
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign(keras.random.SeedGenerator(own).state)


def build(cohort: Cohort, task: Task) -> tuple[keras.Sequential, tuple[str, ...]]:
    """The Keras model of the cohort and the names of its layers that came from `source`."""
    if cohort.source is None:
        return mlp.build(cohort.network, task.features, task.classes, cohort.root_seed), ()
    source = transfer.load(cohort.source)
    return transfer.graft(source, task.features, task.classes, cohort.root_seed)


def evaluate_trials(cohort: Cohort, folder: Path) -> list[tuple[float, float]]:
    """Test loss and accuracy of every trial of `cohort`, from the weights in `folder`."""
    task = Task.read(cohort.task)
    model, _ = build(cohort, task)
    scores = []
    for trial in cohort.trials:
        assign(model.weights, scratch.weights(folder, cohort.key(trial)))
        scores.append(evaluate(model, task.x_test, task.y_test))
    return scores


def export(cohort: Cohort, trial: Trial, folder: Path, path: Path) -> None:
    """Save `trial` as a plain Keras model whose `evaluate` gives the recorded values."""
    model, _ = build(cohort, Task.read(cohort.task))
    assign(model.weights, scratch.weights(folder, cohort.key(trial)))
    optimizer = optimizers.make(cohort.network, trial.learning_rate)
    saving.save(mlp.compile_for_use(model, optimizer), path)
