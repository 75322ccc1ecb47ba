"""MLflow's own servers on a free port of 127.0.0.1, as long as a test needs them."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(folder: Path, store: str, *arguments: str, **settings: str) -> Iterator[str]:
    """The tracking server's address.

    Args:
        folder: artifacts lie in `mlartifacts` there, and what the server says in `server.log`.
        store: URI of the database.
        arguments: of `mlflow server`, besides.
        settings: environment variables, besides ours.
    """
    command = ("server", "--workers", "1", "--backend-store-uri", store)
    command += ("--artifacts-destination", str(folder / "mlartifacts"), *arguments)
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | settings
    with _started(command, "health", folder / "server.log", settings) as url:
        yield url


@contextmanager
def serving_model(folder: Path, store: str, model: str) -> Iterator[str]:
    """The address of a server of the registered `model`; what it says lies in `serve.log`."""
    command = ("models", "serve", "--model-uri", model, "--env-manager", "local")
    settings = {"MLFLOW_TRACKING_URI": store}
    with _started(command, "ping", folder / "serve.log", settings) as url:
        yield url


@contextmanager
def _started(
    command: tuple[str, ...], answers: str, log: Path, settings: dict[str, str]
) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", *command),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            env=os.environ | settings,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 120
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            try:
                with urllib.request.urlopen(f"{url}/{answers}", timeout=1) as answer:
                    assert answer.status == 200
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the server and its worker
        process.wait(timeout=20)
