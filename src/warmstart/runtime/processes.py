"""Worker processes on this machine: single-threaded ones, one per core, so that a trial's weights
stay in that core's cache; or one per GPU."""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from warmstart.runtime import environment
from warmstart.runtime.lifetime import end_with_parent
from warmstart.training import setup
from warmstart.training.trials import Cohort

REPORT_SECONDS = 0.1
"""Between two reports of a worker: there are epochs of half a millisecond."""
UNUSED = ("jax", "matplotlib", "pandas", "sklearn", "tensorflow")
"""Packages that Keras loads where it finds them, for features that no worker needs."""


class StoppedError(Exception):
    """In a worker: its work is not wanted any more."""


class Processes:
    """They read and write our files where they lie."""

    def __init__(
        self, pool: ProcessPoolExecutor, count: int, folder: Path, reports: Any, stopping: Any
    ) -> None:
        self.count = count
        self._pool, self._folder, self._reports, self._stopping = pool, folder, reports, stopping

    def submit(self, work: Callable[..., Any], cohort: Cohort) -> Future[Any]:
        return self._pool.submit(_do, work, cohort, self._folder)

    def next_report(self) -> int | None:
        return self._reports.get()

    def end_reports(self) -> None:
        self._reports.put(None)

    def stop(self) -> None:
        # not by killing them: one that dies while it reports keeps the queue's lock
        self._stopping.set()
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Process(SpawnProcess):
    """A spawned process that leaves the user's script alone.

    Python has each one import the script of its parent first, for functions that the script may
    have defined. Ours are all in this package, and a script without `if __name__ == "__main__":`
    would start over in every worker.
    """

    @staticmethod
    def _Popen(process: BaseProcess) -> Any:  # noqa: N802  (overridden)
        script = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            return SpawnProcess._Popen(process)
        finally:
            sys.modules["__main__"] = script


class _Spawn(SpawnContext):
    """Not fork, which TensorFlow does not survive."""

    Process = _Process


@contextmanager
def start(workers: int | Literal["auto"], folder: Path, backend: str) -> Iterator[Processes]:
    """`workers` processes for `backend`, or one per GPU or core; each sees one GPU at most."""
    gpus = environment.gpus(backend)
    count = (len(gpus) or len(os.sched_getaffinity(0))) if workers == "auto" else workers
    # what a stage that is ended leaves is removed by Python, which need not say so: it is started
    # with our options
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")
    context = _Spawn()
    reports, devices, stopping = context.SimpleQueue(), context.SimpleQueue(), context.Event()
    for number in range(count if gpus else 0):
        devices.put(gpus[number % len(gpus)])
    with ProcessPoolExecutor(
        count,
        mp_context=context,
        initializer=_enter,
        initargs=(backend, os.getpid(), devices if gpus else None, reports, stopping),
    ) as pool:
        yield Processes(pool, count, folder, reports, stopping)


_reports: Any = None  # in a worker process: the queue on which it reports epochs,
_stopping: Any = None  # and the event that ends its work


def _enter(backend: str, parent: int, devices: Any, reports: Any, stopping: Any) -> None:
    """Set up a worker process."""
    global _reports, _stopping
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices.get()
    # half of what starting a worker takes would be spent on them; and the million objects that stay
    # for good need not be searched for garbage
    gc.disable()
    with without(set(UNUSED) - {backend}):
        setup.enter(backend)
    gc.freeze()
    gc.enable()
    _reports, _stopping = reports, stopping


@contextmanager
def without(packages: Iterable[str]) -> Iterator[None]:
    """Have imports inside the block find none of `packages` but those already loaded."""
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # so an import fails
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _do(work: Callable[..., Any], cohort: Cohort, folder: Path) -> Any:
    waiting, reported = 0, time.monotonic()

    def progress(epochs: int) -> None:
        nonlocal waiting, reported
        waiting += epochs
        if time.monotonic() < reported + REPORT_SECONDS:
            return
        if _stopping.is_set():
            raise StoppedError
        _reports.put(waiting)
        waiting, reported = 0, time.monotonic()

    done = work(cohort, folder, progress)
    _reports.put(waiting)
    return done
