"""Trials of a stage that is still at work: they are there as soon as they are trained, and are
completed when it ends."""

import dataclasses
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

from made_up_results import made_up, made_up_timings, publish, write
from seen import Seen, seen
from warmstart import __main__ as command_line
from warmstart.records import Record
from warmstart.runtime import store as scratch
from warmstart.tracking import publish as publishing
from warmstart.tracking.beside import publish_during
from warmstart.tracking.project import Project
from warmstart.tracking.publish import Published, Publisher
from warmstart.tracking.runs import PIPELINE
from warmstart.tracking.store import Store
from warmstart.training.outcomes import Result

FOLDER = Path(".warmstart/compare@initializer")
RESULTS = Path("results/compare/initializer")
TIMINGS = made_up_timings()
FACTS = {key: TIMINGS[key] for key in ("started", "device", "versions", "data")}
KNOWN = ("stage", "study", "arm", "seed", "learning_rate", "settings", "data_digest")


def key(record: Record) -> str:
    return f"{record.arm}-{record.learning_rate}-{record.seed}"


def begin(records: Sequence[Record]) -> None:
    """As a stage that is going to train `records`."""
    known = [(key(r), {name: getattr(r, name) for name in KNOWN}) for r in records]
    scratch.announce(FOLDER, known, FACTS)


def train(*records: Record) -> None:
    """As a stage that has trained `records`."""
    for record in records:
        result = Result(
            key=key(record),
            outcome=record.outcome,
            epochs=record.epochs,
            samples=1000,
            train_seconds=1.0,
        )
        scratch.Store(FOLDER).write(result, [])


def look() -> Published:
    """As `warmstart track` does it once."""
    return Publisher(Project()).bring(FOLDER)


def untested(records: Sequence[Record]) -> set[str]:
    return {dataclasses.replace(r, chosen=False, test={}).digest for r in records}


def ids(database: Path, view: str = "active") -> dict[str, str]:
    """Trials -> their runs."""
    with closing(sqlite3.connect(database)) as connection:
        query = (
            "SELECT value, run_uuid FROM tags JOIN runs USING (run_uuid) "
            "WHERE key = 'warmstart.trial' AND lifecycle_stage = ?"
        )
        return dict(connection.execute(query, (view,)).fetchall())


def test_a_trial_is_there_when_it_is_trained_and_complete_when_its_stage_ends(
    database: Path, published_at_once: Callable[[Path], Seen]
) -> None:
    records, summary = made_up()
    uri = f"sqlite:///{database}"
    begin(records)
    assert look() == Published()
    train(*records[:5])
    assert look() == Published(new=5, present=0)
    first = seen(uri)
    assert first.keys() == untested(records[:5])
    for _, _, _, tags, _, data in first.values():
        assert (tags["warmstart.chosen"], tags["warmstart.device"]) == ("false", "NVIDIA H100")
        assert data == [("digits/full", "d" * 36)]

    train(*records[5:])
    assert look() == Published(new=13, present=5)
    before = ids(database)
    assert before.keys() == untested(records)
    folder = write(RESULTS.absolute(), records, summary, TIMINGS)
    # of 18 trials 9 were chosen
    assert publish(folder) == Published(new=9 + 3 + 1, present=9)
    expected = published_at_once(folder)
    assert seen(uri) == expected
    assert ids(database) == before, "the same runs"
    assert ids(database, "deleted") == {}
    assert publish(folder) == Published(new=0, present=22)
    # somebody else looks at what the stage has not removed yet, which takes nothing away
    assert look() == Published(new=0, present=18)
    assert seen(uri) == expected


