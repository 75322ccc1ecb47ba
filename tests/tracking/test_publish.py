"""Records and summaries against what MLflow's own client reads back."""

import dataclasses
import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from made_up_results import ARMS, made_up, project_of, publish, publish_all, publish_quietly, write
from seen import Seen, seen
from warmstart.errors import InputError
from warmstart.records import EPOCH_METRICS, Record, read_records, times_of
from warmstart.tracking import calls
from warmstart.tracking.calls import Calls
from warmstart.tracking.points import short
from warmstart.tracking.publish import Published
from warmstart.tracking.runs import Batch
from warmstart.tracking.store import Store
from warmstart.tracking.views import trial_runs

TRIALS, SUMMARIES = 18, 3


def client() -> MlflowClient:
    return MlflowClient(f"sqlite:///{Path('mlflow.db').absolute()}")


def runs(kind: str = "", stage: str = "compare") -> list[Any]:
    api = client()
    places = api.search_experiments(filter_string="name LIKE 'warmstart/%'")
    only = f"tags.`warmstart.stage` = '{stage}'"
    only += f" AND tags.`warmstart.kind` = '{kind}'" if kind else ""
    return list(api.search_runs([e.experiment_id for e in places], only, max_results=1000))


def curve(run: Any, metric: str) -> dict[int, float]:
    history = client().get_metric_history(run.info.run_id, metric)
    values = {point.step: point.value for point in history}
    assert len(values) == len(history), "a point was logged twice"
    return values


