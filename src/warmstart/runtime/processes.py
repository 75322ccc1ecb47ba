"""Worker processes on this machine: single-threaded ones, one per core, so that a trial's weights
stay in that core's cache; or one per GPU. The server of a run forks them, if there is one."""

import gc
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import psutil

from warmstart.errors import InputError
from warmstart.runtime import alike, environment, forked
from warmstart.runtime.lifetime import end_with_parent, end_with_writer
from warmstart.training import setup
from warmstart.training.trials import Cohort

REPORT_SECONDS = 0.1
"""Between two reports of a worker: there are epochs of half a millisecond."""
UNUSED = ("IPython", "jax", "matplotlib", "pandas", "pydot", "sklearn", "tensorflow")
"""Packages that Keras loads where it finds them, for features that no worker needs."""


class StoppedError(Exception):
    """In a worker: its work is not wanted any more."""


class Processes:
    """They read and write our files where they lie."""

    def __init__(
        self, pool: ProcessPoolExecutor, count: int, folder: Path, reports: "_Pipe", stop: "_Pipe"
    ) -> None:
        self.count = count
        self._pool, self._folder, self._reports, self._stop = pool, folder, reports, stop

    def submit(self, work: Callable[..., Any], cohort: Cohort) -> Future[Any]:
        return self._pool.submit(_do, work, cohort, self._folder)

    def next_report(self) -> int | None:
        return self._reports.out.recv()

    def end_reports(self) -> None:
        self._reports.into.send(None)

    def stop(self) -> None:
        self._stop.into.send(None)  # nobody takes it: it is there for all
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Pipe(NamedTuple):
    """Without a lock, which a worker that is killed would keep: what is as short as a number is
    written to a pipe as a whole."""

    out: Connection
    into: Connection


class _Process(SpawnProcess):
    """A process that is forked by the server of the run, or a spawned one, that leaves the user's
    script alone.

    Python has each one import the script of its parent first, for functions that the script may
    have defined. Ours are all in this package, and a script without `if __name__ == "__main__":`
    would start over in every worker.
    """

    forked_for = ""
    """The backend; empty: it is spawned in any case."""

    @property
    def memory(self) -> int:
        """KiB that it took at most; 0 where its parent knows, or it runs."""
        return getattr(vars(self).get("_popen"), "memory", 0)

    @staticmethod
    def _Popen(process: Any) -> Any:  # noqa: N802  (overridden)
        script = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            if process.forked_for:
                with suppress(forked.Refused):
                    return forked.Popen(process, process.forked_for)
            return SpawnProcess._Popen(process)
        finally:
            sys.modules["__main__"] = script


class _Spawn(SpawnContext):
    """Not fork, which a TensorFlow that has computed does not survive."""

    def __init__(self, forked_for: str) -> None:
        super().__init__()
        self._forked_for = forked_for
        self.started: list[_Process] = []

    def Process(self, *arguments: Any, **named: Any) -> _Process:  # type: ignore[override]  # noqa: N802
        self.started.append(_Process(*arguments, **named))
        self.started[-1].forked_for = self._forked_for
        return self.started[-1]


@contextmanager
def start(workers: int | Literal["auto"], folder: Path, backend: str) -> Iterator[Processes]:
    """`workers` processes for `backend`, or one per GPU or core; each sees one GPU at most.

    Raises:
        InputError: if the machine has no memory for a worker that ran, or does not let any start,
            or somebody has ended one.
    """
    gpus = environment.gpus(backend)
    count = (len(gpus) or len(os.sched_getaffinity(0))) if workers == "auto" else workers
    if sys.platform == "linux" and not os.access(_SEMAPHORES, os.W_OK | os.X_OK):
        raise InputError(
            f"{_SEMAPHORES}: expected a folder that can be written, which worker processes need, "
            "received none; mount it (a tmpfs)"
        )
    sys.warnoptions.append(alike.QUIET)  # that process is started with our options
    # what the server knows of GPUs is nothing: each worker is to see its own from the start
    context = _Spawn("" if gpus else backend)
    reports, stop = _Pipe(*context.Pipe(duplex=False)), _Pipe(*context.Pipe(duplex=False))
    devices = context.SimpleQueue()
    for number in range(count if gpus else 0):
        devices.put(gpus[number % len(gpus)])
    try:
        with ProcessPoolExecutor(
            count,
            mp_context=context,
            initializer=_enter,
            initargs=(backend, os.getpid(), devices if gpus else None, reports.into, stop.out),
        ) as pool:
            yield Processes(pool, count, folder, reports, stop)
    except BrokenProcessPool as error:
        if problem := _ended(context.started):
            raise InputError(problem) from error
        raise
    finally:
        sys.warnoptions.remove(alike.QUIET)  # they are those of a notebook, too
        for end in (*reports, *stop):
            end.close()


