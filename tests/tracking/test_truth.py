"""All that MLflow shows of a project, against the files that DVC tracks, and nothing besides."""

import json
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import mlflow.data
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from made_up_results import ARMS, made_up, made_up_timings, publish, publish_all, write
from warmstart.analysis.labels import label
from warmstart.tracking.opening import tracking_uri
from warmstart.tracking.publish import Published

EPOCH_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
TEST_METRICS = ("test_loss", "test_accuracy")
OURS = ("warmstart.", "prefect.")
STARTED = 1_795_616_823_250
"""2026-11-25 14:27:03.250 UTC, in ms."""

PLACES = {"labels_10": "warmstart/transfer by labels", "pair_0-1": "warmstart/transfer by pairs"}
"""Study -> experiment, where it has none of its own."""
STUDIES = {"labels_10": "labels 10: ", "pair_0-1": "pair 0-1: "}
"""Study -> how its runs are called there."""

DIGEST = {
    "trial": "warmstart.trial",
    "summary": "warmstart.summary",
    "stage": "warmstart.timings",
}

Shown = dict[str, Any]
"""What is shown of one run, by what it is."""


@pytest.fixture
def project(here: Path) -> Path:
    """Results of every kind: a study, a stage without summary or accuracies, a stage with others
    below it, and one whose timings tell of no GPU."""
    results, few = here / "results", {"rates": (0.01,), "seeds": 2}
    write(results / "compare/initializer", *made_up(), made_up_timings())
    arms = ("none", "input+after")
    batch_norm = made_up(study="batch_norm", arms=arms, root=5, **few)
    write(results / "compare/batch_norm", *batch_norm, made_up_timings(arms, gpus=()))
    unlabelled, _ = made_up(stage="autoencode", study="", arms=("denoising",), seeds=1, root=6)
    for record in unlabelled:
        nothing = (float("nan"),) * len(record.epochs["loss"])
        record.epochs.update({"accuracy": nothing, "val_accuracy": nothing})
    write(results / "autoencode", unlabelled, None, made_up_timings(("denoising",)))
    for number, (below, study) in enumerate(
        ((".", ""), ("labels/10", "labels_10"), ("pairs/0-1", "pair_0-1")), start=7
    ):
        made = made_up(stage="transfer", study=study, arms=ARMS[:2], root=number, **few)
        write(results / "transfer" / below, *made, None if study else made_up_timings(ARMS[:2]))
    return results


def client() -> MlflowClient:
    """MLflow keeps stores by their URI, so that of each test needs one of its own."""
    return MlflowClient(
        "sqlite:///" + str(Path(tracking_uri().removeprefix("sqlite:///")).absolute())
    )


def shown() -> dict[str, Shown]:
    """By digest; every point with its time, relative to the run's start."""
    api, found, arms = client(), {}, {}
    for experiment in api.search_experiments(filter_string="name LIKE 'warmstart/%'"):
        for run in api.search_runs([experiment.experiment_id], max_results=1000):
            tags = {k: v for k, v in run.data.tags.items() if k.startswith(OURS)}
            if tags["warmstart.kind"] == "summary":
                arms[run.info.run_id] = tags["warmstart.arm"]
            digest = tags[DIGEST[tags["warmstart.kind"]]]
            assert digest not in found, "a digest has two runs"
            points = {
                (p.key, p.step, p.timestamp - run.info.start_time): p.value
                for metric in run.data.metrics
                for p in api.get_metric_history(run.info.run_id, metric)
            }
            found[digest] = {
                "experiment": experiment.name,
                "name": run.info.run_name,
                "status": run.info.status,
                "tags": tags,
                "params": run.data.params,
                "points": points,
                "data": [
                    (i.dataset.to_dictionary(), {t.key: t.value for t in i.tags})
                    for i in run.inputs.dataset_inputs
                ],
                "span": (run.info.start_time, run.info.end_time),
                "below": run.data.tags.get("mlflow.parentRunId"),
            }
    for run in found.values():
        run["below"] = arms.get(run["below"])
    return found


