"""Whatever is wrong with MLflow costs a stage one line on stderr, and `make track` a clear one."""

import resource
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from made_up_results import made_up, publish, publish_all, publish_quietly, write
from warmstart.errors import InputError
from warmstart.tracking.publish import Published


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def warning_of(folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that `publish_quietly` writes, or fail."""
    publish_quietly(folder)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("warning: not all of ")
    assert err.count("\n") == 1
    return err


def test_a_server_that_is_down(
    folder: Path,
    closed_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port}")
    before = time.perf_counter()
    assert "Connection refused" in warning_of(folder, capfd)
    assert time.perf_counter() - before < 15
    with pytest.raises(InputError) as raised:
        publish_all(folder)
    (line,) = raised.value.problems
    assert line.startswith(f"http://127.0.0.1:{closed_port}: expected an MLflow store that answers")


def test_a_server_that_never_answers(
    folder: Path,
    silent_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Two attempts, each as long as the timeout; by default 14 s, and here the user's second."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent_port}")
    before = time.perf_counter()
    assert "no whole answer within 1 s, 0 bytes came" in warning_of(folder, capfd)
    assert 1.9 < time.perf_counter() - before < 10


def test_a_database_server_that_is_down(
    folder: Path,
    closed_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(
        "MLFLOW_TRACKING_URI", f"postgresql+psycopg2://me:secret@127.0.0.1:{closed_port}/x"
    )
    before = time.perf_counter()
    line = warning_of(folder, capfd)
    assert time.perf_counter() - before < 15
    assert "Connection refused" in line
    assert f"postgresql+psycopg2://127.0.0.1:{closed_port}/x" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("ftp://example.org/x", "unsupported URI"),
        ("sqlite:///folder.db", "Is a directory"),
        ("sqlite:///file/mlflow.db", "File exists"),
        ("sqlite:///junk.db", "expected a database that is whole, received"),
    ],
)
def test_a_store_that_cannot_be(
    here: Path,
    folder: Path,
    uri: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    Path("folder.db").mkdir()
    Path("file").touch()
    Path("junk.db").write_text("nothing like a database\n" * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    before = time.perf_counter()
    assert reason in warning_of(folder, capfd)
    assert time.perf_counter() - before < 15


@pytest.mark.parametrize("revision", ["0584bdc529eb", "fff000fff000"])
def test_a_database_of_another_release_is_one_line(
    database: Path, folder: Path, capfd: pytest.CaptureFixture[str], revision: str
) -> None:
    """The older one is real: MLflow would migrate it unasked, and keep no copy."""
    if revision == "0584bdc529eb":
        database.unlink()
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(Path(__file__).with_name("mlflow-2.22.0.sql").read_text())
    else:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute(f"UPDATE alembic_version SET version_num = '{revision}'")
            connection.commit()
    with closing(sqlite3.connect(database)) as connection:
        before = list(connection.iterdump())
    line = warning_of(folder, capfd)
    assert f"received those of another release ({revision})" in line
    assert f"run `mlflow db upgrade sqlite:///{database}`" in line
    with closing(sqlite3.connect(database)) as connection:
        assert list(connection.iterdump()) == before


def test_a_database_that_may_only_be_read(
    database: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """By file mode, which root ignores; so the same by opening it read-only."""
    database.chmod(0o444)
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **kw: connect(f"file:{path}?mode=ro", uri=True, **kw)
    )
    assert "readonly database" in warning_of(folder, capfd)


def test_a_full_disk(database: Path, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No file may be written beyond two pages of the database, which has room inside."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 4096, hard))
    try:
        line = warning_of(folder, capfd)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "OperationalError" in line
    assert publish(folder).new > 0
    assert publish(folder).new == 0


def test_mlflow_that_cannot_be_imported(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert "ModuleNotFoundError" in warning_of(folder, capfd)


def test_an_outage_ends_with_everything_in_mlflow(
    here: Path, closed_port: int, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(here / "results/compare/initializer", *made_up())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port}")
    publish_quietly(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    shutil.copy(empty_database, here / "mlflow.db")
    assert publish_all(here / "results") == Published(new=21, present=0)
