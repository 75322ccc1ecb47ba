"""Keras Tuner's grid search over the learning rate: one trial after another in this process."""

import tempfile
import time
from pathlib import Path
from typing import Any

import keras_tuner

from engines import keras_fit
from engines.job import Job, Report, Trained
from warmstart.data.task import Task


def run(job: Job) -> Report:
    """The tuner as its guide shows it; its checkpoints go to a temporary folder."""
    task = Task.read(Path(job.task))
    search = Search(job, task)
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.GridSearch(
            search, objective="val_accuracy", max_trials=job.v, directory=folder, overwrite=True
        )
        data = keras_fit.feed(task, job.batch, keras_fit.Settings())
        tuner.search(**data, epochs=job.epochs, verbose=0)
    return Report(workers=1, trials=tuple(search.trials))


class Search(keras_tuner.HyperModel):
    """The model to tune, with a clock on its `fit`."""

    def __init__(self, job: Job, task: Task) -> None:
        super().__init__()
        self.job, self.task = job, task
        self.trials: list[Trained] = []

    def build(self, hp: keras_tuner.HyperParameters) -> Any:
        self._start = time.perf_counter()
        rate = hp.Choice("learning_rate", list(self.job.learning_rates))
        return keras_fit.compiled(self.job.network, rate, keras_fit.Settings())

    def fit(self, hp: keras_tuner.HyperParameters, model: Any, *args: Any, **kwargs: Any) -> Any:
        clock = keras_fit.Clock()
        history = model.fit(*args, **kwargs | {"callbacks": [*kwargs["callbacks"], clock]})
        seconds = time.perf_counter() - self._start
        self.trials.append(clock.trained(model, self.job, self.task, seconds))
        return history
