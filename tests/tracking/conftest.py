import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from made_up_results import made_up, publish, write
from mlflow_serving import serving
from seen import Seen, seen
from warmstart.records import read_records
from warmstart.tracking import rows
from warmstart.tracking.opening import DEFAULTS, opened


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Creating MLflow's tables takes a second; copying them does not."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        with opened():
            return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty, with no MLflow settings but those of warmstart's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "setpriority", lambda *_: None)  # tests go on in this process
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in DEFAULTS.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def database(here: Path, empty_database: Path) -> Path:
    """An empty MLflow database in the current folder."""
    return Path(shutil.copy(empty_database, here / "mlflow.db"))


@pytest.fixture
def by_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before a database of another schema: through MLflow's client, run by run."""
    monkeypatch.setattr(rows, "REVISION", "another")


@pytest.fixture
def folder(here: Path) -> Path:
    """Results of a study: 3 arms × 2 learning rates × 3 seeds."""
    return write(here / "results/compare/initializer", *made_up())


@pytest.fixture
def published_at_once(here: Path, empty_database: Path) -> Callable[[Path], Seen]:
    """What MLflow shows of a folder where nothing goes wrong."""

    def publish_there(folder: Path) -> Seen:
        copy = shutil.copy(empty_database, here / f"reference-{folder.name}.db")
        first = read_records(folder / "records.parquet")[0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{copy}")
            publish(folder)
        return seen(f"sqlite:///{copy}", first.study)

    return publish_there


@pytest.fixture
def server(database: Path) -> Iterator[str]:
    with serving(database.parent, f"sqlite:///{database}") as url:
        yield url
