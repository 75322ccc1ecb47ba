"""What MLflow shall show of records and summaries, as plain data: nothing here needs MLflow."""

import dataclasses
import hashlib
import json
import math
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from warmstart.records import EPOCH_METRICS, TEST_METRICS, ArmSummary, Interval, Record, Summary
from warmstart.tracking.datasets import Dataset

Point = tuple[str, float, int]
"""Name of a metric, its value (finite), its step."""

DIGESTS = ("warmstart.record", "warmstart.summary", "warmstart.timings")
"""Tags by one of which a run is found again."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One MLflow run to be."""

    digest: str
    """Of what the run shows; MLflow's copy carries it as a tag and is found by it."""
    stage: str
    study: str
    name: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: tuple[Point, ...]
    artifacts: Path | None = None
    """A folder of files that belong to it."""
    data: Dataset | None = None
    """None: not known."""
    span: tuple[int, int] | None = None
    """When it began and ended, in ms since 1970; then a point's step is the second after it began.
    None: nobody knows."""


def trial_runs(records: Sequence[Record], commit: str) -> tuple[Run, ...]:
    """One run per record.

    Values that are not finite are left out, since MLflow's databases store an infinity as the
    largest float and its charts draw neither: a diverged trial's curves end before the epoch in
    which it diverged, and its tag `warmstart.outcome` says why.
    """
    return tuple(
        Run(
            digest=record.digest,
            stage=record.stage,
            study=record.study,
            name=_prefixed(record.study, record.name),
            tags=common_tags("trial", record, record.arm, commit)
            | {
                "warmstart.record": record.digest,
                "warmstart.trial": _untested(record),
                "warmstart.seed": str(record.seed),
                "warmstart.outcome": record.outcome,
                "warmstart.chosen": str(record.chosen).lower(),
            },
            params=_params(
                record.settings,
                arm=record.arm,
                study=record.study,
                seed=record.seed,
                learning_rate=record.learning_rate,
            ),
            metrics=_curves(record.epochs)
            + _scalars({m: record.test.get(m) for m in TEST_METRICS}, len(record.epochs["loss"])),
        )
        for record in records
    )


def _untested(record: Record) -> str:
    """Digest of what was known of a trial before learning rates were chosen."""
    return (
        dataclasses.replace(record, chosen=False, test={}).digest
        if record.chosen
        else record.digest
    )


def summary_runs(summary: Summary, records: Sequence[Record], commit: str) -> tuple[Run, ...]:
    """One run per arm: its place in the ranking, and its mean curves over seeds."""
    return tuple(
        _summary_run(summary, name, arm, [r for r in records if r.arm == name and r.chosen], commit)
        for name, arm in summary.arms.items()
    )


