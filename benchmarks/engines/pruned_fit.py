"""Optuna with a pruner around a plain `fit`: for an arm and a seed a study over learning rates."""

import multiprocessing
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from measuring.pruning import PRUNERS, WORKERS, enqueue
from warmstart.config.arm import Arm

Cost = tuple[int, float]
"""Of a trial: epochs, and processor seconds from the making of its model to its end."""


def run(
    arms: Mapping[str, Arm], rates: Sequence[float], pruner: str, file: Path, epochs: int
) -> list[Cost]:
    """The studies of all `arms`, one after another, each by two processes that share a journal.

    Args:
        arms: resolved.
        file: the samples, standardized, as `Task.write` leaves them.
    """
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(WORKERS, mp_context=context) as pool,
    ):
        costs: list[Cost] = []
        for number, arm in enumerate(arms.values()):
            journal = Path(folder) / f"{number}.log"
            study = optuna.create_study(
                study_name="rates", storage=_storage(journal), direction="maximize"
            )
            enqueue(study, rates, seed=0)
            counts = [len(rates[worker::WORKERS]) for worker in range(WORKERS)]
            work = [
                pool.submit(_work, arm, tuple(rates), pruner, journal, file, epochs, count)
                for count in counts
            ]
            costs += [cost for one in work for cost in one.result()]
    return costs


def _storage(journal: Path) -> JournalStorage:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return JournalStorage(JournalFileBackend(str(journal)))


def _work(
    arm: Arm,
    rates: tuple[float, ...],
    pruner: str,
    journal: Path,
    file: Path,
    epochs: int,
    count: int,
) -> list[Cost]:
    """In a worker process: take the next `count` trials of the study, one after another."""
    import keras

    from engines import keras_fit
    from warmstart.data.task import Task
    from warmstart.networks import building, choices

    keras_fit.set_threads(1)  # as many as there are cores for it
    task = Task.read(file)
    costs: list[Cost] = []

    class Reports(keras.callbacks.Callback):
        def __init__(self, trial: optuna.Trial) -> None:
            super().__init__()
            self.trial, self.epochs = trial, 0

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self.epochs = epoch + 1
            self.trial.report((logs or {})["val_accuracy"], self.epochs)
            if self.trial.should_prune():
                raise optuna.TrialPruned

    def objective(trial: optuna.Trial) -> float:
        start, reports = time.process_time(), Reports(trial)
        rate = trial.suggest_categorical("learning_rate", rates)
        keras.backend.clear_session()
        keras.utils.set_random_seed(trial.number)
        model = building.build(arm, task.features, task.outputs, trial.number)
        building.compile_for_use(model, choices.optimizer(arm, rate).build())
        data = keras_fit.feed(task, 32, keras_fit.Settings())
        try:
            history = model.fit(**data, epochs=epochs, verbose=0, callbacks=[reports])
        finally:
            costs.append((reports.epochs, time.process_time() - start))
        return float(history.history["val_accuracy"][-1])

    study = optuna.load_study(
        study_name="rates", storage=_storage(journal), pruner=PRUNERS[pruner]()
    )
    study.optimize(objective, n_trials=count, catch=(ValueError,))
    return costs
