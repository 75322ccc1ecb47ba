"""What MLflow shall hold, as plain data: a run, and the runs of a study."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from warmstart.analysis.summary import Summary

Point = tuple[str, float, int]
"""Name of a metric, its value (finite), its step."""

DIGESTS = ("warmstart.trial", "warmstart.summary", "warmstart.timings")
"""Tags by one of which a run is found again."""
RECORD, CURRENT, COLOUR = "warmstart.record", "warmstart.current", "mlflow.runColor"
PARENT = "mlflow.parentRunId"
"""Tag by which MLflow shows a run below another: a trial below its arm."""
ROOT = "warmstart/"
"""How the names of our experiments begin."""
PIPELINE = f"{ROOT}pipeline"
"""The experiment of what is no arm: stages with their times, and the report."""
ARM = "warmstart.arm"
FIGURES = "mlflow.warmstart.figures"
"""Tag with the digest of the pictures that a run holds, which MLflow does not show."""
PROCESS = "mlflow.warmstart.process"
"""Tag of a stage that runs with its process (`runtime.process`), which MLflow does not show."""
METRIC = "warmstart.metric"
"""Tag of a summary: the metric that decides."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One MLflow run to be."""

    digest: str
    """MLflow's run carries it as one of the tags `DIGESTS` and is found by it."""
    name: str
    tags: dict[str, str]
    params: dict[str, str] = dataclasses.field(default_factory=dict)
    metrics: tuple[Point, ...] = ()
    artifacts: Path | None = None
    """A folder of files that belong to it."""
    figures: Path | None = None
    """A folder with the pictures of its study (`tracking.figures`); they carry the tag `FIGURES`,
    and are drawn again when they become others."""
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What it was trained on, as `runtime.timings` describes it; empty: not known."""
    status: Literal["FINISHED", "RUNNING", "FAILED"] = "FINISHED"
    started: int | None = None
    """In ms since 1970, as `ended`; None: nobody knows."""
    ended: int | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Runs of one stage and study in one experiment."""

    experiment: str
    stage: str
    study: str
    runs: tuple[Run, ...]
    whole: bool
    """Whether these are all: then MLflow's others are history, and half ones are removed."""
    summary: Summary | None = None
    """What the experiment's page says; None: as before."""

    @property
    def arms(self) -> dict[str, Run]:
        """The summaries by name, best first."""
        return {run.tags[ARM]: run for run in self.runs if is_arm(run.tags)}

    @property
    def metric(self) -> str:
        """What arms are judged by, as far as a summary says."""
        return next((run.tags[METRIC] for run in self.arms.values()), "accuracy")


def is_arm(tags: Mapping[str, str]) -> bool:
    """Whether a run with these tags is the summary of an arm."""
    return tags.get("warmstart.kind") == "summary"


def experiment_of(stage: str, study: str) -> str:
    """Where the arms and trials of a study are: one experiment each, but for the many studies with
    other labels or pairs of classes, which share two."""
    if stage == "transfer" and study:
        return f"{ROOT}transfer by {'labels' if study.startswith('labels_') else 'pairs'}"
    return f"{ROOT}{study or stage}"