def _summary_run(
    summary: Summary, name: str, arm: ArmSummary, chosen: Sequence[Record], commit: str
) -> Run:
    contrast = next((c for c in summary.contrasts.values() if c.arm == name), None)
    content = {
        "place": [summary.stage, summary.study, name, summary.data_digest],
        "arm": dataclasses.asdict(arm),
        "contrast": dataclasses.asdict(contrast) if contrast else None,
        "curves": [record.digest for record in chosen],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    tags = {"warmstart.summary": digest, "warmstart.current": "true"}
    metrics: dict[str, float | None] = {
        "rank": arm.rank,
        "best_epoch": arm.best_epoch,
        "diverged_share": arm.diverged_share,
        **_interval("test_accuracy", arm.test_accuracy),
        **_interval("test_loss", arm.test_loss),
        **_interval("val_accuracy", arm.val_accuracy),
    }
    if arm.at_edge:
        tags["warmstart.at_edge"] = arm.at_edge
    if contrast:
        tags |= {
            "warmstart.verdict": contrast.verdict,
            "warmstart.reference": contrast.reference,
        }
        metrics |= _interval("accuracy_difference", contrast.accuracy_difference)
        metrics["error_factor"] = contrast.error_factor.mean
        metrics["p_value"] = contrast.p_value
    return Run(
        digest=digest,
        stage=summary.stage,
        study=summary.study,
        name=_prefixed(summary.study, name),
        tags=common_tags("summary", summary, name, commit) | tags,
        params=_params(
            arm.settings,
            arm=name,
            study=summary.study,
            seeds=summary.seeds,
            learning_rate=arm.learning_rate,
            data=summary.data_name,
        ),
        metrics=_scalars(metrics, 0) + _mean_curves(chosen),
    )


def ranking(stage: str, study: str) -> tuple[str, str]:
    """Key and value of the experiment's tag that holds a ready-made view of MLflow's runs table:
    the current summaries of a study by rank, with the columns that matter.

    This is how MLflow's own button "share" keeps a view. A version that knows another form
    ignores the tag.
    """
    only = {"kind": "summary", "current": "true"} | ({"study": study} if study else {})
    metrics = ("rank", "test_accuracy", "test_accuracy_low", "test_accuracy_high")
    columns = [f"metrics.`{metric}`" for metric in (*metrics, "accuracy_difference", "p_value")]
    view = {
        "searchFilter": " AND ".join(f"tags.`warmstart.{k}` = '{v}'" for k, v in only.items()),
        "orderByKey": "metrics.`rank`",
        "orderByAsc": True,
        "selectedColumns": [*columns, "params.`learning_rate`", "tags.`warmstart.verdict`"],
    }
    return f"mlflow.sharedViewState.{study or stage}", json.dumps(view)


def _mean_curves(chosen: Sequence[Record]) -> tuple[Point, ...]:
    """`mean/METRIC` per epoch, over the seeds that did not diverge.

    The same seeds in every epoch: a mean over whichever are still alive would jump when one
    leaves. The slash makes MLflow draw these charts in a section of their own.
    """
    completed = [record.epochs for record in chosen if record.outcome == "completed"]
    if not completed:
        return ()
    return _curves(
        {
            f"mean/{metric}": np.mean([epochs[metric] for epochs in completed], axis=0).tolist()
            for metric in EPOCH_METRICS
        }
    )


def _curves(epochs: Mapping[str, Sequence[float]]) -> tuple[Point, ...]:
    return tuple(
        (metric, value, epoch)
        for metric, values in epochs.items()
        for epoch, value in enumerate(values, start=1)
        if math.isfinite(value)
    )


def _scalars(values: Mapping[str, float | None], step: int) -> tuple[Point, ...]:
    return tuple(
        (metric, float(value), step)
        for metric, value in values.items()
        if value is not None and math.isfinite(value)
    )


def _interval(metric: str, interval: Interval) -> dict[str, float | None]:
    return {
        metric: interval.mean,
        f"{metric}_low": interval.low,
        f"{metric}_high": interval.high,
        f"{metric}_sd": interval.sd,
    }


def _prefixed(study: str, name: str) -> str:
    return f"{study}: {name}" if study else name


def _params(settings: Mapping[str, str], **ours: str | int | float) -> dict[str, str]:
    """Ours win over settings of the same name. No empty ones: they would only fill a column."""
    params = {**settings, **ours}
    return {key: str(value) for key, value in params.items() if value != ""}


def common_tags(kind: str, source: Record | Summary, arm: str, commit: str) -> dict[str, str]:
    """Those that all kinds of runs have, but for empty ones."""
    tags = {
        "warmstart.kind": kind,
        "warmstart.stage": source.stage,
        "warmstart.study": source.study,
        "warmstart.arm": arm,
        "warmstart.data": source.data_digest,
        "mlflow.source.name": f"python -m warmstart {source.stage}",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": commit,
        "prefect.flow_run_id": os.environ.get("FLOW_RUN_ID", ""),
        "prefect.flow_run_url": os.environ.get("FLOW_RUN_URL", ""),
    }
    return {key: value for key, value in tags.items() if value}


def head(folder: Path) -> str:
    """Commit of the repository around `folder`; empty without git, repository or commit."""
    try:
        git = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return git.stdout.strip() if git.returncode == 0 else ""
