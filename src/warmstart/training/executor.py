"""Cohorts on worker processes: one single-threaded process per core, so that a trial's weights
stay in one core's cache."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from warmstart.processes import end_with_parent
from warmstart.training.trials import Cohort, Result, Trial, cut

_report: Any = None  # in a worker process: the queue on which it tells of finished epochs


class Workers:
    """Processes that train, evaluate and export. What they give does not depend on their number."""

    def __init__(self, pool: ProcessPoolExecutor, count: int, folder: Path, queue: Any) -> None:
        self._pool, self._count, self._folder, self._queue = pool, count, folder, queue

    def train(self, cohorts: Sequence[Cohort], label: str) -> dict[str, Result]:
        """Results of all trials, by their keys, with progress in epochs on standard error."""
        total = sum(len(cohort.trials) * cohort.epochs for cohort in cohorts)
        trials = sum(len(cohort.trials) for cohort in cohorts)
        with _progress(self._queue, total, f"{label}, {trials} trials"):
            pieces = cut(cohorts, self._count)
            results = self._map(_train, [(piece, self._folder) for piece in pieces])
        return {result.key: result for piece in results for result in piece}

    def evaluate(self, cohorts: Sequence[Cohort]) -> dict[str, tuple[float, float]]:
        """Test loss and accuracy of all trials, by their keys."""
        scores = self._map(_evaluate, [(cohort, self._folder) for cohort in cohorts])
        return {
            cohort.key(trial): score
            for cohort, values in zip(cohorts, scores, strict=True)
            for trial, score in zip(cohort.trials, values, strict=True)
        }

    def export(self, cohort: Cohort, trial: Trial, path: Path) -> None:
        """Save a trained trial as a plain Keras model."""
        self._map(_export, [(replace(cohort, trials=(trial,)), self._folder, path)])

    def _map(self, work: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        futures: list[Future[Any]] = [self._pool.submit(work, *call) for call in calls]
        try:
            return [future.result() for future in futures]
        except BaseException:
            self._pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def start(workers: int | Literal["auto"], folder: Path) -> Iterator[Workers]:
    """Worker processes; they keep finished trials in `folder`."""
    count = len(os.sched_getaffinity(0)) if workers == "auto" else workers
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    queue = context.SimpleQueue()
    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_enter, initargs=(queue, os.getpid())
    ) as pool:
        yield Workers(pool, count, folder, queue)


def _enter(queue: Any, parent: int) -> None:
    """Set up a worker process, before TensorFlow is loaded in it."""
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # oneDNN may change the order of sums, and announces that at every start
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    global _report
    _report = queue

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _train(cohort: Cohort, folder: Path) -> list[Result]:
    from warmstart.training import worker

    return worker.train(cohort, folder, _report.put)


def _evaluate(cohort: Cohort, folder: Path) -> list[tuple[float, float]]:
    from warmstart.training import worker

    return worker.evaluate_trials(cohort, folder)


def _export(cohort: Cohort, folder: Path, path: Path) -> None:
    from warmstart.training import worker

    worker.export(cohort, cohort.trials[0], folder, path)


@contextmanager
def _progress(queue: Any, total: int, label: str) -> Iterator[None]:
    """Show the epochs that workers report on `queue`, until `total` or the end of the block."""

    def show() -> None:
        # a bar on a terminal, a line now and then in a log
        pause = 0.2 if sys.stderr.isatty() else 5
        with tqdm(
            total=total, desc=label, unit="epoch", mininterval=pause, maxinterval=pause
        ) as bar:
            while (epochs := queue.get()) is not None:
                bar.update(epochs)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        queue.put(None)
        thread.join()
