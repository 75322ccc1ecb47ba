"""What a run that was killed has left out is made up for by the next, whatever that has to do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from test_unfinished import FACTS, FOLDER, RESULTS, begin

from made_up_results import made_up, made_up_timings, write
from warmstart.files import read_sealed, write_sealed
from warmstart.runtime.process import is_gone, this_process
from warmstart.tracking import publish as publishing
from warmstart.tracking.beside import publish_during
from warmstart.tracking.ledger import Ledger
from warmstart.tracking.project import Project
from warmstart.tracking.publish import Publisher
from warmstart.tracking.runs import PROCESS

NOTHING = [sys.executable, "-c", ""]
LEDGER = Path(".warmstart/published.json")


def gone() -> str:
    """A process that has been."""
    code = "from warmstart.runtime.process import this_process; print(this_process())"
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()


def client() -> MlflowClient:
    return MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")  # which MLflow keeps open by its name


def shown(kind: str) -> list[Any]:
    places = [e.experiment_id for e in client().search_experiments()]
    return list(client().search_runs(places, f"tags.`warmstart.kind` = '{kind}'"))


def test_the_next_run_publishes_what_a_killed_one_left_out_and_says_so(
    database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(RESULTS, made_up()[0], None)
    assert publish_during(NOTHING, Project()) == 0
    assert capfd.readouterr().out == "made up for 18 runs that MLflow lacked from an earlier run\n"
    assert len(shown("trial")) == 18


def test_where_nothing_is_owed_nobody_is_asked(
    database: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A server that is away costs a run with nothing to do no second."""
    write(RESULTS, made_up()[0], None)
    publish_during(NOTHING, Project())
    capfd.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "opened", lambda: pytest.fail("asked"))
        assert publish_during(NOTHING, Project()) == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("lost", ["database", "another store", "half a ledger", "a word"])
def test_what_is_known_is_of_one_store(
    database: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    write(RESULTS, made_up()[0], None)
    publish_during(NOTHING, Project())
    assert Ledger(LEDGER).known().keys() == {RESULTS}
    if lost == "database":
        database.unlink()
    elif lost == "another store":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    elif lost == "half a ledger":
        LEDGER.write_text(LEDGER.read_text()[:100])
    else:  # as JSON it is whole
        LEDGER.write_text(LEDGER.read_text().replace("folders", "fplders"))
    assert Ledger(LEDGER).known() == {}


def announce_by(process: str) -> None:
    begin(made_up()[0])
    write_sealed(FOLDER / "trials.json", {"facts": FACTS | {"process": process}, "trials": PLANNED})


PLANNED = [["k", {"stage": "compare", "study": "initializer", "data_digest": "d" * 64}]]


def leave_running(process: str) -> None:
    """As a publisher that is killed while a stage works."""
    announce_by(this_process())
    publisher = Publisher(Project(), follows=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warmstart.tracking.store.Store.watch", lambda *_: None)
        publisher._look(Project().states())
    (run,) = shown("stage")
    client().set_tag(run.info.run_id, PROCESS, process)
    write_sealed(LEDGER, read_sealed(LEDGER) | {"at_work": [process]})


def test_a_stage_that_died_with_its_publisher_is_ended_and_one_at_work_is_not(
    database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    dead = gone()
    assert is_gone(dead)
    assert not is_gone(this_process())
    leave_running(dead)
    announce_by(dead)
    assert publish_during(NOTHING, Project()) == 0
    assert [run.info.status for run in shown("stage")] == ["KILLED"]
    assert "made up for 1 runs" in capfd.readouterr().out
    assert not Ledger(LEDGER).interrupted()


def test_one_whose_records_are_there_is_finished(database: Path) -> None:
    dead = gone()
    leave_running(dead)
    for path in FOLDER.iterdir():
        path.unlink()
    write(RESULTS, *made_up(), made_up_timings())
    assert publish_during(NOTHING, Project()) == 0
    assert [run.info.status for run in shown("stage")] == ["FINISHED"]


def test_one_that_still_works_is_left_to_work(database: Path) -> None:
    leave_running(gone())
    (run,) = shown("stage")
    client().set_tag(run.info.run_id, PROCESS, this_process())
    Publisher(Project()).bring_all(Project().states())
    assert [run.info.status for run in shown("stage")] == ["RUNNING"]


def test_half_a_run_of_results_that_are_no_more_is_removed(database: Path) -> None:
    write(RESULTS, made_up()[0], None)
    Publisher(Project()).bring_all(Project().states())
    place = client().get_experiment_by_name("warmstart/initializer").experiment_id
    tags = {"warmstart.kind": "trial", "warmstart.trial": "other", "warmstart.study": "x"}
    client().create_run(place, tags=tags)
    Publisher(Project()).bring_all(Project().states())
    assert {run.info.status for run in shown("trial")} == {"FINISHED"}


def test_a_signal_to_the_publisher_is_one_to_the_command(here: Path) -> None:
    wait = "import time, pathlib; pathlib.Path('begun').touch(); time.sleep(60)"
    command = [sys.executable, "-m", "warmstart", "track", "--results", "results", "--during"]
    with subprocess.Popen(
        [*command, sys.executable, "-c", wait], stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not Path("begun").exists():
            assert time.monotonic() < deadline
            os.sched_yield()
        process.send_signal(signal.SIGTERM)
        assert process.communicate()[1] == ""
    assert process.returncode == 128 + signal.SIGTERM
