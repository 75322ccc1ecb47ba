"""What a worker process does with a cohort: train it, evaluate its trials, export one.

Every function takes a cohort, the store of its trials and a callback for progress. Keras is loaded
here and nowhere above, so the process that hands out work stays light.
"""

import sys
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np

from warmstart.data.task import Task
from warmstart.networks import autoencoder, choices, mlp, saving, transfer
from warmstart.seeds import derive
from warmstart.training import backends
from warmstart.training.layers import LayerProbe
from warmstart.training.probe import Probe, samples
from warmstart.training.program import Data, assign, measure
from warmstart.training.shared import build, capacity, compile_program
from warmstart.training.trainer import Trainer
from warmstart.training.trials import SHOWN, Cohort, Learned, Progress, Result, Store, Trial


def train(cohort: Cohort, store: Store, progress: Progress) -> list[Result]:
    """Train every trial of `cohort` of which `store` has no result yet, and keep its result there.

    `progress` is called with the number of epochs that have passed since the last call.
    """
    results = {trial: store.read(cohort.key(trial)) for trial in cohort.trials}
    missing = [trial for trial, result in results.items() if result is None]
    progress(cohort.epochs * (len(cohort.trials) - len(missing)))
    data = _data(cohort.task, cohort.task_digest)
    if cohort.autoencoder:
        data = _codes(cohort, data.task)
    at_once = min(len(missing), capacity(cohort, data.task))
    trainer = None
    while missing:
        group = missing[:at_once]
        try:
            trainer = trainer or Trainer(cohort, data, at_once)
            trained = trainer.train(group, store, progress)
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
            store.write(result, weights)
            results[trial] = result
        missing = missing[len(group) :]
    return [result for result in results.values() if result]


def evaluate(cohort: Cohort, store: Store, progress: Progress) -> list[tuple[float, float]]:
    """Test loss and accuracy of every trial of `cohort`, from the weights in `store`."""
    task = _task(cohort)
    models = {}  # what sets trials apart, but for the leaky slope, lies in their weights
    scores = []
    for trial in cohort.trials:
        activation = trial.network.activation
        if activation not in models:
            network = cohort.structure.model_copy(update={"activation": activation})
            models[activation] = build(cohort, task, network)
        assign(models[activation].variables, store.weights(cohort.key(trial)))
        scores.append(measure(models[activation], task.x_test, task.y_test))
    return scores


def profile(cohort: Cohort, store: Store, progress: Progress) -> tuple[LayerProbe, ...]:
    """What the layers of the first trial are where it starts."""
    task, trial = _task(cohort), cohort.trials[0]
    seed = derive(cohort.root_seed, "trial", trial.seed)
    model = mlp.build(trial.network, task.features, task.classes, seed)
    return Probe(model, model.variables, *samples(task)).look(0)


def export(cohort: Cohort, store: Store, progress: Progress) -> list[bool]:
    """Save the first trial as a plain Keras model whose `evaluate` gives the recorded values.

    Returns whether it is right on each validation sample.
    """
    task, trial = _task(cohort), cohort.trials[0]
    model = _trained(cohort, trial, store)
    optimizer = choices.optimizer(trial.network, trial.learning_rate).build()
    optimizer.build(model.trainable_variables)  # Keras cannot load one without its slots
    mlp.compile_for_use(model, optimizer)
    saving.save(model, store.model_path(cohort.key(trial)))
    logits = np.array(model(task.x_validation, training=False))
    return (logits.argmax(axis=1) == task.y_validation).tolist()


def export_encoder(cohort: Cohort, store: Store, progress: Progress) -> Learned:
    """Save what of the first trial others start from: a classifier as `export` does, of an
    autoencoder, unrolled on the one whose codes it was trained on, what `autoencoder.encoder`
    keeps."""
    trial, reconstructions = cohort.trials[0], None
    model = _trained(cohort, trial, store)
    if cohort.autoencoder:
        reconstructions = np.array(model(_task(cohort).x_validation[:SHOWN], training=False))
        path = store.model_path(cohort.key(trial))
        saving.save(autoencoder.encoder(model), path)
    else:
        export(cohort, store, progress)
    return Learned(filters=autoencoder.first_filters(model), reconstructions=reconstructions)


def export_autoencoder(cohort: Cohort, store: Store, progress: Progress) -> None:
    """Save the first trial as the whole autoencoder, unrolled."""
    trial = cohort.trials[0]
    saving.save(_trained(cohort, trial, store), store.model_path(cohort.key(trial)))


@lru_cache(maxsize=4)
def _data(path: Path, digest: str) -> Data:
    """The task at `path`, once per process."""
    return Data.of(Task.read(path))


def _task(cohort: Cohort) -> Task:
    return _data(cohort.task, cohort.task_digest).task


def _codes(cohort: Cohort, task: Task) -> Data:
    """What an autoencoder is trained and validated on."""
    if not cohort.source:
        return Data.reconstructed(task, task.x_train, task.x_validation)
    codes = autoencoder.codes(transfer.load(cohort.source))
    parts = (task.x_train, task.x_validation)
    return Data.reconstructed(task, *(np.array(codes(part, training=False)) for part in parts))


def _trained(cohort: Cohort, trial: Trial, store: Store) -> keras.Sequential:
    """The plain model of `trial`, an autoencoder unrolled."""
    model = build(cohort, _task(cohort), trial.network)
    assign(model.variables, store.weights(cohort.key(trial)))
    if not cohort.autoencoder:
        return model
    return autoencoder.unroll(model, transfer.load(cohort.source) if cohort.source else None)
