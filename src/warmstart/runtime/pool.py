"""Cohorts on workers: processes of this machine, or those of a Dask cluster."""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from warmstart.config.params import Executor
from warmstart.diagnostics import LayerProbe
from warmstart.errors import InputError
from warmstart.files import replacing
from warmstart.runtime import environment
from warmstart.runtime import processes as local
from warmstart.runtime import store as scratch
from warmstart.training.trials import Cohort, Effort, Learned, Result, Trial, cut

Progress = Callable[[int], None]
Work = Callable[[Cohort, Path, Progress], Any]
"""What a worker does with a cohort: it finds files of the cohort's trials in the folder, leaves new
ones there, and tells how many epochs have passed."""


class Place(Protocol):
    """Where work is done."""

    count: int
    """Workers, each with one piece of work at a time."""

    def submit(self, work: Work, cohort: Cohort) -> Future[Any]: ...

    def hear(self) -> int | None:
        """Wait for epochs to pass; None: there will be no more. Files of trials that are told of
        are in our folder then."""

    def hush(self) -> None:
        """Have `hear` return None, after all that was told before."""

    def stop(self) -> None:
        """Drop all work that is not done."""


class Workers:
    """Train, evaluate and export. What they give depends neither on their number nor place."""

    def __init__(self, place: Place, folder: Path) -> None:
        self._place, self._folder = place, folder
        self.trained = Effort()
        """Since the start; a trial that goes on from a killed run's checkpoint counts whole."""

    def train(
        self,
        cohorts: Sequence[Cohort],
        label: str,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> dict[str, Result]:
        """Results of all trials, by their keys, with progress in epochs on standard error.

        `meanwhile` is done here while the workers start.
        """
        everyone = {
            cohort.key(trial): (cohort, trial) for cohort in cohorts for trial in cohort.trials
        }
        epochs = {key: cohort.epochs for key, (cohort, _) in everyone.items()}
        results = {key: scratch.read(self._folder, key) for key in epochs}
        # cut as if nothing were done: a checkpoint belongs to trials that train together
        pieces = cut([_without(cohort, {}) for cohort in cohorts], self._place.count)
        left = [_without(piece, results) for piece in pieces]
        # a bar on a terminal, a line now and then in a log
        pause = 0.2 if sys.stderr.isatty() else 5
        with tqdm(
            total=sum(epochs.values()),
            initial=sum(epochs[key] for key, result in results.items() if result),
            desc=f"{label}, {len(epochs)} trials",
            unit="epoch",
            mininterval=pause,
            maxinterval=pause,
        ) as bar:
            self._run(_train, [piece for piece in left if piece.trials], bar.update, meanwhile)
        found = {
            key: found
            for key, before in results.items()
            if (found := before or scratch.read(self._folder, key))
        }
        if lost := len(results) - len(found):
            raise RuntimeError(f"{lost} of {len(results)} trials left no result")
        self.trained += Effort.of(
            (*everyone[k], found[k]) for k, before in results.items() if not before
        )
        return found

    def evaluate(self, cohorts: Sequence[Cohort]) -> dict[str, tuple[float, float]]:
        """Test loss and accuracy of all trials, by their keys."""
        pieces = cut(cohorts, self._place.count)
        return {
            piece.key(trial): score
            for piece, scores in zip(pieces, self._run(_evaluate, pieces), strict=True)
            for trial, score in zip(piece.trials, scores, strict=True)
        }

    def profile(self, cohorts: Sequence[Cohort]) -> list[tuple[LayerProbe, ...]]:
        """What the layers of each cohort's first trial are where it starts."""
        return self._run(_profile, cohorts)

    def export(self, cohort: Cohort, trial: Trial, path: Path) -> None:
        """Save a trained trial as a plain Keras model."""
        self._run(_export, [replace(cohort, trials=(trial,))])
        with replacing(path) as unfinished:
            shutil.move(self._folder / f"{cohort.key(trial)}.keras", unfinished)

    def export_encoder(self, cohort: Cohort, trial: Trial, path: Path) -> Learned:
        """Save what of a trained trial other networks start from, and see what it has learned."""
        (learned,) = self._run(_export_encoder, [replace(cohort, trials=(trial,))])
        with replacing(path) as unfinished:
            shutil.move(self._folder / f"{cohort.key(trial)}.keras", unfinished)
        return learned

    def _run(
        self,
        work: Work,
        pieces: Sequence[Cohort],
        tell: Callable[[int], object] = lambda epochs: None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> list[Any]:
        """What `work` returns for each piece; the first failure ends them all."""

        def listen() -> None:
            try:
                while (epochs := self._place.hear()) is not None:
                    tell(epochs)
            except BaseException:
                self._place.stop()
                raise

        with ThreadPoolExecutor(1) as listener:
            heard = listener.submit(listen)
            try:
                futures = [self._place.submit(work, piece) for piece in pieces]
                meanwhile()
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
                found = [future.result() for future in futures]
            except BaseException as error:
                self._place.stop()
                # a listener that failed has cancelled the work, and ends in a moment
                wait([heard], timeout=5 if isinstance(error, CancelledError) else 0)
                if heard.done():
                    heard.result()
                raise
            finally:
                self._place.hush()
            heard.result()
        return found


@contextmanager
def start(options: Executor, folder: Path) -> Iterator[Workers]:
    """Workers as params.yaml's `executor` says; finished trials are kept in `folder`.

    Raises:
        InputError: if KERAS_BACKEND names none of ours, or no fitting Dask worker answers.
    """
    backend = environment.backend()
    if options.address is None:
        with local.start(options.workers, folder, backend) as processes:
            yield Workers(processes, folder)
    else:
        try:  # Dask is loaded for those who ask for it
            from warmstart.runtime import dask_client as cluster
        except ModuleNotFoundError as error:
            if error.name not in ("dask", "distributed"):
                raise
            raise InputError(
                f"executor.address: expected the package {error.name}, found none; install "
                "warmstart[dask], or give null for workers on this machine"
            ) from None
        with cluster.connect(options.address, options.resources, folder, backend) as remote:
            yield Workers(remote, folder)


# Keras is loaded by these, so in workers only


def _train(cohort: Cohort, folder: Path, progress: Progress) -> None:
    from warmstart.training import worker

    worker.train(cohort, folder, progress)


def _evaluate(cohort: Cohort, folder: Path, progress: Progress) -> list[tuple[float, float]]:
    from warmstart.training import worker

    return worker.evaluate_trials(cohort, folder)


def _profile(cohort: Cohort, folder: Path, progress: Progress) -> tuple[LayerProbe, ...]:
    from warmstart.training import worker

    return worker.profile(cohort, cohort.trials[0])


def _export(cohort: Cohort, folder: Path, progress: Progress) -> None:
    from warmstart.training import worker

    trial = cohort.trials[0]
    worker.export(cohort, trial, folder, folder / f"{cohort.key(trial)}.keras")


def _export_encoder(cohort: Cohort, folder: Path, progress: Progress) -> Learned:
    from warmstart.training import worker

    trial = cohort.trials[0]
    return worker.export_encoder(cohort, trial, folder, folder / f"{cohort.key(trial)}.keras")


def _without(cohort: Cohort, results: Mapping[str, Result | None]) -> Cohort:
    """Those trials of `cohort` that `results` has nothing of, one of each key."""
    trials = {cohort.key(trial): trial for trial in cohort.trials}
    return replace(cohort, trials=tuple(t for key, t in trials.items() if not results.get(key)))
