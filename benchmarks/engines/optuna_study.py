"""Optuna with a worker process per core: they share a study through a journal file."""

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from engines.job import Job, Report, share, trained

STUDY = "learning_rate"


def run(job: Job) -> Report:
    """Every learning rate is enqueued beforehand, so all engines train the same ones."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.log"
        study = optuna.create_study(
            study_name=STUDY, storage=_storage(journal), direction="maximize"
        )
        for number, rate in enumerate(job.learning_rates):
            study.enqueue_trial({"learning_rate": rate}, user_attrs={"number": number})
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        with ProcessPoolExecutor(job.workers, mp_context=context) as pool:
            counts = [share(job, worker).v for worker in range(job.workers)]
            for future in [pool.submit(_work, job, journal, count) for count in counts]:
                future.result()
        reports = [trial.user_attrs["trained"] for trial in study.trials]
    return Report(workers=job.workers, trials=tuple(map(trained, reports)))


def _storage(journal: Path) -> JournalStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFileBackend(str(journal)))


def _work(job: Job, journal: Path, trials: int) -> None:
    """In a worker process: take the next `trials` trials of the study, one after another."""
    from engines import keras_fit
    from warmstart.data.task import Task

    keras_fit.set_threads(1)  # as many as there are cores for it
    task = Task.read(Path(job.task))

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 1e-4, 1.0, log=True)
        number = trial.user_attrs["number"]
        assert rate == job.learning_rates[number]
        found = keras_fit.train(task, job, number, keras_fit.Settings())
        trial.set_user_attr("trained", asdict(found))
        return found.val_accuracy

    optuna.load_study(study_name=STUDY, storage=_storage(journal)).optimize(
        objective, n_trials=trials
    )
