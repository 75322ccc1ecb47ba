"""Records are the truth, MLflow is a view of them.

`publish` brings MLflow what it lacks of one results folder: one run per record, one per arm, one of
the stage itself.
Runs are found again by the digest of what they show, so publishing twice changes nothing, and a
lost database, a run restored from DVC's cache or an outage all end with everything in MLflow.
MLflow itself is imported only when there is something to publish.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from warmstart.errors import InputError
from warmstart.records import Summary, read_records
from warmstart.tracking.facts import FILE, Facts
from warmstart.tracking.runs import Run, head, summary_runs, trial_runs

__all__ = ["Published", "publish", "publish_all", "publish_quietly", "tracking_uri"]


@dataclass(frozen=True, kw_only=True)
class Published:
    """What publishing did, in MLflow runs."""

    new: int = 0
    """Published now, those included that an earlier publisher had left half done."""
    present: int = 0
    """Were already there."""

    def __add__(self, other: Self) -> "Published":
        return Published(new=self.new + other.new, present=self.present + other.present)

    def __str__(self) -> str:
        return f"{self.new} runs published, {self.present} were there already"


def tracking_uri() -> str:
    """Where MLflow's data lie: $MLFLOW_TRACKING_URI, else mlflow.db in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def publish(folder: Path) -> Published:
    """Publish what MLflow lacks of `folder`: its `records.parquet`, its `summary.json` and
    `timings.json` if any.

    Raises:
        InputError: one line; the folder cannot be read or MLflow does not answer.
    """
    places: dict[tuple[str, str], list[Run]] = {}
    for run in _runs(folder):
        places.setdefault((run.stage, run.study), []).append(run)

    total = Published()
    if not places:
        return total
    from warmstart.tracking.opening import opened

    with opened(tracking_uri()) as store:
        for (stage, study), runs in places.items():
            new = store.bring(stage, study, runs)
            total += Published(new=new, present=len(runs) - new)
    return total


def publish_all(root: Path) -> Published:
    """`publish` every folder at or below `root` that holds records, and the trials that a stage
    which is at work, or was killed, has finished.

    Raises:
        InputError: one line, as `publish`, or when there is nothing to publish.
    """
    from warmstart.tracking.live import Live

    trials, total = Live(since_now=False), Published()
    while (batch := trials.publish()) != Published():
        total += batch
    folders = sorted(path.parent for path in root.rglob("records.parquet"))
    if not folders:
        raise InputError(
            f"{root}: expected records.parquet of a stage below it, found none; "
            "run the pipeline (`make run`) or fetch its results (`dvc pull`) first"
        )
    return sum((publish(folder) for folder in folders), total)


def publish_quietly(folder: Path, publisher: Callable[[Path], object] = publish) -> None:
    """`publish` (or another publisher) for the end of a stage: whatever fails costs one line on
    stderr, never the stage.

    Every Exception is caught on purpose: the stage's outputs are complete, and nothing that is
    wrong with a view of them, our own mistakes included, may throw hours of training away.
    """
    try:
        publisher(folder)
    except Exception as error:
        what = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        print(
            f"warning: {folder} is not in MLflow yet, `make track` publishes it later: "
            + " ".join(what.split()),
            file=sys.stderr,
        )


def _runs(folder: Path) -> tuple[Run, ...]:
    """What MLflow should hold of `folder`, each digest once."""
    path = folder / "records.parquet"
    try:
        records = read_records(path)
        commit = head(folder)
        runs = trial_runs(records, commit)
        path = folder / "summary.json"
        if path.exists():
            runs += summary_runs(Summary.read(path), records, commit)
        path = folder / FILE
        facts = Facts.read(folder)
        if records and (stage := facts.stage_run(records[0], commit)):
            runs += (stage,)
        runs = tuple(map(facts.add_to, runs))
    except (OSError, ValueError, KeyError, TypeError) as error:
        received = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(
            f"{path}: expected what a stage writes, received {received}; run the stage again"
        ) from error
    return tuple({run.digest: run for run in runs}.values())
