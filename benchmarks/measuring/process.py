"""One job in a fresh process: its wall time, its memory, its report."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from engines.job import Job, Report

HERE = Path(__file__).parents[1]

_ENVIRONMENT = {
    # the package also where it is not installed
    "PYTHONPATH": os.pathsep.join(
        [str(HERE), str(HERE.parent / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    ),
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "RAY_USAGE_STATS_ENABLED": "0",
}

ON_CORES = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""}

_OWN = {
    "warmstart-jax": {"KERAS_BACKEND": "jax"},
    "floor": {"OPENBLAS_NUM_THREADS": "1"},
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a job took."""

    job: Job
    report: Report
    seconds: float
    """From the start of the process to its end: imports, tracing, compiling, reading, training."""
    memory_mib: float
    """The most that the process and its children held at once (resident; what they share counts
    for each)."""
    disturbed: float
    """What others took of the cores' time meanwhile, from 0 to 1."""


class JobError(Exception):
    """A job's process failed; holds the end of what it said."""


def run(job: Job, environment: Mapping[str, str] = ON_CORES, limit: float | None = None) -> Run:
    """Do `job` where `environment` says, within `limit` seconds.

    Raises:
        JobError: if its process fails.
    """
    done = call(
        [sys.executable, "-m", "engines", job.to_json()],
        {**environment, **_OWN.get(job.engine, {})},
        limit=limit,
    )
    return Run(
        job=job,
        report=Report.from_json(done.printed.splitlines()[-1]),
        seconds=done.seconds,
        memory_mib=done.memory_mib,
        disturbed=done.disturbed,
    )


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a command took; as in `Run`."""

    printed: str
    """On standard output."""
    seconds: float
    processor_seconds: float
    """Of the process and its descendants, as far as they were seen."""
    memory_mib: float
    disturbed: float


def call(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None = None,
    limit: float | None = None,
) -> Call:
    """Run `command` in `folder`, with `environment` beside ours, for at most `limit` seconds;
    nothing of it stays running.

    Raises:
        JobError: if it fails, or takes longer.
    """
    with tempfile.TemporaryFile("w+") as said:
        start, busy = time.perf_counter(), busy_seconds()
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=_inherited() | _ENVIRONMENT | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        with Family(child.pid) as family:
            try:
                printed, _ = child.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                raise JobError(f"{' '.join(command[1:4])}: longer than {limit:.0f} s") from None
            seconds, busy = time.perf_counter() - start, busy_seconds() - busy
        if child.returncode:
            said.seek(0)
            what = " ".join(command[1:4])
            raise JobError(f"{what} ended with {child.returncode}\n{said.read()[-3000:]}")
    return Call(
        printed=printed,
        seconds=seconds,
        processor_seconds=family.busy_seconds,
        memory_mib=family.peak / 2**20,
        disturbed=max(0.0, busy - family.busy_seconds) / (seconds * psutil.cpu_count()),
    )


def _inherited() -> dict[str, str]:
    """Our environment, but for what tells OpenBLAS which processor it runs on: a machine set up for
    reproducible results may have it multiply at half of its speed."""
    return {name: text for name, text in os.environ.items() if not name.startswith("OPENBLAS_")}


class Family:
    """A process and its descendants: watched while the block runs, ended with it."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._first = psutil.Process(pid)
        self._busy = {self._first: 0.0}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Family":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        # what outlives its parents (Ray's servers, anything after Ctrl-C) would disturb the next
        for process in self._busy:
            with contextlib.suppress(psutil.Error):
                process.kill()  # psutil makes sure that the id is still that process's

    @property
    def busy_seconds(self) -> float:
        """Core time of all of them."""
        return sum(self._busy.values())

    def _watch(self) -> None:
        while not self._over.wait(0.3):
            with contextlib.suppress(psutil.Error):
                for process in self._first.children(recursive=True):
                    self._busy.setdefault(process, 0.0)
            held = 0
            for process in self._busy:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    self._busy[process] = times.user + times.system
                    held += process.memory_info().rss
            self.peak = max(self.peak, held)


def busy_seconds() -> float:
    """Core time spent so far, by anybody on this machine."""
    times = psutil.cpu_times()._asdict()
    idle = ("idle", "iowait", "guest", "guest_nice")  # guests are counted as user already
    return sum(seconds for name, seconds in times.items() if name not in idle)
