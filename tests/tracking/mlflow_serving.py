"""MLflow's own servers on a free port of 127.0.0.1, as long as a test needs them."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self


class Server:
    """A command of MLflow's that serves, which can be killed and started again."""

    def __init__(self, *command: str, answers: str, log: Path, settings: dict[str, str]) -> None:
        """answers: what to ask it for to know that it serves. settings: environment variables."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = str(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}"
        self._command, self._answers = command, answers
        self.log, self._settings = log, settings

    def start(self) -> None:
        """And wait until it answers."""
        where = ("--host", "127.0.0.1", "--port", self._port)
        with self.log.open("w") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", *self._command, *where],
                env=os.environ | self._settings,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        end = time.monotonic() + 120
        while True:
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/{self._answers}", timeout=1) as answer:
                    assert answer.status == 200
                return
            except OSError:
                time.sleep(0.2)

    def workers(self) -> list[int]:
        """Its processes, itself not counted."""
        main = self._process.pid
        return [int(p) for p in Path(f"/proc/{main}/task/{main}/children").read_text().split()]

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """All of its processes, none of which is left when this returns."""
        watched = [os.pidfd_open(pid) for pid in self.workers()]
        os.killpg(self._process.pid, how)
        self._process.wait(timeout=20)
        for process in watched:
            assert select.select([process], [], [], 20)[0]
            os.close(process)

    def tell(self, what: signal.Signals) -> None:
        """Send all of its processes a signal that does not end them."""
        os.killpg(self._process.pid, what)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.end()


def tracking(folder: Path, store: str, *arguments: str, **settings: str) -> Server:
    """MLflow's tracking server, to be started.

    Args:
        folder: artifacts lie in `mlartifacts` there, and what the server says in `server.log`.
        store: URI of the database.
        arguments: of `mlflow server`, besides.
        settings: environment variables, besides ours.
    """
    command = ("server", "--workers", "1", "--backend-store-uri", store)
    command += ("--artifacts-destination", str(folder / "mlartifacts"), *arguments)
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | settings
    return Server(*command, answers="health", log=folder / "server.log", settings=settings)


@contextmanager
def serving(folder: Path, store: str, *arguments: str, **settings: str) -> Iterator[str]:
    """The address of a `tracking` server."""
    with tracking(folder, store, *arguments, **settings) as server:
        server.start()
        yield server.url


@contextmanager
def serving_model(folder: Path, store: str, model: str) -> Iterator[str]:
    """The address of a server of the registered `model`; what it says lies in `serve.log`."""
    command = ("models", "serve", "--model-uri", model, "--env-manager", "local")
    settings = {"MLFLOW_TRACKING_URI": store}
    with Server(*command, answers="ping", log=folder / "serve.log", settings=settings) as server:
        server.start()
        yield server.url
