"""Dask's own scheduler and workers, bound to 127.0.0.1."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed import Client

WORKERS = {
    "plain": ["--nthreads", "1"],
    "tagged": ["--nthreads", "1", "--resources", "GPU=1"],
    "broad": ["--nthreads", "2"],
}
LOCAL = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")


def until(found: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """The first true value of `found()`."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)
    return value


@dataclass
class Dask:
    """A scheduler and its workers, each a process of its own."""

    folder: Path
    address: str = ""
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("w") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments, *LOCAL],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                # the backend is the affair of those who submit
                env={k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"},
            )

    def add_worker(self, name: str) -> None:
        known = ["--no-nanny", "--name", name, *WORKERS[name]]
        self.start(name, "worker", self.address, *known)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def wait_for_workers(self) -> None:
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(len(self.processes) - 1, timeout=60)


@contextmanager
def dask(folder: Path, *more: str) -> Iterator[Dask]:
    """A scheduler without workers.

    Args:
        more: of its arguments
    """
    there = Dask(folder)
    file = folder / "scheduler.json"
    try:
        there.start("scheduler", "scheduler", "--port", "0", "--scheduler-file", str(file), *more)
        text = until(lambda: file.exists() and file.read_text(), "the scheduler")
        there.address = json.loads(text)["address"]
        yield there
    finally:
        for name in there.processes:
            there.kill(name)
