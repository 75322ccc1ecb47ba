"""Cohorts on workers: processes of this machine, or those of a Dask cluster."""

import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from warmstart.config.params import Executor
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.files import replacing
from warmstart.progress import Bar
from warmstart.runtime import processes, programs
from warmstart.runtime.finished import Finished, decided_by
from warmstart.runtime.store import Store, begin
from warmstart.training import setup
from warmstart.training.layers import LayerProbe
from warmstart.training.outcomes import Learned, Result
from warmstart.training.trials import Cohort, Progress, Split, Trial, cut, races

Job = Literal[
    "train", "evaluate", "profile", "features", "export", "export_encoder", "export_autoencoder"
]
"""A function of `training.worker`."""
SAYS: Mapping[Job, str] = {
    "train": "training",
    "evaluate": "testing",
    "profile": "looking into untrained layers",
    "features": "computing features",
    "export": "saving",
    "export_encoder": "saving",
    "export_autoencoder": "saving",
}
Work = Callable[[Cohort, Path, Progress], Any]
"""What a worker does with a cohort, whose trials have their files in the folder."""


class Place(Protocol):
    """Where work is done."""

    count: int
    """Workers, each with one piece of work at a time."""

    def submit(self, work: Work, cohort: Cohort) -> Future[Any]:
        """Have a worker call `work(cohort, folder, progress)`. It finds files of the cohort's
        trials in the folder, and those that it leaves there come into ours."""

    def next_report(self) -> int | None:
        """Wait until epochs have passed: how many; None: there will be no more. Files of trials
        that are reported are in our folder then."""

    def end_reports(self) -> None:
        """Have `next_report` return None, after all that was reported before."""

    def stop(self) -> None:
        """Drop all work that is not done."""


class Workers:
    """Train, evaluate and export. What they give depends neither on their number nor place.

    Args:
        place: where they are.
        folder: for the trials of this stage.
        finished: trials that were trained before, by any stage; None: there is no such place.
    """

    def __init__(self, place: Place, folder: Path, finished: Finished | None = None) -> None:
        self._place, self._store, self._finished = place, Store(folder), finished
        self._title = folder.name
        self.trained: list[Result] = []
        """Since the start, none that was finished before; a trial that goes on from a killed run's
        checkpoint counts whole."""

    def train(self, cohorts: Sequence[Cohort], label: str) -> dict[str, Result]:
        """Results of all trials, by their keys, with progress on standard error under `label`,
        which starts with the title of what they are for and a comma."""
        self._title = label.partition(",")[0]
        epochs = {c.key(trial): c.epochs for c in cohorts for trial in c.trials}
        fetched = self._fetch(epochs)
        results = {key: result for key in epochs if (result := self._store.read(key))}
        missing = [key for key in epochs if key not in results]
        # as if this stage had done nothing: a checkpoint belongs to trials that train together
        whole = [_unfinished(_only(cohort, epochs), epochs.keys() - fetched) for cohort in cohorts]
        pieces = cut([cohort for cohort in whole if cohort.trials], self._place.count)
        left = [_unfinished(piece, missing) for piece in pieces]
        before, waiting, parts = sum(epochs[key] for key in results), set(missing), _parts(cohorts)

        def look(bar: Bar) -> None:
            # tqdm's monitor looks, too, from a thread of its own
            done = {key for key in tuple(waiting) if self._store.path(key).exists()}
            waiting.difference_update(done)
            bar.counted = f"{len(epochs) - len(waiting):,}/{len(epochs):,} trials"
            if done and parts:
                bar.at(parts[done.pop()])
            self._keep(epochs)

        if fetched:
            line = f"{label}: {len(fetched):,} of {len(epochs):,} trials were trained before"
            print(line, file=sys.stderr, flush=True)
        with Bar(label, sum(epochs.values()), "epochs", initial=before, look=look) as bar:
            try:
                todo = [piece for piece in left if piece.trials]
                self._run(partial(_do, "train"), todo, bar.update)
            finally:
                look(bar)
                bar.at("")
        new = {key: result for key in missing if (result := self._store.read(key))}
        if lost := len(missing) - len(new):
            raise RuntimeError(f"{lost} of {len(epochs)} trials left no result")
        self.trained += new.values()
        if self._finished:
            self._finished.keep(epochs, self._store)
        return results | new

    def _fetch(self, keys: Collection[str]) -> set[str]:
        """Have in our folder what was trained before, by another stage -> which."""
        if not self._finished:
            return set()
        unknown = [key for key in keys if not self._store.path(key).exists()]
        return self._finished.fetch(unknown, self._store)

    def _keep(self, keys: Collection[str]) -> None:
        """Have other stages find those of the trials that are finished."""
        if self._finished:
            self._finished.keep(keys, self._store)

    def evaluate(self, cohorts: Sequence[Cohort]) -> dict[str, dict[str, float]]:
        """What `scores.tested` says of all trials, by their keys."""
        pieces = cut(cohorts, self._place.count)
        return {
            piece.key(trial): score
            for piece, scores in zip(pieces, self._all("evaluate", pieces), strict=True)
            for trial, score in zip(piece.trials, scores, strict=True)
        }

    def profile(self, cohorts: Sequence[Cohort]) -> list[tuple[LayerProbe, ...]]:
        """What the layers of each cohort's first trial are where it starts."""
        return self._all("profile", cohorts)

    def features(self, cohort: Cohort) -> Split:
        """What the backbone of the cohort's one trial makes of its samples. They are computed once,
        and kept as a finished trial is."""
        (trial,) = cohort.trials
        key = cohort.key(trial)
        path = self._store.path(key)
        if not path.exists() and not self._fetch([key]):
            self._all("features", [cohort])
            self._keep([key])
        return Split(path, Task.read(path).digest)

    def export(self, cohort: Cohort, trial: Trial, path: Path) -> list[float]:
        """Save a trained trial as a plain Keras model; what `worker.export` says of each validation
        sample."""
        (seen,) = self._export("export", [(cohort, trial, path)])
        return seen

    def export_autoencoders(self, trained: Sequence[tuple[Cohort, Trial, Path]]) -> None:
        """Save trained autoencoders as a whole, for others to be trained on their codes."""
        self._export("export_autoencoder", trained)

    def export_encoders(self, trained: Sequence[tuple[Cohort, Trial, Path]]) -> list[Learned]:
        """Save what of trained trials other networks start from, and see what they have learned."""
        return self._export("export_encoder", trained)

    def _export(self, job: Job, trained: Sequence[tuple[Cohort, Trial, Path]]) -> list[Any]:
        pieces = [replace(cohort, trials=(trial,)) for cohort, trial, _ in trained]
        answers = self._all(job, pieces)
        for cohort, trial, path in trained:
            exported = self._store.model_path(cohort.key(trial))
            with replacing(path) as unfinished:
                shutil.copyfile(exported, unfinished)
            exported.unlink()
        return answers

    def _all(self, job: Job, pieces: Sequence[Cohort]) -> list[Any]:
        """What `job` returns for each piece, with progress in pieces if it takes its time."""
        with Bar(f"{self._title}, {SAYS[job]}", len(pieces), "pieces", delay=1) as bar:
            return self._run(partial(_do, job), pieces, done=bar.update)

    def _run(
        self,
        work: Work,
        pieces: Sequence[Cohort],
        report: Callable[[int], object] = lambda epochs: None,
        done: Callable[[], object] = lambda: None,
    ) -> list[Any]:
        """What `work` returns for each piece; the first failure ends them all."""

        def listen() -> None:
            try:
                while (epochs := self._place.next_report()) is not None:
                    report(epochs)
            except BaseException:
                self._place.stop()
                raise

        with ThreadPoolExecutor(1) as listener:
            reports = listener.submit(listen)
            try:
                futures = [self._place.submit(work, piece) for piece in pieces]
                for future in futures:
                    future.add_done_callback(lambda _: done())
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
                answers = [future.result() for future in futures]
            except BaseException as error:
                self._place.stop()
                # a listener that failed has cancelled the work, and ends in a moment
                wait([reports], timeout=5 if isinstance(error, CancelledError) else 0)
                if reports.done():
                    reports.result()
                raise
            finally:
                self._place.end_reports()
            reports.result()
        return answers


