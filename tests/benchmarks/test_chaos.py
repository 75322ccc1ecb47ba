"""The campaign notices what is wrong and goes on where it was interrupted; a handful of troubles of
each kind finds nothing."""

import random
import signal
from pathlib import Path

import pytest

from benchmarks.chaos import campaign, kills, whole
from benchmarks.chaos.rows import Journal, Row, faulty, table
from whole_runs import start

GOOD = Row(kind="flow", seed=0, what="SIGKILL to dvc", moment=0.5, seconds=2.0)
TRACEBACK = "Traceback (most recent call last):"
BAD = Row(kind="flow", seed=1, what="SIGKILL to dvc", seconds=6.0, faults={"stuck": "dvc"})


def test_a_campaign_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "there/rows.jsonl")
    assert journal.rows() == []
    journal.append(GOOD)
    with (tmp_path / "there/rows.jsonl").open("a") as file:
        file.write('{"kind": "flow", "seed": 2, "wh')  # killed while it wrote
    journal.append(BAD)
    assert journal.rows() == [GOOD, BAD]
    plan = campaign.planned(20, 3)
    left = campaign.left(plan, journal.rows())
    assert left["input"] == [0, 1, 2]
    assert left["flow"] == [2, 3]
    assert sum(len(plan[kind]) for kind in campaign.KILLS) == 20


def test_a_table_counts_rows_and_names_what_was_wrong() -> None:
    (row,) = table([GOOD, BAD], {"flow": "all is well"})
    counts = {"tried": 2, "faulty": 1, "stuck": 1, "seconds_median": 4.0, "seconds_most": 6.0}
    named = {"kind": "flow", "what": "SIGKILL to dvc", "expected": "all is well"}
    assert row == named | counts
    (found,) = faulty([GOOD, BAD])
    assert (found["kind"], found["seed"], found["faults"]) == ("flow", 1, {"stuck": "dvc"})


def test_every_kind_says_what_must_come_out() -> None:
    assert all(kind.EXPECTED for kind in campaign.KINDS.values())
    assert sum(campaign.KILLS.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("error: no\n", {}),
        (
            "a\nTraceback (most recent call last):\n  File x\nKeyError: 1\n",
            {"traceback": "KeyError: 1"},
        ),
        ("  | Traceback (most recent call last):\n  |   File x\n", {"traceback": "cut off"}),
    ],
)
def test_tracebacks_are_seen(tmp_path: Path, said: str, fault: dict[str, str]) -> None:
    (tmp_path / "log").write_text(said)
    assert kills.tracebacks(tmp_path / "log") == fault


@pytest.mark.parametrize(
    ("problem", "fault"),
    [
        ("output differs: models/a.keras", "differs"),
        ("half-written: results/.unfinished-1", "left"),
        ("not what its name says: .dvc/cache/files/md5/00/1", "differs"),
        ("MLflow: a lr=1 is RUNNING", "stuck"),
        ("MLflow lacks record 1 of compare", "missing"),
        ("MLflow has 2 of record 1 of compare", "doubled"),
        ("MLflow has arm none of compare, too", "doubled"),
        ("MLflow has 0 of model a.keras", "missing"),
        ("Prefect: flow x is PENDING", "stuck"),
    ],
)
def test_problems_of_a_whole_run_are_told_apart(problem: str, fault: str) -> None:
    assert kills.first_of_each([problem] * 3, whole.KINDS) == {fault: f"{problem}, and 2 more"}


def test_who_is_left_running_is_named_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    running = start(tmp_path / "project", "sh", "-c", "setsid sleep 600 & sleep 601; true")
    # both children are there once they are no copies of the shell any more
    sleeping = {"sleep 600", "sleep 601"}
    running.wait_until(
        lambda: sleeping <= {" ".join(process.cmdline()) for process in running.processes()}
    )
    luck = random.Random(0)
    # of both that have it in their command line the shell's child
    choices = iter([signal.SIGKILL, "short", "last"])
    monkeypatch.setattr(luck, "choice", lambda of: c if (c := next(choices)) in of else of[-1])
    assert kills.struck(running, 0.0, luck, {"short": "sleep 601"}) == "SIGKILL to short"
    running.process.wait()
    monkeypatch.setattr(kills, "ENDS_SECONDS", 0.2)
    assert kills.after(running) == {"stuck": "still running: ['sleep 600']"}
    assert not running.processes()


def test_what_ends_before_it_is_killed_does_not_count(tmp_path: Path) -> None:
    running = start(tmp_path, "true")
    assert kills.struck(running, 20.0, random.Random(0), {}) == ""
    assert kills.after(running) == {}
    assert kills.SIGNALS.count(signal.SIGKILL) == 2


def test_a_next_run_that_fails_is_stuck(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    said = kills.again(tmp_path / "project", "sh", "-c", "echo no lock; exit 3")
    assert said == {"stuck": "the next run ended with 3: no lock"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "seeds"),
    [("input", range(60)), ("flow", [0]), ("publisher", [0])],
)
def test_a_handful_of_troubles(kind: str, seeds: list[int]) -> None:
    """Whole runs are killed in tests/test_whole_runs.py."""
    rows = [*campaign.run({kind: seeds})]
    assert [row.seed for row in rows] == [*seeds]
    assert faulty(rows) == []