def _ended(workers: Iterable[_Process]) -> str | None:
    """What to say where one of `workers` ended as it does without memory, or was told to end; None:
    it failed by itself."""
    workers, until = list(workers), time.monotonic() + _END_SECONDS
    while None in (codes := [worker.exitcode for worker in workers]) and time.monotonic() < until:
        time.sleep(0.05)  # the pool, in a thread of its own, is about to end the others
    found = next((code for code in codes if code and -code in _OUT_OF_MEMORY), None)
    if not found:
        # of one that failed the code is its own, and the pool tells the others
        if {code for code in codes if code} != {-signal.SIGTERM}:
            return None
        return (
            "executor.workers: expected worker processes that run to their end, received: one was "
            "ended by SIGTERM, which another program sends; run the command again, which goes on "
            "where it stood"
        )
    total = psutil.virtual_memory().total / 1e9
    took = [worker.memory for worker in workers]
    largest = max(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, *took) * 1024 / 1e9
    return (
        f"executor.workers: expected memory for {len(codes)} of them, received: one was ended by "
        f"{signal.Signals(-found).name}, as happens where memory is short (this machine has "
        f"{total:.1f} GB, the largest process took {largest:.1f} GB); give fewer workers or other "
        "programs less, and run the command again, which goes on where it stood"
    )


_SEMAPHORES = "/dev/shm"
_END_SECONDS = 5.0
_OUT_OF_MEMORY = (signal.SIGKILL, signal.SIGABRT, signal.SIGBUS)
"""How a process ends by Linux, by C++, and by a file in memory where there is no room for it."""
_reports: Any = None  # in a worker process: where it reports epochs,
_stop: Any = None  # what has something to read once its work is to end,
_problem: BaseException | None = None  # and why it could not be set up


def _enter(backend: str, parent: int, devices: Any, reports: Connection, stop: Connection) -> None:
    """Set up a worker process. Where that fails its work does, which has somebody to tell."""
    global _reports, _stop, _problem
    if os.getppid() == parent:
        end_with_parent(parent)
    elif above := multiprocessing.parent_process():
        end_with_writer(above.sentinel)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    _reports, _stop = reports, stop
    try:
        if devices:
            os.environ["CUDA_VISIBLE_DEVICES"] = devices.get()
        set_up(backend)
    except Exception as error:
        _problem = error


def set_up(backend: str) -> None:
    """Load what a worker for `backend` needs into this process."""
    # half of what starting a worker takes would be spent on them; and the million objects that stay
    # for good need not be searched for garbage
    gc.disable()
    with without(set(UNUSED) - {backend}):
        setup.enter(backend)
    gc.freeze()
    gc.enable()


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
    if _problem:
        raise _problem
    waiting, reported = 0, time.monotonic()

    def progress(epochs: int) -> None:
        nonlocal waiting, reported
        waiting += epochs
        if time.monotonic() < reported + REPORT_SECONDS:
            return
        if _stop.poll():
            raise StoppedError
        _reports.send(waiting)
        waiting, reported = 0, time.monotonic()

    done = work(cohort, folder, progress)
    _reports.send(waiting)
    return done
