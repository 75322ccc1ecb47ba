import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from made_up_results import made_up, write
from seen import Seen, seen
from warmstart.records import read_records
from warmstart.tracking import _runs
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
def published_at_once(here: Path, empty_database: Path) -> Callable[[Path], Seen]:
    """What MLflow shows of a folder where nothing goes wrong."""

    def publish_there(folder: Path) -> Seen:
        copy = shutil.copy(empty_database, here / "reference.db")
        first = read_records(folder / "records.parquet")[0]
        with opened(f"sqlite:///{copy}") as store:
            store.bring(first.stage, first.study, _runs(folder))
        return seen(f"sqlite:///{copy}", first.study)

    return publish_there


class Server:
    """A real one, on a port of its own, that can be killed and started again."""

    def __init__(self, database: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.database = database

    def start(self) -> None:
        """And wait until it answers."""
        log = self.database.with_name("server.log")
        with log.open("w") as out:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
                    *("--port", str(self._port), "--workers", "1"),
                    *("--backend-store-uri", f"sqlite:///{self.database}"),
                    *("--artifacts-destination", str(self.database.parent / "mlartifacts")),
                ],
                env=os.environ | DEFAULTS | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        end = time.monotonic() + 60
        while True:
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:
                    assert answer.status == 200
                return
            except (urllib.error.URLError, OSError):
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.end()


@pytest.fixture
def server(database: Path) -> Iterator[str]:
    with Server(database) as process:
        process.start()
        yield process.url
