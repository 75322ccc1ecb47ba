import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from made_up_results import made_up, write
from warmstart.tracking.store import DEFAULTS, opened


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Creating MLflow's tables takes a second; copying them does not."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    with opened(f"sqlite:///{path}"):
        return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty, with no MLflow settings but those of warmstart's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in DEFAULTS.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def database(here: Path, empty_database: Path) -> Path:
    """An empty MLflow database in the current folder."""
    return Path(shutil.copy(empty_database, here / "mlflow.db"))


@pytest.fixture
def folder(here: Path) -> Path:
    """Results of a study: 3 arms × 2 learning rates × 3 seeds."""
    return write(here / "results/compare/initializer", *made_up())


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(database: Path, free_port: int) -> Iterator[str]:
    url = f"http://127.0.0.1:{free_port}"
    log = Path("server.log")
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
                *("--port", str(free_port), "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{database}"),
                *("--artifacts-destination", str(database.parent / "mlartifacts")),
            ],
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
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
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the server and its worker
        process.wait(timeout=20)
