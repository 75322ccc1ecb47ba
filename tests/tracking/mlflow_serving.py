"""MLflow's own server on a free port of 127.0.0.1, as long as a test needs it."""

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
    """Its address.

    Args:
        folder: artifacts lie in `mlartifacts` there, and what the server says in `server.log`.
        store: URI of the database.
        arguments: of `mlflow server`, besides.
        settings: environment variables, besides ours.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    log = folder / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
                *("--port", str(port), "--workers", "1"),
                *("--backend-store-uri", store),
                *("--artifacts-destination", str(folder / "mlartifacts")),
                *arguments,
            ],
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | settings,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 60
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
                    assert answer.status == 200
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the server and its worker
        process.wait(timeout=20)
