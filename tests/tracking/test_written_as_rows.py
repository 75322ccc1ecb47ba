"""Rows that are written many at a time, against what MLflow's own client leaves in every table."""

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_latest_schema_revision
from sqlalchemy import event
from sqlalchemy.engine import Engine
from test_nesting import turned
from test_unfinished import FACTS, FOLDER, RESULTS, begin, look, train

from made_up_results import made_up, made_up_timings, publish, publish_all, write
from seen import Seen, seen
from warmstart.errors import InputError
from warmstart.runtime.process import this_process
from warmstart.tracking import database as databases
from warmstart.tracking import rows, store
from warmstart.tracking.project import Project
from warmstart.tracking.publish import Published, Publisher
from warmstart.tracking.runs import DIGESTS

TRIALS, ARMS = 18, 3
CLOCK = {"creation_time", "last_update_time", "created_timestamp", "last_updated_timestamp"}
"""Columns that MLflow fills with the time of the day."""
PICTURE = '{"description": "A ranking."}'


def tables(path: Path) -> dict[str, list[tuple[str, ...]]]:
    """Everything in an SQLite file, but for times of the day; numbers that are drawn at random are
    named by what they are of."""
    with closing(sqlite3.connect(path)) as connection:
        ask = connection.execute
        names = {
            run: f"run {digest}"
            for run, digest in ask(f"SELECT run_uuid, value FROM tags WHERE key IN {DIGESTS}")
        }
        names |= {
            number: f"data {place} {name} {digest}"
            for number, place, name, digest in ask(
                "SELECT dataset_uuid, experiment_id, name, digest FROM datasets"
            )
        }
        edges = ask("SELECT input_uuid, source_id, destination_id FROM inputs").fetchall()
        names |= {edge: f"{names[run]} on {names[data]}" for edge, data, run in edges}

        numbers = re.compile("|".join(names))

        def plain(value: object) -> str:
            return numbers.sub(lambda found: names[found[0]], repr(value))

        found = {}
        for (table,) in ask("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            every = [column[1] for column in ask(f"PRAGMA table_info({table})")]
            columns = [f'"{column}"' for column in every if column not in CLOCK]
            read = ask(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            found[table] = sorted(tuple(map(plain, row)) for row in read)
        return found


def everything_happens() -> Iterator[None]:
    """Trials come while their stage is at work, then their tests, arms and pictures, then another
    ranking; and a report. The last point of a curve is a score, too."""
    records, summary = made_up()
    for n, each in enumerate(records[7:], start=7):
        records[n] = replace(each, validation={"val_accuracy": each.epochs["val_accuracy"][-1]})
    begin(records)
    train(*records[:7])
    Publisher(Project(), follows=True).bring(FOLDER)
    yield
    Path("reports/figures/initializer").mkdir(parents=True)
    Path("reports/figures/initializer/ranking.json").write_text(PICTURE)
    Path("reports/report.md").write_text("words")
    folder = RESULTS.absolute()
    for now in (summary, turned(summary)):
        publish_all(write(folder, records, now, made_up_timings()).parents[1])
        yield


def test_all_tables_are_what_the_client_leaves(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "RUNS", 5)  # several transactions
    called, log = [], MlflowClient.log_batch

    def logged(self: MlflowClient, *args: Any, **given: Any) -> None:
        called.append(args)
        log(self, *args, **given)

    monkeypatch.setattr(MlflowClient, "log_batch", logged)
    monkeypatch.setattr(store.Store, "watch", lambda *_: None)
    monkeypatch.setitem(FACTS, "process", this_process())
    found: list[list[dict[str, list[tuple[str, ...]]]]] = []
    numbers = []
    for way, revision in (("rows", rows.REVISION), ("calls", "another")):
        place = database.parent / way
        place.mkdir()
        shutil.copy(database, place)
        begins = iter(range(1_800_000_000_000, 1_900_000_000_000, 1000))
        with monkeypatch.context() as patch:
            patch.chdir(place)
            patch.setattr(store, "_now", lambda times=begins: next(times))
            patch.setattr(rows, "REVISION", revision)
            found.append([tables(place / "mlflow.db") for _ in everything_happens()])
        numbers.append(len(called))
    assert numbers[0] <= 1 < TRIALS < numbers[1], "the stage, which had begun"
    for by_rows, by_calls in zip(*found, strict=True):
        assert by_rows.keys() == by_calls.keys()
        for table, known in by_calls.items():
            expected = [tuple(v.replace("/calls/", "/rows/") for v in row) for row in known]
            assert by_rows[table] == sorted(expected), table
    # two rankings, the stage, a report of each
    assert [len(by_rows["runs"]) for by_rows in found[0]] == [7 + 1, 18 + 3 + 1 + 1, 27]


def test_the_schema_is_that_of_the_mlflow_that_is_installed() -> None:
    """After an upgrade: what have the tables become? Then name the new one."""
    assert _get_latest_schema_revision() == rows.REVISION


@contextmanager
def statements(most: int | None = None) -> Iterator[list[str]]:
    """What the database is asked; as in a process that is killed before it has asked for `most`."""
    asked: list[str] = []

    def count(*given: Any) -> None:
        if len(asked) == most:
            raise KeyboardInterrupt
        asked.append(given[2])

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def test_a_run_costs_less_than_a_statement(database: Path, here: Path) -> None:
    folder = write(here / "results/compare/initializer", *made_up(seeds=20))
    with statements() as asked:
        assert publish(folder) == Published(new=120 + ARMS, present=0)
    assert len(asked) < 70
    records, summary = made_up(seeds=20)
    with statements() as asked:  # each trial is below another run now
        assert publish(write(folder, records, turned(summary))).new == ARMS
    assert len(asked) < 70


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False])
def test_a_publisher_that_dies_leaves_whole_runs_and_the_next_one_the_rest(
    database: Path,
    published_at_once: Callable[[Path], Seen],
    monkeypatch: pytest.MonkeyPatch,
    first: bool,
) -> None:
    """Before statements of all kinds that write."""
    monkeypatch.setattr(databases, "RUNS", 8)
    uri = f"sqlite:///{database}"
    records, summary = made_up()
    folder = write(RESULTS.absolute(), records, summary, made_up_timings())
    if not first:  # trials are to be completed then
        begin(records)
        train(*records)
        look()
    expected = published_at_once(folder)
    empty = database.read_bytes()
    with statements() as asked:
        publish(folder)
    assert seen(uri) == expected
    writing = [n for n, said in enumerate(asked) if said.startswith(("INSERT", "DELETE", "UPDATE"))]
    for number in writing[:: len(writing) // 4]:
        another = database.with_name(f"{number}.db")
        another.write_bytes(empty)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{another}")
        with statements(number), pytest.raises(KeyboardInterrupt):
            publish(folder)
        left = seen(f"sqlite:///{another}")  # fails if one is not finished
        assert left.keys() <= expected.keys()
        publish(folder)
        assert seen(f"sqlite:///{another}") == expected


def test_lengths_and_names_are_held_to_mlflows_limits(
    database: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, _ = made_up(seeds=1)
    long = [replace(r, settings=r.settings | {"hidden": "100-" * 2000}) for r in records]
    folder = write(here / "results/compare/initializer", long, None)
    assert publish(folder).new == 2 * ARMS
    found = [params["hidden"] for _, _, params, *_ in seen(f"sqlite:///{database}").values()]
    assert {len(value) for value in found} == {6000}
    wrong = replace(records[0], epochs={"a" * 251: (1.0,), **records[0].epochs})
    monkeypatch.setattr("warmstart.tracking.publish.read_records", lambda path: [wrong])
    with pytest.raises(InputError, match="exceeds the maximum length"):
        publish(folder)
