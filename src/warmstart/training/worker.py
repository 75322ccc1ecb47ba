"""What a worker process does with a cohort: train it, evaluate its trials, export one.

Keras is loaded here and nowhere above, so the process that hands out work stays light.
"""

import sys
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np

from warmstart.data.task import Task
from warmstart.diagnostics import LayerProbe
from warmstart.networks import autoencoder, choices, mlp, saving, transfer
from warmstart.runtime import store as scratch
from warmstart.seeds import derive
from warmstart.training import backends
from warmstart.training.compiled import build, capacity, compile_program
from warmstart.training.probe import Probe, samples
from warmstart.training.program import Data, assign, evaluate
from warmstart.training.trainer import Progress, Trainer
from warmstart.training.trials import SHOWN, Cohort, Learned, Result, Trial


def train(cohort: Cohort, folder: Path, progress: Progress) -> list[Result]:
    """Train every trial of `cohort` that `folder` has no result of yet.

    Results are kept in `folder` as they come. `progress` is told how many epochs have passed.
    """
    found = {trial: scratch.read(folder, cohort.key(trial)) for trial in cohort.trials}
    missing = [trial for trial, result in found.items() if result is None]
    progress(cohort.epochs * (len(cohort.trials) - len(missing)))
    task, data = _data(cohort.task, cohort.task_digest)
    if cohort.autoencoder:
        data = _codes(cohort, task)
    at_once = min(len(missing), capacity(cohort, task))
    trainer = None
    while missing:
        group = missing[:at_once]
        try:
            trainer = trainer or Trainer(cohort, task, data, at_once)
            trained = trainer.train(group, folder, progress)
        except Exception as error:
            if at_once == 1 or not backends.current().is_out_of_memory(error):
                raise
            trainer, tried, at_once = None, at_once, -(-at_once // 2)
            compile_program.cache_clear()
            print(
                f"out of memory with {tried} trials at once: trying {at_once}",
                file=sys.stderr,
                flush=True,
            )
            continue
        for trial, (result, weights) in zip(group, trained, strict=True):
            scratch.write(folder, result, weights)
            found[trial] = result
        missing = missing[len(group) :]
    return [result for result in found.values() if result]


@lru_cache(maxsize=4)
def _data(path: Path, digest: str) -> tuple[Task, Data]:
    """The task at `path`, once per process."""
    task = Task.read(path)
    return task, Data.of(task)


def _codes(cohort: Cohort, task: Task) -> Data:
    """What an autoencoder is trained and validated on."""
    if not cohort.source:
        return Data.reconstructed(task.x_train, task.x_validation)
    codes = autoencoder.codes(transfer.load(cohort.source))
    parts = (task.x_train, task.x_validation)
    return Data.reconstructed(*(np.array(codes(part, training=False)) for part in parts))


def evaluate_trials(cohort: Cohort, folder: Path) -> list[tuple[float, float]]:
    """Test loss and accuracy of every trial of `cohort`, from the weights in `folder`."""
    task, _ = _data(cohort.task, cohort.task_digest)
    models = {}  # what sets trials apart, but for the leaky slope, lies in their weights
    scores = []
    for trial in cohort.trials:
        activation = trial.network.activation
        if activation not in models:
            network = cohort.structure.model_copy(update={"activation": activation})
            models[activation] = build(cohort, task, network)
        assign(models[activation].variables, scratch.weights(folder, cohort.key(trial)))
        scores.append(evaluate(models[activation], task.x_test, task.y_test))
    return scores


def profile(cohort: Cohort, trial: Trial) -> tuple[LayerProbe, ...]:
    """What the layers are where `trial` starts."""
    task, _ = _data(cohort.task, cohort.task_digest)
    seed = derive(cohort.root_seed, "trial", trial.seed)
    model = mlp.build(trial.network, task.features, task.classes, seed)
    return Probe(model, model.variables, *samples(task)).look(0)


def export(cohort: Cohort, trial: Trial, folder: Path, path: Path) -> None:
    """Save `trial` as a plain Keras model whose `evaluate` gives the recorded values; an
    autoencoder unrolled, on the one whose codes it was trained on."""
    model = _trained(cohort, trial, folder)
    if not cohort.autoencoder:
        optimizer = choices.optimizer(trial.network, trial.learning_rate).build()
        optimizer.build(model.trainable_variables)  # Keras cannot load one without its slots
        mlp.compile_for_use(model, optimizer)
    saving.save(model, path)


def export_encoder(cohort: Cohort, trial: Trial, folder: Path, path: Path) -> Learned:
    """Save what of `trial` others start from: a classifier as `export` does, of an autoencoder
    what `autoencoder.encoder` keeps."""
    model, reconstructions = _trained(cohort, trial, folder), None
    if cohort.autoencoder:
        shown = _data(cohort.task, cohort.task_digest)[0].x_validation[:SHOWN]
        reconstructions = np.array(model(shown, training=False))
        saving.save(autoencoder.encoder(model), path)
    else:
        export(cohort, trial, folder, path)
    return Learned(filters=autoencoder.first_filters(model), reconstructions=reconstructions)


def _trained(cohort: Cohort, trial: Trial, folder: Path) -> keras.Sequential:
    """The plain model of `trial`, an autoencoder unrolled."""
    task, _ = _data(cohort.task, cohort.task_digest)
    model = build(cohort, task, trial.network)
    assign(model.variables, scratch.weights(folder, cohort.key(trial)))
    if not cohort.autoencoder:
        return model
    return autoencoder.unroll(model, transfer.load(cohort.source) if cohort.source else None)