def test_what_a_killed_stage_has_left_comes_with_the_rest(
    database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    records, _ = made_up()
    begin(records)
    train(*records[:7])
    write(Path("results/compare/other"), *made_up(study="other"))
    assert command_line.main(["track", "--results", "results", "--reports", "reports"]) == 0
    assert capfd.readouterr().out == "28 runs and models published, 0 were there already\n"
    assert seen(f"sqlite:///{database}").keys() == untested(records[:7])


def dies_at(call: int) -> Callable[..., None]:
    """A `log_batch` that does not come to its tags then."""
    log, calls = MlflowClient.log_batch, []

    def dies(self: MlflowClient, *args: Any, **given: Any) -> None:
        calls.append(args)
        if len(calls) == call:
            log(self, *args, **(given | {"tags": []}))
            raise KeyboardInterrupt
        log(self, *args, **given)

    return dies


@pytest.mark.usefixtures("by_calls")
@pytest.mark.parametrize("ends", [True, False])
def test_half_a_trial_is_mended_whether_its_stage_ends_or_not(
    database: Path,
    published_at_once: Callable[[Path], Seen],
    monkeypatch: pytest.MonkeyPatch,
    ends: bool,
) -> None:
    records, summary = made_up()
    begin(records)
    train(*records[:5])
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", dies_at(4))
        with pytest.raises(KeyboardInterrupt):
            look()
    if ends:
        folder = write(RESULTS.absolute(), records, summary, TIMINGS)
        publish(folder)
        assert seen(f"sqlite:///{database}") == published_at_once(folder)
    else:
        assert look() == Published(new=2, present=3)
        assert seen(f"sqlite:///{database}").keys() == untested(records[:5])


@pytest.mark.usefixtures("by_calls")
def test_a_publisher_killed_while_it_completes_trials(
    database: Path, published_at_once: Callable[[Path], Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    records, summary = made_up()
    begin(records)
    train(*records)
    look()
    before = ids(database)
    folder = write(RESULTS.absolute(), records, summary, TIMINGS)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", dies_at(3))
        with pytest.raises(KeyboardInterrupt):
            publish(folder)
    publish(folder)
    assert seen(f"sqlite:///{database}") == published_at_once(folder)
    assert ids(database) == before


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """In seconds, `now`."""
    time = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(publishing.time, "monotonic", lambda: time.now)
    return time


def looks(times: int, then: Callable[[], None] = lambda: None) -> Callable[[], bool]:
    """Goes on as often, doing `then` after each time."""
    left = iter(range(times))

    def goes_on() -> bool:
        then()
        return next(left, None) is not None

    return goes_on


def test_a_store_that_fails_is_left_alone_for_a_while(
    here: Path,
    clock: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """And costs one line, at the end."""
    tries: list[float] = []

    def bring(*_: object, **__: object) -> None:
        tries.append(clock.now)
        raise ZeroDivisionError("of all things")

    def passes() -> None:
        clock.now += publishing.PAUSE_SECONDS / 4

    monkeypatch.setattr(Publisher, "bring", bring)
    publisher = Publisher(Project(), follows=True)
    begin(made_up()[0])
    publisher.follow(looks(6, passes))
    pause = publishing.PAUSE_SECONDS
    assert [t - tries[0] for t in tries] == [0, pause, pause * 6 / 4]
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(
        "warning: not all of results is in MLflow yet, the next run or `make track`"
    )
    assert err.endswith("publishes it: ZeroDivisionError: of all things\n")


def stages(database: Path) -> list[Any]:
    client = MlflowClient(f"sqlite:///{database}")
    experiment = client.get_experiment_by_name(PIPELINE).experiment_id
    return list(client.search_runs([experiment], "tags.`warmstart.kind` = 'stage'"))


class Monitor:
    """What the machine does, in MLflow's place."""

    def __init__(self, run: Any) -> None:
        self.run, self.finished = run, False

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def monitors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Monitor]]:
    found: list[Monitor] = []
    monkeypatch.setattr(Store, "watch", lambda _, run: found.append(Monitor(run)) or found[-1])
    yield found
    assert all(monitor.finished for monitor in found)


def test_a_stage_is_watched_while_it_is_at_work(
    database: Path, monitors: list[Monitor], clock: SimpleNamespace
) -> None:
    records, summary = made_up()

    def ends() -> None:
        (run,) = stages(database)
        assert (run.info.status, len(monitors)) == ("RUNNING", 1)
        assert run.info.run_id == monitors[0].run.info.run_id
        write(RESULTS, records, summary, TIMINGS)
        for path in FOLDER.iterdir():
            path.unlink()
        FOLDER.rmdir()

    publisher = Publisher(Project(), follows=True)
    steps = iter((lambda: begin(records), lambda: train(*records), ends))
    publisher.follow(looks(5, lambda: next(steps, lambda: None)()))
    (run,) = stages(database)
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 3500
    assert run.data.metrics["seconds"] == 3.5


def test_a_stage_that_fails_is_shown_so(database: Path, monitors: list[Monitor]) -> None:
    records, _ = made_up()
    publisher = Publisher(Project(), follows=True)
    begin(records)
    publisher.follow(looks(2))
    (run,) = stages(database)
    assert run.info.status == "FAILED"
    assert len(monitors) == 1


def test_the_monitor_is_mlflows(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.01")
    begin(made_up()[0])

    publisher = Publisher(Project(), follows=True)
    names: set[str] = set()

    def goes_on() -> bool:
        if publisher._monitors:
            (run,) = stages(database)
            names.update(run.data.metrics)
        return "system/cpu_utilization_percentage" not in names

    publisher.follow(goes_on)
    assert "system/system_memory_usage_megabytes" in names


WAITS = """
import sqlite3, sys, time
from contextlib import closing
from made_up_results import made_up
from test_unfinished import begin, train
begin(made_up()[0])
train(*made_up()[0][:3])
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    with closing(sqlite3.connect("mlflow.db", timeout=60)) as database:
        query = "SELECT count(*) FROM tags WHERE key = 'warmstart.trial'"
        if database.execute(query).fetchone() == (3,):
            sys.exit(3)
    time.sleep(0.05)
"""


def test_a_pipeline_is_shown_trial_by_trial(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    assert publish_during([sys.executable, "-c", WAITS], Project()) == 3
    shown = ids(database)
    assert shown.keys() == untested(made_up()[0][:3])