def python(code: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", f"from pathlib import Path; {code}"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def shown(database: Path | str = "mlflow.db") -> Seen:
    """Everything that MLflow shows of the study, by digest."""
    return seen(f"sqlite:///{Path(database).absolute()}")


def test_a_trial_reads_back_exactly(database: Path, folder: Path) -> None:
    assert publish(folder) == Published(new=TRIALS + SUMMARIES, present=0)
    records = {record.digest: record for record in read_records(folder / "records.parquet")}
    found = {run.data.tags["warmstart.record"]: run for run in runs("trial")}
    assert found.keys() == records.keys()
    for digest, record in records.items():
        run = found[digest]
        last = len(record.epochs["loss"])
        expected = {
            metric: {epoch: v for epoch, v in enumerate(values, 1) if math.isfinite(v)}
            for metric, values in record.epochs.items()
        } | {m: {last: v} for m, v in record.test.items() if math.isfinite(v)}
        assert {metric: curve(run, metric) for metric in expected} == expected
        assert run.data.metrics.keys() == expected.keys()
        assert run.data.params == record.settings | {
            "arm": record.arm,
            "study": "initializer",
            "seed": str(record.seed),
            "learning_rate": str(record.learning_rate),
        }
        assert run.info.run_name == record.name
        assert run.info.status == "FINISHED"
        assert {key: value for key, value in run.data.tags.items() if "mlflow" not in key} == {
            "warmstart.kind": "trial",
            "warmstart.stage": "compare",
            "warmstart.study": "initializer",
            "warmstart.arm": record.arm,
            "warmstart.seed": str(record.seed),
            "warmstart.outcome": record.outcome,
            "warmstart.chosen": "true" if record.chosen else "false",
            "warmstart.data": record.data_digest,
            "warmstart.record": digest,
            "warmstart.trial": dataclasses.replace(record, chosen=False, test={}).digest,
        }
        assert run.data.tags["mlflow.source.name"] == "warmstart compare"
        assert run.data.tags["mlflow.source.type"] == "LOCAL"


def test_a_diverged_trial_ends_with_its_last_finite_values(database: Path, folder: Path) -> None:
    publish(folder)
    (run,) = [r for r in runs("trial") if r.data.tags["warmstart.outcome"] == "diverged"]
    assert run.info.status == "FINISHED"
    assert run.data.metrics.keys() == set(EPOCH_METRICS)  # neither NaN nor infinite test metrics
    assert all(curve(run, metric).keys() == {1} for metric in EPOCH_METRICS)


def test_an_arm_reads_back_exactly(database: Path, here: Path) -> None:
    records, summary = made_up()
    publish(write(here / "results/compare/initializer", records, summary))
    found = {run.data.params["arm"]: run for run in runs("summary")}
    assert found.keys() == summary.arms.keys()
    for name, arm in summary.arms.items():
        run = found[name]
        scalars = numbers(arm) | {"low": arm.test.low, "high": arm.test.high}
        contrast = summary.contrasts.get(f"{name} against {ARMS[0]}")
        if contrast:
            scalars |= numbers(contrast) | {"difference": contrast.difference.mean}
            assert run.data.tags["warmstart.reference"] == ARMS[0]
        verdict = contrast.verdict if contrast else "reference"
        assert run.data.tags["warmstart.verdict"] == verdict
        assert {"rank", "test_accuracy_low", "val_accuracy_sd", "best_epoch"} <= scalars.keys()
        curves = {f"mean/{metric}": mean_curve(records, name, metric) for metric in EPOCH_METRICS}
        assert run.data.metrics.keys() == scalars.keys() | curves.keys()
        for metric, value in scalars.items():
            assert curve(run, metric) == {0: round(value, 4)}
        for metric, values in curves.items():
            assert curve(run, metric) == pytest.approx(values)
        assert run.info.run_name == name
        assert run.info.status == "FINISHED"
        assert run.data.params == arm.settings | {
            "arm": name,
            "study": "initializer",
            "learning_rate": "0.01",
            "learning_rates": "0.01",
            "seeds": "3",
            "data": "digits",
        }
        assert run.data.tags["warmstart.current"] == "true"


NAMES = {
    "test": "test_accuracy",
    "validation": "val_accuracy",
    "best_validation": "best_val_accuracy",
    "difference": "accuracy_difference",
}
"""Field of a summary -> metric in MLflow."""


def numbers(found: Any) -> dict[str, float]:
    """Of an arm or a contrast, whose fields are plain numbers and intervals."""
    values = {}
    for field, value in dataclasses.asdict(found).items():
        name = NAMES.get(field, field)
        if name not in ("settings", "learning_rate", "rates", "others"):
            parts = value if isinstance(value, dict) else {"mean": value}
            values |= {
                name if part == "mean" else f"{name}_{part}": number
                for part, number in parts.items()
                if part != "n" and isinstance(number, int | float)
            }
    return values


def mean_curve(records: list[Record], arm: str, metric: str) -> dict[int, float]:
    """Over the seeds that completed at the chosen learning rate."""
    curves = [
        r.epochs[metric] for r in records if r.arm == arm and r.chosen and r.outcome == "completed"
    ]
    assert len(curves) in (2, 3)
    return {e: sum(values) / len(values) for e, values in enumerate(zip(*curves, strict=True), 1)}


def test_the_view_shows_what_arms_are_ranked_by(database: Path, folder: Path) -> None:
    """Columns of MLflow's table, in its order: it has what they name, and no digit too many."""
    publish(folder)
    experiment = client().get_experiment_by_name("warmstart/initializer")
    view = json.loads(experiment.tags["mlflow.sharedViewState.ranking"])
    named = ("test_accuracy", "low", "high", "difference")
    columns = [*(f"metrics.`{name}`" for name in named), "tags.`warmstart.verdict`"]
    assert view["selectedColumns"] == view["columnOrder"] == columns
    assert view["columnWidths"].keys() <= set(columns)
    arm = next(run for run in runs("summary") if run.data.params["arm"] == ARMS[1])
    assert [arm.data.metrics[name] for name in named] == [0.95, 0.93, 0.97, -0.01]
    assert arm.data.tags["warmstart.verdict"] == "worse"


def test_numbers_of_a_table_are_short() -> None:
    values = (0.970531400966, 0.00483091, 4.5452e-10, -12345.678, 99.87654, 0.0, None)
    assert [short(value) for value in values] == [
        *(0.9705, 0.0048, 4.5e-10, -12345.7, 99.8765, 0.0, None)
    ]


def test_publishing_twice_changes_nothing(database: Path, folder: Path) -> None:
    publish(folder)
    before = {run.info.run_id: run.data.tags for run in runs()}
    assert publish(folder) == Published(new=0, present=TRIALS + SUMMARIES)
    assert {run.info.run_id: run.data.tags for run in runs()} == before


@pytest.mark.usefixtures("by_calls")
def test_many_runs_and_many_points_pass_the_limits_of_a_request(
    database: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PAGE", 4)
    records, _ = made_up(arms=("a", "b"), seeds=2, epochs=300)
    folder = write(here / "results/compare/initializer", records, None)
    assert publish(folder) == Published(new=8, present=0)
    assert publish(folder) == Published(new=0, present=8)
    longest = next(r for r in runs() if r.data.tags["warmstart.outcome"] == "completed")
    assert all(curve(longest, metric).keys() == set(range(1, 301)) for metric in EPOCH_METRICS)


@pytest.mark.slow
def test_a_deleted_database_gets_everything_back(here: Path, folder: Path) -> None:
    """Also from nothing at all, and without a word on the console."""
    found = []
    for _ in range(2):
        process = python(f"from made_up_results import publish; publish(Path({str(folder)!r}))")
        assert process.communicate() == ("", "")
        assert process.returncode == 0
        shutil.move("mlflow.db", f"database{len(found)}.db")
        found.append(shown(f"database{len(found)}.db"))
    assert found[0] == found[1]
    assert len(found[0]) == TRIALS + SUMMARIES
    ours = {path.name for path in here.iterdir() if not path.name.endswith(("-wal", "-shm"))}
    assert ours == {"results", "reports", "database0.db", "database1.db", "mlflow.db.lock"}


def test_a_copy_of_the_database_alone_holds_everything(database: Path, folder: Path) -> None:
    """Though it is open here, with a journal beside it."""
    publish(folder)
    copy = Path(shutil.copy(database, "copy.db"))
    assert len(shown("copy.db")) == TRIALS + SUMMARIES
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_database_replaced_under_a_living_process_is_noticed(
    database: Path, folder: Path, empty_database: Path
) -> None:
    publish(folder)
    database.rename("old.db")
    shutil.copy(empty_database, database)
    with pytest.raises(InputError, match=r"mlflow\.db: expected .* another file than when"):
        publish(folder)


@pytest.mark.usefixtures("by_calls")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("dies_in", "call", "unfinished"),
    [  # all arms are there before the first one has a point
        pytest.param("log_batch", 6, SUMMARIES, id="log_batch"),
        pytest.param("log_batch", 38, 1, id="log_batch of a trial"),
        pytest.param("set_terminated", 6, 1, id="set_terminated"),
    ],
)
def test_a_half_published_run_is_mended(
    database: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    dies_in: str,
    call: int,
    unfinished: int,
) -> None:
    complete = MlflowClient.__dict__[dies_in]
    called = []

    def killed(self: MlflowClient, *args: Any, **kwargs: Any) -> None:
        called.append(args)
        if len(called) == call:
            raise KeyboardInterrupt
        complete(self, *args, **kwargs)

    # a trial's 16 points in batches of 7, so that the kill leaves a run with some of its points
    with monkeypatch.context() as patch:
        patch.setattr(calls, "BATCH", 7)
        patch.setattr(MlflowClient, dies_in, killed)
        with pytest.raises(KeyboardInterrupt):
            publish(folder)
    left = runs()
    half = [run for run in left if run.info.status == "RUNNING"]
    assert len(half) == unfinished
    assert sum(bool(run.data.metrics) for run in half) == 1
    finished = len(left) - unfinished
    publisher = publish(folder)
    assert publisher == Published(new=TRIALS + SUMMARIES - finished, present=finished)

    assert {run.info.run_id for run in left} <= {run.info.run_id for run in runs()}
    mended = shown()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///reference.db")
    publish(folder)
    assert mended == shown("reference.db")


def test_a_publisher_that_vanishes_leaves_no_lock_behind(database: Path, folder: Path) -> None:
    process = python(
        "import os; from mlflow import MlflowClient; from made_up_results import publish; "
        "from warmstart.tracking import rows; rows.REVISION = 'another'; "
        "MlflowClient.log_batch = lambda *args, **kwargs: os._exit(9); "
        f"publish(Path({str(folder)!r}))"
    )
    process.communicate()
    assert process.returncode == 9
    assert Counter(run.info.status for run in runs()) == {"RUNNING": SUMMARIES}
    assert publish(folder) == Published(new=TRIALS + SUMMARIES, present=0)
    assert len(shown()) == TRIALS + SUMMARIES


@pytest.mark.usefixtures("by_calls")
def test_half_a_run_of_results_that_are_no_more_is_removed(
    database: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = here / "results/compare/initializer"
    with monkeypatch.context() as patch:
        patch.setattr(Calls, "_write", lambda *args: 1 / 0)
        with pytest.raises(InputError, match="ZeroDivisionError"):
            publish(write(folder, *made_up(root=1)))
    assert publish(write(folder, *made_up(root=2))).new == TRIALS + SUMMARIES
    assert len(runs()) == len(shown()) == TRIALS + SUMMARIES


def test_superseded_summaries_stay_as_history(database: Path, here: Path) -> None:
    folder = here / "results/compare/initializer"
    first, second = made_up(root=1), made_up(root=2, arms=ARMS[:2], epochs=5)
    publish(write(folder, *first))
    old = {run.info.run_id for run in runs("summary")}
    publish(write(folder, *second))
    current = {r.info.run_id: r.data.tags["warmstart.current"] for r in runs("summary")}
    assert len(current) == 5
    assert {run for run, now in current.items() if now == "false"} == old

    # which hold again: made anew, so that the newest arms are the ranking
    assert publish(write(folder, *first)) == Published(new=SUMMARIES, present=TRIALS)
    current = {r.info.run_id: r.data.tags["warmstart.current"] for r in runs("summary")}
    now = {run for run, holds in current.items() if holds == "true"}
    assert (len(current), len(now), now & old) == (5, 3, set())


def test_studies_do_not_supersede_each_other(database: Path, here: Path) -> None:
    write(here / "results/compare/initializer", *made_up())
    write(here / "results/compare/activation", *made_up(study="activation"))
    write(here / "results/pretrain", *made_up(stage="pretrain", study="", arms=("a",)))
    assert publish_all(here / "results").new == 2 * (TRIALS + SUMMARIES) + 7
    assert publish_all(here / "results").new == 0
    assert {run.data.tags["warmstart.current"] for run in runs("summary")} == {"true"}
    (arm,) = runs("summary", stage="pretrain")
    assert arm.info.run_name == "model A"
    assert "study" not in arm.data.params


def test_what_two_machines_published_twice_is_kept_once(
    here: Path, database: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two publishers that a server's lack of "create unless there" let pass each other: each
    looked before the other wrote, so the second one finds nothing at first."""
    publish(folder)
    before = {run.info.run_id for run in runs()}
    look, looks = Store._find, []

    def first_sees_nothing(self: Store, batch: Batch) -> dict[str, Any]:
        looks.append(batch)
        return {} if len(looks) == 1 else look(self, batch)

    monkeypatch.setattr(Store, "_find", first_sees_nothing)
    found = trial_runs(read_records(folder / "records.parquet"), "")
    batch = Batch(
        experiment="warmstart/initializer",
        stage="compare",
        study="initializer",
        runs=found,
        whole=True,
    )
    Store(Calls(client(), alone=False), None).bring(batch)
    assert len(looks) == 2
    assert {run.info.run_id for run in runs()} == before, "the oldest of each stay"


def test_a_run_taken_away_while_it_is_written_is_not_missed(
    database: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a publisher on another machine, that made the same run a moment earlier."""
    write, taken = Calls._write, []

    def first_is_taken_away(self: Calls, there: Any, run: Any) -> None:
        if not taken:
            taken.append(there.info.run_id)
            client().delete_run(there.info.run_id)
        write(self, there, run)

    monkeypatch.setattr(Calls, "_write", first_is_taken_away)
    found = trial_runs(read_records(folder / "records.parquet"), "")
    batch = Batch(
        experiment="warmstart/initializer",
        stage="compare",
        study="initializer",
        runs=found,
        whole=True,
    )
    Store(Calls(client(), alone=False), None).bring(batch)
    assert len(taken) == 1
    assert len(shown()) == TRIALS
    assert {status for _, status, *_ in shown().values()} == {"FINISHED"}


@pytest.mark.slow
def test_four_publishers_at_once_into_a_fresh_database(here: Path, folder: Path) -> None:
    code = f"from made_up_results import publish; print(publish(Path({str(folder)!r})).new)"
    processes = [python(code) for _ in range(4)]
    ends = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ends
    assert sorted(int(out) for out, _ in ends) == [0, 0, 0, TRIALS + SUMMARIES]
    assert len(shown()) == TRIALS + SUMMARIES


def test_an_experiment_deleted_by_hand_comes_back(database: Path, folder: Path) -> None:
    publish(folder)
    api = client()
    api.delete_experiment(api.get_experiment_by_name("warmstart/initializer").experiment_id)
    publish(folder)
    assert len(shown()) == TRIALS + SUMMARIES


def test_the_commit_is_logged_where_there_is_one(database: Path, folder: Path) -> None:
    publish(folder)
    assert not any("mlflow.source.git.commit" in run.data.tags for run in runs())
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "a"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    publish(write(folder, *made_up(root=1)))
    commits = Counter(run.data.tags.get("mlflow.source.git.commit") for run in runs())
    assert commits == {None: TRIALS + SUMMARIES, head.stdout.strip(): TRIALS + SUMMARIES}


def test_neither_mlflow_nor_tensorflow_is_imported_before_its_time(
    database: Path, folder: Path
) -> None:
    process = python(
        "import sys, made_up_results as t; assert 'mlflow' not in sys.modules; "
        f"t.publish(Path({str(folder)!r})); "
        "assert 'mlflow' in sys.modules; assert 'tensorflow' not in sys.modules"
    )
    assert process.communicate() == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize("name", ["records", "summary", "times"])
def test_a_damaged_file_is_named(
    database: Path, folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project = project_of(folder)
    path = {
        "records": folder / "records.parquet",
        "summary": project.summary(folder),
        "times": times_of(folder),
    }[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"arms"')
    with pytest.raises(
        InputError, match=rf"{path.name}: expected what the stage \S+ writes, received"
    ):
        publish_all(folder.parents[1])
    publish_quietly(folder)
    assert capsys.readouterr().err.count("\n") == 1


def test_nothing_to_publish_is_said(here: Path) -> None:
    with pytest.raises(InputError, match=r"expected records\.parquet .* found none"):
        publish_all(here / "results")


def test_the_metrics_are_those_of_a_record() -> None:
    """A metric added to records must be thought of here too."""
    records, _ = made_up()
    logged = {name for run in trial_runs(records, "") for name, _, _ in run.metrics}
    assert logged == {*EPOCH_METRICS, "test_loss", "test_accuracy"}
