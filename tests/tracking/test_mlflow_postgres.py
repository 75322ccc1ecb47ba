"""MLflow on Postgres: through a server, as a team has it, and without one."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from made_up_results import made_up, project_of, publish, publish_quietly, write
from mlflow_serving import serving
from postgres import USER, Postgres
from warmstart.analysis.summary import read_summary
from warmstart.records import read_records
from warmstart.tracking.opening import shown
from warmstart.tracking.publish import Published
from warmstart.tracking.views import summary_runs, trial_runs

pytestmark = pytest.mark.slow

RUNS = 21


@pytest.fixture(scope="module")
def team(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """A server that has made its own tables in the database `mlflow`; its address and folder."""
    folder = tmp_path_factory.mktemp("mlflow")
    with serving(folder, postgres.create("mlflow")) as url:
        yield url, folder


def kept(postgres: Postgres, database: str, stage: str) -> list[str]:
    """`DIGEST|STATUS|POINTS` of every run of a stage that MLflow shows, asked of the database."""
    return postgres.ask(
        "SELECT t.value, r.status, (SELECT count(*) FROM metrics m WHERE m.run_uuid = r.run_uuid) "
        "FROM runs r JOIN tags t USING (run_uuid) JOIN experiments e USING (experiment_id) "
        "WHERE t.key IN ('warmstart.trial', 'warmstart.summary') "
        f"AND r.lifecycle_stage = 'active' AND e.name = 'warmstart/{stage}' ORDER BY 1",
        database=database,
    ).splitlines()


def due(folder: Path) -> list[str]:
    """The same, as it should be."""
    records = read_records(folder / "records.parquet")
    summary = read_summary(project_of(folder).summary(folder))
    runs = trial_runs(records, "") + summary_runs(summary, records, {}, "")
    return sorted(f"{run.digest}|FINISHED|{len(run.metrics)}" for run in runs)


def four_machines_publish(folder: Path, uri: str, tmp_path: Path) -> list[int]:
    """What each of four publishers that start at once says it published."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("four_machines.py"), folder, tmp_path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(map(int, done.stdout.split()))


def test_a_server_gets_the_right_runs_once_and_keeps_artifacts(
    team: tuple[str, Path], postgres: Postgres, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, home = team
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    assert publish(folder) == Published(new=RUNS, present=0)
    assert kept(postgres, "mlflow", "initializer") == due(folder)
    everything = "SELECT * FROM runs ORDER BY run_uuid; SELECT * FROM tags ORDER BY run_uuid, key;"
    everything += "SELECT * FROM metrics ORDER BY run_uuid, key, step"
    before = postgres.ask(everything, database="mlflow")
    assert publish(folder) == Published(new=0, present=RUNS)
    assert postgres.ask(everything, database="mlflow") == before

    client = MlflowClient(url)
    experiment = client.get_experiment_by_name("warmstart/initializer")
    run = client.search_runs([experiment.experiment_id], max_results=1)[0].info.run_id
    client.log_text(run, "of model B\n", "card.md")
    (file,) = (home / "mlartifacts").rglob("card.md")
    assert run in file.parts
    assert file.read_text() == "of model B\n"
    there = client.download_artifacts(run, "card.md", str(folder))
    assert Path(there).read_text() == "of model B\n"


def test_four_machines_at_once_through_a_server(
    team: tuple[str, Path], postgres: Postgres, here: Path, tmp_path: Path
) -> None:
    """What one writes another may just be taking away, or may have made in the meantime."""
    results = made_up(stage="pretrain", study="", arms=("a", "b"), rates=(0.1,), seeds=2)
    folder = write(here / "results/pretrain", *results)
    four_machines_publish(folder, team[0], tmp_path)
    assert kept(postgres, "mlflow", "pretrain") == due(folder)


def test_four_machines_at_once_into_a_fresh_database(
    postgres: Postgres, folder: Path, tmp_path: Path
) -> None:
    uri = postgres.create("fresh")
    assert four_machines_publish(folder, uri, tmp_path) == [0, 0, 0, RUNS]
    assert kept(postgres, "fresh", "initializer") == due(folder)


def test_a_password_is_in_no_message(
    team: tuple[str, Path],
    postgres: Postgres,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not there, not let in, not reached: each is known soon and said in one line."""
    place, password = f"127.0.0.1:{postgres.port}", postgres.password
    scheme = "postgresql+psycopg2://"
    troubles = {
        postgres.uri("nowhere"): 'database "nowhere" does not exist',
        f"{scheme}{USER}:{password}x@{place}/mlflow": "password authentication failed",
        f"{scheme}{USER}@{place}/mlflow?password={password}x": "authentication failed",
        f"{scheme}{USER}:/?{password}@127.0.0.1:1/mlflow": "Connection refused",
    }
    before = time.perf_counter()
    for uri, reason in troubles.items():
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        publish_quietly(folder)
        line = capfd.readouterr().err
        assert line.count("\n") == 1
        assert reason in line
        assert f"{shown(uri)}: expected an MLflow store that answers" in line
        assert password not in line
    assert time.perf_counter() - before < 15


def test_a_server_whose_database_is_down_gives_no_password_away(
    team: tuple[str, Path],
    postgres: Postgres,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    url, home = team
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    postgres.ask("ALTER DATABASE mlflow ALLOW_CONNECTIONS false", database="postgres")
    try:
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'mlflow'"
        postgres.ask(end, database="postgres")
        publish_quietly(folder)
    finally:
        postgres.ask("ALTER DATABASE mlflow ALLOW_CONNECTIONS true", database="postgres")
    line = capfd.readouterr().err
    assert line.count("\n") == 1
    assert "not currently accepting connections" in line + (home / "server.log").read_text()
    assert postgres.password not in line + (home / "server.log").read_text()
    publish(folder)
    assert kept(postgres, "mlflow", "initializer") == due(folder)


@pytest.mark.parametrize(
    ("uri", "rest"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://me:secret@example.org/mlflow", "https://example.org/mlflow"),
        ("postgresql://me:s/e?c@example.org:5433/x", "postgresql://example.org:5433/x"),
        ("postgresql+psycopg2://h/x?user=me&password=s@e", "postgresql+psycopg2://h/x"),
        ("mysql://me:secret@host:port/x", "mysql://…"),
        ("sqlite:////a@b/mlflow.db?mode=ro", "sqlite:////a@b/mlflow.db?mode=ro"),
        ("databricks", "databricks"),
    ],
)
def test_what_of_a_uri_is_shown(uri: str, rest: str) -> None:
    assert shown(uri) == rest
