"""Trials in MLflow while their stage is still at work."""

import dataclasses
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from made_up_results import made_up, made_up_timings, publish, write
from seen import Seen, seen
from warmstart import __main__ as command_line
from warmstart.records import Record
from warmstart.runtime import store as scratch
from warmstart.tracking.live import Live
from warmstart.tracking.publish import Published, publish_during
from warmstart.training.trials import Result

FOLDER = Path(".warmstart/compare@initializer")
TIMINGS = made_up_timings()
FACTS = {key: TIMINGS[key] for key in ("device", "versions", "data")}
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
            train_seconds=1.0,
            span=(0.0, 1.0),
        )
        scratch.write(FOLDER, result, [])


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
    uri, trials = f"sqlite:///{database}", Live()
    assert trials.publish() == Published()
    begin(records)
    assert trials.publish() == Published()
    train(*records[:5])
    assert trials.publish() == Published(new=5, present=0)
    assert trials.publish() == Published()
    first = seen(uri)
    assert first.keys() == untested(records[:5])
    for _, _, _, tags, _, data in first.values():
        assert (tags["warmstart.chosen"], tags["warmstart.device"]) == ("false", "NVIDIA H100")
        assert data == [("digits/full", "d" * 36)]

    train(*records[5:])
    assert trials.publish() == Published(new=13, present=0)
    before = ids(database)
    assert before.keys() == untested(records)
    folder = write(Path("results/compare/initializer"), records, summary, TIMINGS)
    # of 18 trials 9 were chosen
    assert publish(folder) == Published(new=9 + 3 + 1, present=9)
    assert seen(uri) == published_at_once(folder)
    assert ids(database) == before, "the same runs"
    assert ids(database, "deleted") == {}
    assert publish(folder) == Published(new=0, present=22)
    # somebody else looks at what the stage has not removed yet
    assert Live(since_now=False).publish() == Published(new=0, present=18)


def test_batches_are_short(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait for the store meanwhile."""
    monkeypatch.setattr(live, "BATCH", 4)
    records, _ = made_up(arms=("a",))
    trials = Live()
    begin(records)
    train(*records)
    assert [trials.publish().new for _ in range(3)] == [4, 2, 0]


def test_what_lies_there_from_before_is_for_track(
    database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Trials of a stage that was killed; so `make run` with nothing to do ends in seconds."""
    records, _ = made_up()
    begin(records)
    train(*records[:7])
    assert Live().publish() == Published()
    write(Path("results/compare/other"), *made_up(study="other"))
    assert command_line.main(["track", "--results", "results"]) == 0
    assert capfd.readouterr().out == "28 runs published, 0 were there already\n"
    assert seen(f"sqlite:///{database}").keys() == untested(records[:7])
    # the stage goes on
    trials = Live()
    begin(records)
    train(records[7])
    assert trials.publish() == Published(new=1, present=7)


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
            Live(since_now=False).publish()
    if ends:
        folder = write(Path("results/compare/initializer"), records, summary, TIMINGS)
        publish(folder)
        assert seen(f"sqlite:///{database}") == published_at_once(folder)
    else:
        assert Live(since_now=False).publish() == Published(new=2, present=3)
        assert seen(f"sqlite:///{database}").keys() == untested(records[:5])


def test_a_publisher_killed_while_it_completes_trials(
    database: Path, published_at_once: Callable[[Path], Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    records, summary = made_up()
    begin(records)
    train(*records)
    Live(since_now=False).publish()
    before = ids(database)
    folder = write(Path("results/compare/initializer"), records, summary, TIMINGS)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", dies_at(3))
        with pytest.raises(KeyboardInterrupt):
            publish(folder)
    publish(folder)
    assert seen(f"sqlite:///{database}") == published_at_once(folder)
    assert ids(database) == before


def test_trials_that_two_have_published_are_kept_once(database: Path) -> None:
    """Each had looked before the other wrote."""
    records, _ = made_up()
    one, other = Live(), Live()
    begin(records)
    train(records[0])
    assert (one.publish().new, other.publish().present) == (1, 1)
    train(records[1])
    assert (one.publish().new, other.publish().new) == (1, 1)
    assert Live(since_now=False).publish() == Published(new=0, present=2)
    assert seen(f"sqlite:///{database}").keys() == untested(records[:2])


def test_a_store_that_fails_is_left_alone_for_a_while(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """And costs no line: the stage's end says it once."""
    records, _ = made_up()
    trials, now, tries = Live(), [1000.0], []
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(trials, "_bring", lambda runs: tries.append(len(runs)) or 1 / 0)
    begin(records)
    train(*records)
    for seconds in (0, live.PAUSE_SECONDS - 1, 1):
        now[0] += seconds
        trials.publish_quietly()
    assert tries == [18, 18]
    assert capfd.readouterr() == ("", "")


WAITS = """
import sqlite3, sys, time
from contextlib import closing
from made_up_results import made_up
from test_live import begin, train
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
    assert publish_during([sys.executable, "-c", WAITS], Path("results")) == 3
    assert seen(f"sqlite:///{database}").keys() == untested(made_up()[0][:3])