def expected(results: Path) -> dict[str, Shown]:
    """The same, from the files alone."""
    found: dict[str, Shown] = {}
    for path in results.rglob("records.parquet"):
        folder = path.parent
        frame = pd.read_parquet(path)
        below = "labels" in folder.parts or "pairs" in folder.parts
        own = (folder.parents[1] if below else folder).relative_to(results)
        timings = json.loads((results / "times" / f"{own}.json").read_text())
        versions = "python 3.11.7, keras 3.15.1, jax 0.10.2"
        common = {"warmstart.device": timings["device"], "warmstart.versions": versions}
        for digest, rows in frame.groupby("digest"):
            found[str(digest)] = trial(rows, common)
        path = results.with_name("reports") / f"summaries/{folder.relative_to(results)}.json"
        if path.exists():
            summary = json.loads(path.read_text())
            for arm in summary["arms"]:
                found[f"{summary['stage']} {summary['study']} {arm}"] = arm_of(
                    summary, arm, frame, common
                )
        if not below:
            row = frame.iloc[0]
            found[f"{row['stage']} {row['study']}"] = stage_of(row, timings, common)
    return found


def described(row: Any, kind: str, common: dict[str, str], **tags: str) -> Shown:
    study = {"warmstart.study": row["study"]} if row["study"] else {}
    tags = {f"warmstart.{k}": v for k, v in ({"kind": kind} | tags).items()}
    source = {"uri": "data/prepared/full.npz"}
    data = {
        "name": "digits/full",
        "digest": "d" * 36,
        "source_type": "local",
        "source": json.dumps(source),
        "schema": SCHEMA,
        "profile": json.dumps({"classes": 10, "train": 1027, "validation": 357, "test": 413}),
    }
    return {
        "experiment": PLACES.get(row["study"], f"warmstart/{row['study'] or row['stage']}"),
        "status": "FINISHED",
        "below": None,
        "tags": {"warmstart.stage": row["stage"], "warmstart.data": row["data_digest"]}
        | study
        | tags
        | common,
        "data": [(data, {"mlflow.data.context": "training"})],
    }


SCHEMA = json.dumps(
    {
        "mlflow_tensorspec": {
            "features": '[{"type": "tensor", "tensor-spec": '
            '{"dtype": "float32", "shape": [-1, 64]}}]',
            "targets": '[{"type": "tensor", "tensor-spec": {"dtype": "int32", "shape": [-1]}}]',
        }
    }
)


def trial(rows: pd.DataFrame, common: dict[str, str]) -> Shown:
    row, last = rows.iloc[0], rows.iloc[-1]
    points = {
        (metric, int(epoch), 0): value
        for metric in EPOCH_METRICS
        for epoch, value in zip(rows["epoch"], rows[metric], strict=True)
        if np.isfinite(value)
    } | {(m, int(last["epoch"]), 0): last[m] for m in TEST_METRICS if np.isfinite(last[m])}
    name = f"{label(row['arm'], row['stage'])} lr={row['learning_rate']:g} seed={row['seed']}"
    params = json.loads(row["settings"]) | {
        "arm": row["arm"],
        "study": row["study"],
        "seed": str(row["seed"]),
        "learning_rate": str(row["learning_rate"]),
    }
    return described(
        row,
        "trial",
        common,
        arm=row["arm"],
        seed=str(row["seed"]),
        outcome=row["outcome"],
        chosen=str(row["chosen"]).lower(),
        record=row["digest"],
    ) | {
        "name": STUDIES.get(row["study"], "") + name,
        "params": {key: value for key, value in params.items() if value},
        "points": points,
        # nobody judged the encoders
        "below": row["arm"] if row["stage"] != "autoencode" else None,
    }


