"""What a worker process does with a cohort: train it, evaluate its trials, export one.

Every function takes a cohort, the store of its trials and a callback for progress. Keras is loaded
here and nowhere above, so the process that hands out work stays light.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import keras
import numpy as np

from warmstart.config.parts import Activation
from warmstart.data.task import Task
from warmstart.networks import autoencoder, backbones, building, choices, lsuv, saving, schedules
from warmstart.seeds import derive
from warmstart.training import backends, convolution, fitted, race, scores, shared
from warmstart.training.fed import Fed
from warmstart.training.layers import LayerProbe
from warmstart.training.objective import balanced
from warmstart.training.outcomes import SHOWN, Learned, Outcome, Result, Standing, Store
from warmstart.training.probe import TOGETHER, Probe, samples
from warmstart.training.program import Data, assign
from warmstart.training.shared import Source, build, capacity
from warmstart.training.trainer import Trainer
from warmstart.training.trials import Cohort, Pretrained, Progress, Split, Trial


def train(cohort: Cohort, store: Store, progress: Progress) -> list[Result]:
    """Train every trial of `cohort` of which `store` has no result yet, and keep its result there.

    `progress` is called with the number of epochs that have passed since the last call.
    """
    results = {trial: store.read(cohort.key(trial)) for trial in cohort.trials}
    missing = [trial for trial, result in results.items() if result is None]
    progress(cohort.epochs * (len(cohort.trials) - len(missing)))
    if cohort.fitted:
        for trial in _by_data(cohort, missing):
            result, weights = fitted.train(cohort, trial, _task(cohort, trial))
            store.write(result, weights)
            results[trial] = result
            progress(cohort.epochs)
        return [result for result in results.values() if result]
    sizes = Counter(_seen(cohort, trial) for trial in missing).values()
    at_once = min(max(sizes, default=0), capacity(cohort, _task(cohort, cohort.trials[0])))
    train = _Groups(cohort, store, progress, at_once)

    def keep(trial: Trial, standing: Standing, outcome: Outcome | None = None) -> None:
        result, weights = train.trainer.finished(trial, standing, outcome)
        store.write(result, weights)
        results[trial] = result

    rung = race.rung(cohort)
    for seen in dict.fromkeys(_seen(cohort, trial) for trial in missing):
        left = [trial for trial in missing if _seen(cohort, trial) == seen]
        early: dict[Trial, Standing] = {}
        if rung < cohort.epochs:
            early = dict(train([trial for trial in left if trial.rivals], until=rung))
            lost = race.losers(cohort, _task(cohort, left[0]).kind, early, results)
            for trial, standing in early.items():
                if trial in lost or train.trainer.is_over(standing):
                    keep(trial, standing, "dropped" if trial in lost else None)
                    progress(cohort.epochs - max(rung, _epochs(standing)))
        left = [trial for trial in left if not results[trial]]
        for trial, standing in train(left, early):
            keep(trial, standing)
    return [result for result in results.values() if result]


def _epochs(standing: Standing | None) -> int:
    return len(standing.rows) if standing else 0


class _Groups:
    """Trains trials in groups that fit into memory.

    Args:
        at_once: how many are tried first.
    """

    def __init__(self, cohort: Cohort, store: Store, progress: Progress, at_once: int) -> None:
        self._cohort, self._store, self._progress = cohort, store, progress
        self._at_once = at_once
        self._trainer: Trainer | None = None

    @property
    def trainer(self) -> Trainer:
        assert self._trainer
        return self._trainer

    def __call__(
        self,
        trials: Sequence[Trial],
        standings: Mapping[Trial, Standing] | None = None,
        until: int | None = None,
    ) -> Iterator[tuple[Trial, Standing]]:
        """Take `trials` that see the same from their `standings` to the epoch `until`."""
        standings = standings or {}
        # only those after as many epochs can go on together
        left = sorted(trials, key=lambda trial: _epochs(standings.get(trial)))
        while left:
            split, below = _seen(self._cohort, left[0])
            if self._cohort.autoencoder:
                data = _codes(split, below)
            else:
                data = _data(split, self._cohort.on_features)
            done = _epochs(standings.get(left[0]))
            group = [t for t in left[: self._at_once] if _epochs(standings.get(t)) == done]
            known = [standings[trial] for trial in group] if done else []
            try:
                self._trainer = self._trainer or Trainer(self._cohort, data, self._at_once)
                self._trainer.data = data
                reached = self._trainer.train(
                    group, self._store, self._progress, standings=known, until=until
                )
            except Exception as error:
                if self._at_once == 1 or not backends.current().is_out_of_memory(error):
                    raise
                tried, self._at_once = self._at_once, -(-self._at_once // 2)
                self._trainer = None
                shared.forget_programs()
                print(
                    f"out of memory with {tried} trials at once: trying {self._at_once}",
                    file=sys.stderr,
                    flush=True,
                )
                continue
            yield from zip(group, reached, strict=True)
            left = left[len(group) :]


def evaluate(cohort: Cohort, store: Store, progress: Progress) -> list[dict[str, float]]:
    """What `scores.tested` says of every trial of `cohort`, from the weights in `store`."""
    by_data, found = _by_data(cohort, cohort.trials), {}
    if cohort.fitted == "knn":
        found = {trial: fitted.tested(cohort, trial, _task(cohort, trial)) for trial in by_data}
        return [found[trial] for trial in cohort.trials]
    # what sets trials apart, but for the leaky slope, lies in their weights
    alike: dict[Activation, list[Trial]] = defaultdict(list)
    for trial in by_data:
        alike[trial.network.activation].append(trial)
    for activation, trials in alike.items():
        task = _task(cohort, trials[0])
        network = cohort.structure.model_copy(update={"activation": activation})
        model, at_once = build(cohort, task, network), min(TOGETHER, capacity(cohort, task))
        for trial, outputs in _outputs(cohort, trials, model, store, at_once):
            found[trial] = scores.tested(outputs, _task(cohort, trial))
    return [found[trial] for trial in cohort.trials]


def _outputs(
    cohort: Cohort, trials: Sequence[Trial], model: keras.Model, store: Store, at_once: int
) -> Iterator[tuple[Trial, Any]]:
    """What `model` puts out for the test samples of each of `trials`, of `at_once` together."""
    if at_once == 1:
        for trial in trials:
            assign(model.variables, store.weights(cohort.key(trial)))
            yield trial, scores.outputs(model, _task(cohort, trial))
        return
    mapped = backends.current().mapped(partial(convolution.outputs, model), model.variables)
    for seen in dict.fromkeys(cohort.split(trial) for trial in trials):
        own = [trial for trial in trials if cohort.split(trial) == seen]
        x = backends.current().place(_task(cohort, own[0]).x_test)
        for start in range(0, len(own), at_once):
            group = own[start : start + at_once]
            weights = [store.weights(cohort.key(trial)) for trial in group]
            states = [np.stack(values) for values in zip(*weights, strict=True)]
            yield from zip(group, mapped(states, x), strict=True)


def profile(cohort: Cohort, store: Store, progress: Progress) -> tuple[LayerProbe, ...]:
    """What the layers of the first trial are where it starts."""
    trial = cohort.trials[0]
    task, seed = _task(cohort, trial), derive(cohort.root_seed, "trial", trial.seed)
    model, weights = building.build(trial.network, task.features, task.outputs, seed), None
    lsuv.scale(model, lsuv.chosen(trial.network, model), task.x_train)
    if trial.network.class_weight == "balanced":
        weights = Fed(np.array(balanced(task.y_train, task.classes)))
    return Probe(model, model.variables, *samples(task), class_weights=weights).look(0)


def export(cohort: Cohort, store: Store, progress: Progress) -> list[float]:
    """Save the first trial as a plain Keras model whose `evaluate` gives the recorded values.

    Returns of each validation sample 1 if it is right there, else 0; of a regression its absolute
    error in the unit of the target.
    """
    trial = cohort.trials[0]
    task, model = _task(cohort, trial), _trained(cohort, trial, store)
    outputs = np.array(convolution.outputs(model, task.x_validation))
    if cohort.on_features:
        source = cohort.source(trial)
        assert source
        _, standardization = backbones.standardized(Task.read(cohort.split(trial).file))
        model = backbones.join(backbones.load(source.file), standardization, model)
    # a head that was fitted had no rate: who goes on with `fit` has Keras's own
    rate = trial.learning_rate or 0.01
    samples = trial.labels or len(task.y_train)
    steps = schedules.steps(cohort.phases[-1].epochs, samples, cohort.batch_size)
    spans = schedules.spans(trial.network.schedule, steps)
    optimizer = choices.optimizer(trial.network, rate, spans).build()
    optimizer.build(model.trainable_variables)  # Keras cannot load one without its slots
    building.compile_for_use(model, optimizer)
    saving.save(model, store.model_path(cohort.key(trial)))
    if task.kind == "regression":
        off = outputs[:, 0].astype(np.float64) - task.y_validation
        return (np.abs(off) * task.target[1]).tolist()
    return (outputs.argmax(axis=1) == task.y_validation).astype(np.float64).tolist()


def features(cohort: Cohort, store: Store, progress: Progress) -> None:
    """Write what the backbone of the first trial makes of its samples where its result would be."""
    for trial in cohort.trials[:1]:  # none: Dask's worker died after it had sent the file
        source = cohort.source(trial)
        assert source
        task = Task.read(cohort.split(trial).file)
        made = backbones.task_of_features(task, backbones.load(source.file))
        made.write(store.path(cohort.key(trial)), lasting=False)


def export_encoder(cohort: Cohort, store: Store, progress: Progress) -> Learned:
    """Save what of the first trial others start from: a classifier as `export` does, of an
    autoencoder, unrolled on the one whose codes it was trained on, what `autoencoder.encoder`
    keeps."""
    trial, reconstructions = cohort.trials[0], None
    model = _trained(cohort, trial, store)
    if cohort.autoencoder:
        reconstructions = np.array(model(_task(cohort, trial).x_validation[:SHOWN], training=False))
        path = store.model_path(cohort.key(trial))
        saving.save(autoencoder.encoder(model), path)
    else:
        export(cohort, store, progress)
    return Learned(filters=autoencoder.first_filters(model), reconstructions=reconstructions)


def export_autoencoder(cohort: Cohort, store: Store, progress: Progress) -> None:
    """Save the first trial as the whole autoencoder, unrolled."""
    trial = cohort.trials[0]
    saving.save(_trained(cohort, trial, store), store.model_path(cohort.key(trial)))


@lru_cache(maxsize=2)  # Fashion-MNIST's turned images are 0.7 GB a split
def _data(split: Split, on_features: bool) -> Data:
    """What is in the file of `split`, read once for all trials in turn that see it. Features of a
    backbone are standardized."""
    task = Task.read(split.file)
    return Data.of(backbones.standardized(task)[0] if on_features else task)


def _task(cohort: Cohort, trial: Trial) -> Task:
    return _data(cohort.split(trial), cohort.on_features).task


def _seen(cohort: Cohort, trial: Trial) -> tuple[Split, Pretrained | None]:
    """The samples of `trial`, and the network whose codes of them it is trained on, if any."""
    return cohort.split(trial), cohort.source(trial) if cohort.autoencoder else None


def _by_data(cohort: Cohort, trials: Iterable[Trial]) -> list[Trial]:
    """`trials` with those that see the same next to each other, so that it is loaded once."""
    seen = list(dict.fromkeys(_seen(cohort, trial) for trial in trials))
    return sorted(trials, key=lambda trial: seen.index(_seen(cohort, trial)))


@lru_cache(maxsize=1)
def _codes(split: Split, source: Pretrained | None) -> Data:
    """What an autoencoder on the codes of `source` is trained and validated on."""
    task = _data(split, False).task
    if not source:
        return Data.reconstructed(task, task.x_train, task.x_validation)
    codes = autoencoder.codes(Source.read(source).model)
    parts = (task.x_train, task.x_validation)
    return Data.reconstructed(task, *(np.array(codes(part, training=False)) for part in parts))


def _trained(cohort: Cohort, trial: Trial, store: Store) -> keras.Model:
    """The plain model of `trial`, an autoencoder unrolled."""
    model = build(cohort, _task(cohort, trial), trial.network)
    assign(model.variables, store.weights(cohort.key(trial)))
    if not cohort.autoencoder:
        return model
    source = cohort.source(trial)
    return autoencoder.unroll(model, Source.read(source).model if source else None)
