"""MLflow's SQLite databases, bare or behind a server."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from warmstart.tracking.opening import DEFAULTS

ENVIRONMENT = {
    **DEFAULTS,
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Of everything that meets MLflow here: it calls nobody."""


def empty(database: Path) -> Path:
    """A database as MLflow itself makes it, with nothing in it. It is made in a process of its own,
    which takes seconds and counts for nobody."""
    program = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments()"
    command = [sys.executable, "-c", program, f"sqlite:///{database}"]
    subprocess.run(command, env=os.environ | ENVIRONMENT, check=True, stderr=subprocess.DEVNULL)
    return database


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


@contextmanager
def serving(database: Path) -> Iterator[str]:
    """A server on 127.0.0.1, started as `make mlflow` does; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--artifacts-destination", str(database.parent / "mlartifacts")]
    log = database.with_name("server.log")
    with log.open("w") as said:
        process = subprocess.Popen(command, env=os.environ | ENVIRONMENT, stdout=said, stderr=said)
    try:
        end = time.monotonic() + 120
        while not _answers(f"{url}/health"):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"MLflow's server did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