def arm_of(summary: Shown, arm: str, frame: pd.DataFrame, common: dict[str, str]) -> Shown:
    of_arm = summary["arms"][arm]
    values = numbers(of_arm) | {end: of_arm["test"][end] for end in ("low", "high")}
    tags = {"at_edge": of_arm["at_edge"], "current": "true", "arm": arm, "metric": "accuracy"}
    tags |= {"verdict": "reference"} if arm == summary["reference"] else {}
    for contrast in summary["contrasts"].values():
        if contrast["arm"] == arm:
            tags |= {k: contrast[k] for k in ("verdict", "on_new_data", "reference")}
            values |= numbers(contrast) | {"difference": contrast["difference"]["mean"]}
    chosen = frame[(frame["arm"] == arm) & frame["chosen"] & (frame["outcome"] == "completed")]
    curves = {
        (f"mean/{metric}", int(epoch), 0): np.mean(of_epoch[metric].to_numpy())
        for epoch, of_epoch in chosen.groupby("epoch")
        for metric in EPOCH_METRICS
    }
    study = summary["study"]
    params = of_arm["settings"] | {
        "arm": arm,
        "study": study,
        "seeds": str(summary["seeds"]),
        "learning_rate": str(of_arm["learning_rate"]),
        "learning_rates": ", ".join(of_arm["rates"]),
        "data": summary["data_name"],
    }
    return described(summary, "summary", common, **tags) | {
        "name": STUDIES.get(study, "") + label(arm, summary["stage"]),
        "params": {key: value for key, value in params.items() if value},
        "points": {(m, 0, 0): round(float(v), 4) for m, v in values.items() if v is not None}
        | curves,
    }


NAMES = {
    "test": "test_accuracy",
    "validation": "val_accuracy",
    "best_validation": "best_val_accuracy",
    "difference": "accuracy_difference",
}
"""Field of a summary -> metric in MLflow."""


def numbers(fields: Shown) -> dict[str, float | None]:
    """Of an arm or a contrast: plain ones, and means with their ends."""
    fields = {NAMES.get(name, name): value for name, value in fields.items()}
    ends = {"mean": "", "low": "_low", "high": "_high", "sd": "_sd"}
    plain = {k: v for k, v in fields.items() if isinstance(v, int | float) and k != "learning_rate"}
    return plain | {
        f"{key}{ends[part]}": value
        for key, interval in fields.items()
        if isinstance(interval, dict) and "mean" in interval
        for part, value in interval.items()
        if part in ends
    }


def stage_of(row: Any, timings: Shown, common: dict[str, str]) -> Shown:
    rates = ("trial_epochs_per_second", "samples_per_second")
    points = {(m, 0, 0): timings[m] for m in ("seconds", "trial_epochs", "samples", *rates)}
    points |= {
        (f"{rate}_by_arm/{arm.replace('+', ' ')}", 0, 0): found[rate]
        for arm, found in timings["arms"].items()
        for rate in rates
    }
    gpu = "NVIDIA H100, " if timings["machine"]["gpus"] else ""
    machine = f"AMD EPYC, 2 cores, {gpu}Linux-6.1"
    return described(row, "stage", common, current="true", machine=machine) | {
        "experiment": "warmstart/pipeline",
        "name": f"{row['stage']}@{row['study']}" if row["study"] else row["stage"],
        "params": {"study": row["study"]} if row["study"] else {},
        "points": points,
        "span": (STARTED, STARTED + 3500),
    }


def test_all_that_is_shown_is_what_the_files_say(database: Path, project: Path) -> None:
    publish_all(project)
    found, wanted = shown(), expected(project)
    kinds = Counter(run["tags"]["warmstart.kind"] for run in found.values())
    assert kinds == {"trial": 18 + 4 + 2 + 3 * 4, "summary": 3 + 2 + 3 * 2, "stage": 4}
    for digest, run in found.items():
        tags, kind = run["tags"], run["tags"]["warmstart.kind"]
        if kind != "stage":
            del run["span"]  # records and summaries have no clock
        if kind == "trial":
            untested = tags.pop("warmstart.trial")
            assert untested == digest
            digest = tags["warmstart.record"]
            assert (untested == digest) == (tags["warmstart.chosen"] == "false")
        else:  # these digests are no one's but the publisher's
            del tags[DIGEST[kind]]
            digest = f"{tags['warmstart.stage']} {tags.get('warmstart.study', '')}"
            digest += f" {tags['warmstart.arm']}" if kind == "summary" else ""
        assert run == wanted.pop(digest)
    assert not wanted


def test_publishing_twice_changes_nothing(database: Path, project: Path) -> None:
    assert publish_all(project) == Published(new=51, present=0)
    before = shown()
    assert publish_all(project) == Published(new=0, present=51)
    assert shown() == before
    assert {run["tags"].get("warmstart.current") for run in before.values()} == {"true", None}