@contextmanager
def start(options: Executor, folder: Path) -> Iterator[Workers]:
    """Workers as params.yaml's `executor` says; the trials of this stage lie in `folder`.

    Raises:
        InputError: if KERAS_BACKEND names none of ours, or no fitting Dask worker answers.
    """
    backend = setup.backend()
    setup.say_ignored(backend)
    if options.address is None:
        with processes.start(options.workers, folder, backend) as here:
            yield _workers(here, folder, [decided_by(backend)], options)
        return
    try:  # Dask is loaded for those who ask for it
        from warmstart.runtime import dask_client
    except ModuleNotFoundError as error:
        if error.name not in ("dask", "distributed"):
            raise
        raise InputError(
            f"executor.address: expected the package {error.name}, found none; install "
            "warmstart[dask], or give null for workers on this machine"
        ) from None
    with dask_client.connect(options.address, options.resources, folder, backend) as there:
        yield _workers(there, folder, there.decided_by, options)


def _workers(place: Place, folder: Path, decided_by: Collection[str], options: Executor) -> Workers:
    begin(folder, decided_by)
    limit = int(options.kept_gb * 1e9)
    return Workers(place, folder, Finished.of_machine(decided_by, limit))


def _do(job: Job, cohort: Cohort, folder: Path, progress: Progress) -> Any:
    from warmstart.training import worker  # loads Keras, so in workers only

    with programs.at_hand(job, cohort):
        return getattr(worker, job)(cohort, Store(folder), progress)


def _parts(cohorts: Sequence[Cohort]) -> dict[str, str]:
    """Key of a trial -> the part that it belongs to: its labels, its arm or its seed, whichever
    tells some of the trials apart. Empty: nothing does."""
    trials = {c.key(trial): trial for c in cohorts for trial in c.trials}
    for name in ("{0.labels} labels", "{0.arm}", "seed {0.seed}"):
        parts = {key: name.format(trial) for key, trial in trials.items()}
        if len(set(parts.values())) > 1:
            return parts
    return {}


def _unfinished(cohort: Cohort, missing: Collection[str]) -> Cohort:
    """`cohort` with its races of which a trial is missing: those that are done decide with it."""
    wanted = set(missing)
    left = [
        trial
        for race in races(cohort.trials)
        if any(cohort.key(trial) in wanted for trial in race)
        for trial in race
    ]
    return replace(cohort, trials=tuple(left))


def _only(cohort: Cohort, keys: Collection[str]) -> Cohort:
    """`cohort` with one trial for each of `keys` that it has."""
    trials = {cohort.key(trial): trial for trial in cohort.trials}
    return replace(cohort, trials=tuple(t for key, t in trials.items() if key in keys))
