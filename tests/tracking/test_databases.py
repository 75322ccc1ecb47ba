"""Databases of another MLflow. The older ones are real: the .sql files beside this one."""

import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from made_up_results import made_up, write
from seen import Seen, seen
from warmstart import __main__ as command_line
from warmstart.errors import InputError
from warmstart.tracking import Published, publish, publish_quietly


def older(release: str) -> Path:
    """mlflow.db of an older release, in the current folder."""
    dump = Path(__file__).with_name(f"mlflow-{release}.sql").read_text()
    with closing(sqlite3.connect("mlflow.db")) as database:
        database.executescript(dump)
    return Path("mlflow.db").absolute()


def dumped(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("release", ["2.9.2", "2.22.0"])
def test_an_older_database_is_kept_and_upgraded(
    here: Path,
    published_at_once: Callable[[Path], Seen],
    release: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = write(here / "results/compare/initializer", *made_up(seeds=1))
    database = older(release)
    before = dumped(database)
    Path("mlflow-acf3f17fdcc7.db").write_text("of last year")
    assert command_line.main(["track", "--results", "results"]) == 0
    out, err = capfd.readouterr()
    assert out == "9 runs published, 0 were there already\n"
    (line,) = err.splitlines()
    assert line.startswith(f"{database}: was of an older MLflow and is now of ")
    kept = {"2.9.2": "mlflow-acf3f17fdcc7-2.db", "2.22.0": "mlflow-0584bdc529eb.db"}[release]
    assert line.endswith(f" kept as {kept}")
    assert dumped(here / kept) == before
    assert Path("mlflow-acf3f17fdcc7.db").read_text() == "of last year"
    assert seen(f"sqlite:///{database}") == published_at_once(folder)

    client = MlflowClient(f"sqlite:///{database}")
    mine = client.get_experiment_by_name("mine")
    (run,) = client.search_runs([mine.experiment_id])
    assert (run.info.run_name, run.info.status) == ("older", "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (1700000000000, 1700000001000)
    assert run.data.params == {"rate": "0.1"}
    history = client.get_metric_history(run.info.run_id, "accuracy")
    assert [(p.step, p.value, p.timestamp - 1700000000000) for p in history] == [
        (1, 0.5, 1),
        (2, 0.75, 2),
    ]
    # once is enough
    assert publish(folder) == Published(new=0, present=9)
    assert capfd.readouterr().err == ""
    there = {path.name for path in here.glob("mlflow*")}
    assert there - {"mlflow.db-wal", "mlflow.db-shm"} == {
        *("mlflow.db", "mlflow.db.lock", "mlflow-acf3f17fdcc7.db", kept)
    }


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(
    here: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By a full disk: no file may grow beyond what the database has now."""
    database = older("2.9.2")
    before = database.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), hard))
    try:
        publish_quietly(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert capfd.readouterr().err.count("\n") == 1
    assert database.read_bytes() == before
    assert {path.name for path in here.glob("*mlflow*")} == {"mlflow.db", "mlflow.db.lock"}
    assert publish(folder) == Published(new=21, present=0)


def test_an_older_database_on_a_server_is_left_to_its_owner(
    here: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it were one: with a driver in its address SQLite is opened as Postgres is."""
    database = older("2.22.0")
    before = database.read_bytes()
    uri = f"sqlite+pysqlite:///{database}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(InputError) as raised:
        publish(folder)
    (line,) = raised.value.problems
    assert "\n" not in line
    assert line.startswith(f"{uri}: expected the tables of MLflow ")
    assert "received those of an older one (0584bdc529eb); keep a copy" in line
    assert f"run `mlflow db upgrade {uri}`" in line
    assert database.read_bytes() == before


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_a_newer_database_is_one_line(
    database: Path,
    folder: Path,
    scheme: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fff000fff000'")
        connection.commit()
    before = dumped(database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}:///{database}")
    publish_quietly(folder)
    (line,) = capfd.readouterr().err.splitlines()
    assert "or an older one, received one of a newer (fff000fff000); install that" in line
    assert dumped(database) == before