def test_a_stage_that_ran_again_with_the_same_results_has_one_more_run(
    database: Path, project: Path
) -> None:
    folder = project / "compare/initializer"
    assert publish(folder).new == 18 + 3 + 1
    before = shown()
    again = made_up_timings(seconds=2) | {"device": "a new machine", "versions": {"keras": "4"}}
    again["started"] = "2026-11-26T14:27:03.250+00:00"
    assert publish(write(folder, *made_up(), again)) == Published(new=1, present=21)
    after = shown()
    (new,) = after.keys() - before.keys()
    assert after[new]["tags"]["warmstart.device"] == "a new machine"
    replaced = [d for d in before if after[d] != before[d]]
    assert [before[d]["tags"]["warmstart.kind"] for d in replaced] == ["stage"]
    assert after[replaced[0]]["tags"] == before[replaced[0]]["tags"] | {
        "warmstart.current": "false"
    }
    publish(write(folder, *made_up(), made_up_timings()))
    assert after[replaced[0]]["tags"]["warmstart.current"] == "false"
    assert shown()[replaced[0]]["tags"]["warmstart.current"] == "true"
    assert shown()[new]["tags"]["warmstart.current"] == "false"


def test_a_stage_does_not_supersede_what_lies_below_it(
    database: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its search finds the runs of all studies; those of others are not its own."""
    publish_all(project)
    marked = []
    monkeypatch.setattr(MlflowClient, "set_tag", lambda self, *args: marked.append(args))
    publish(project / "transfer")
    assert marked == []


def test_results_without_timings_or_with_older_ones_are_shown_all_the_same(
    database: Path, here: Path
) -> None:
    folder = here / "results/compare/initializer"
    assert publish(write(folder, *made_up())).new == 18 + 3
    old = {"machine": {"cpu": "AMD EPYC"}, "versions": {"keras": "3.15.1"}, "seconds": 1.0}
    assert publish(write(folder, *made_up(root=1), old | {"arms": {}})).new == 18 + 3
    tags = Counter(run["tags"].get("warmstart.versions") for run in shown().values())
    assert tags == {None: 21, "keras 3.15.1": 21}
    assert all(run["data"] == [] for run in shown().values())


@pytest.mark.usefixtures("by_calls")
@pytest.mark.slow
@pytest.mark.parametrize("dies_in", ["log_inputs", "log_batch", "set_terminated"])
def test_a_publisher_killed_anywhere_is_mended(
    database: Path, project: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    folder = project / "compare/initializer"
    complete, calls = MlflowClient.__dict__[dies_in], []

    def killed(self: MlflowClient, *args: Any, **kwargs: Any) -> None:
        calls.append(args)
        if len(calls) in (5, 17):  # a trial; the run of the stage, which comes last
            raise KeyboardInterrupt
        complete(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, dies_in, killed)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                publish(folder)
    publish(folder)
    mended = shown()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///reference.db")
    publish(folder)
    reference = shown()
    for run in (*mended.values(), *reference.values()):
        if run["tags"]["warmstart.kind"] != "stage":
            del run["span"]
    assert mended == reference


def test_mlflow_finds_the_file_of_a_data_set(
    database: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(project / "compare/initializer")
    api = client()
    found = api.search_runs(
        [api.get_experiment_by_name("warmstart/pipeline").experiment_id],
        "dataset.name = 'digits/full' AND tags.`warmstart.kind` = 'stage'",
    )
    assert len(found) == 1
    source = mlflow.data.get_source(found[0].inputs.dataset_inputs[0])
    assert source.uri == "data/prepared/full.npz"


def test_the_flow_run_is_named(
    database: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "FLOW_RUN_ID" not in os.environ
    monkeypatch.setenv("FLOW_RUN_ID", "0f8fad5b-d9cb")
    monkeypatch.setenv("FLOW_RUN_URL", "http://127.0.0.1:4200/runs/flow-run/0f8fad5b-d9cb")
    publish(project / "compare/initializer")
    tags = [run["tags"] for run in shown().values()]
    assert len(tags) == 22
    assert {tag["prefect.flow_run_id"] for tag in tags} == {"0f8fad5b-d9cb"}
    assert {tag["prefect.flow_run_url"][-14:] for tag in tags} == {"/0f8fad5b-d9cb"}


def test_the_start_in_the_files_is_the_start_in_mlflow() -> None:
    started = datetime.fromisoformat(made_up_timings()["started"])
    assert started.timestamp() * 1000 == STARTED
