"""What MLflow shall hold of records, summaries, timings and the report, as plain data."""

import dataclasses
import hashlib
import json
import math
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from warmstart.analysis.inference import interval
from warmstart.analysis.labels import label
from warmstart.analysis.scores import validated
from warmstart.analysis.summary import ArmSummary, Contrast, Interval, Summary
from warmstart.analysis.words import rates
from warmstart.records import Record
from warmstart.tracking import figures

_LONGEST = 200  # letters: MLflow takes 250, in which there is more than the name
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


def trial_runs(records: Iterable[Record], commit: str) -> tuple[Run, ...]:
    """One run per record, tested or not: it is named by the digest that the record has before.

    Values that are not finite are left out, since MLflow's databases store an infinity as the
    largest float and its charts draw neither: a diverged trial's curves end before the epoch in
    which it diverged, and its tag `warmstart.outcome` says why.
    """
    return tuple(_trial_run(record, commit) for record in records)


def _trial_run(record: Record, commit: str) -> Run:
    digest = dataclasses.replace(record, chosen=False, test={}).digest
    tags = {
        ARM: record.arm,
        "warmstart.seed": str(record.seed),
        "warmstart.outcome": record.outcome,
        "warmstart.chosen": str(record.chosen).lower(),
        "warmstart.trial": digest,
        RECORD: record.digest,
    }
    ours = {"arm": record.arm, "study": record.study, "seed": record.seed}
    return Run(
        digest=digest,
        name=_prefixed(
            record, label(record.arm, record.stage) + record.name.removeprefix(record.arm)
        ),
        tags=_tags("trial", record.stage, record.study, record.data_digest, commit) | tags,
        params=_params(record.settings | ours | {"learning_rate": record.learning_rate}),
        metrics=_curves(record.epochs)
        + _scalars(record.validation | record.test, len(record.epochs["loss"])),
    )


def summary_runs(
    summary: Summary, records: Sequence[Record], colours: Mapping[str, str], commit: str
) -> tuple[Run, ...]:
    """One run per arm: its place in the ranking, its mean curves over seeds, the colour (#rrggbb)
    that it has in the report. No run where `summary` is not of these records: it is older."""
    chosen = {arm: [r for r in records if r.arm == arm and r.chosen] for arm in summary.arms}
    if not all(_is_of(chosen[arm], found) for arm, found in summary.arms.items()):
        return ()
    # with one arm all are new, so that the newest are a ranking
    order = [(name, [record.digest for record in chosen[name]]) for name in summary.arms]
    ranking = _digest([dataclasses.asdict(summary), order])
    return tuple(
        _summary_run(summary, name, ranking, chosen[name], colours.get(name, ""), commit)
        for name in summary.arms
    )


def _is_of(chosen: Sequence[Record], arm: ArmSummary) -> bool:
    rates = Counter(f"{record.learning_rate:g}" for record in chosen)
    return rates == arm.rates and math.isclose(
        interval(map(validated, chosen)).mean, arm.validation.mean, rel_tol=1e-9, abs_tol=1e-12
    )


def _summary_run(
    summary: Summary,
    name: str,
    ranking: str,
    chosen: Sequence[Record],
    colour: str,
    commit: str,
) -> Run:
    arm, digest = summary.arms[name], _digest([ranking, name])
    contrast = next((c for c in summary.contrasts.values() if c.arm == name), None)
    tags = {
        ARM: name,
        "warmstart.summary": digest,
        "warmstart.at_edge": arm.at_edge,
        METRIC: summary.metric,
        CURRENT: "true",
        COLOUR: colour,
    }
    if summary.contrasts and name == summary.reference:
        tags["warmstart.verdict"] = "reference"
    metrics = _numbers(arm, summary.metric) | {"low": arm.test.low, "high": arm.test.high}
    if contrast:
        metrics["difference"] = contrast.difference.mean
        named = ("verdict", "on_new_data", "reference")
        tags |= {f"warmstart.{key}": getattr(contrast, key) for key in named}
        metrics |= _numbers(contrast, summary.metric)
    ours = {"arm": name, "study": summary.study, "seeds": summary.seeds, "data": summary.data_name}
    common = _tags("summary", summary.stage, summary.study, summary.data_digest, commit)
    return Run(
        digest=digest,
        name=_prefixed(summary, label(name, summary.stage)),
        tags=_filled(common | tags),
        params=_params(
            arm.settings
            | ours
            | {"learning_rate": arm.learning_rate, "learning_rates": rates(arm.rates)}
        ),
        metrics=_scalars({k: _short(v) for k, v in metrics.items()}, 0) + _mean_curves(chosen),
    )


def stage_run(stage: str, study: str, data: str, facts: Mapping[str, Any], commit: str) -> Run:
    """The run of a stage at work, then of its end: how long, and how much per second.

    Args:
        stage, study, data: of its trials; `data` is the digest.
        facts: of `records.times_of`; while the stage is at work, of `trials.json`.
    """
    digest = _digest([stage, study, facts["started"]])
    started = round(datetime.fromisoformat(facts["started"]).timestamp() * 1000)
    tags = {"warmstart.timings": digest, CURRENT: "true"}
    metrics: dict[str, float | None] = {}
    if process := facts.get("process"):
        tags[PROCESS] = process
    if ended := "seconds" in facts:
        machine = facts["machine"]
        tags["warmstart.machine"] = f"{machine['cpu']}, {machine['cores']} cores, " + ", ".join(
            [*machine["gpus"], machine["platform"]]
        )
        rates = ("trial_epochs_per_second", "samples_per_second")
        metrics |= {name: facts[name] for name in ("seconds", "trial_epochs", "samples", *rates)}
        keys = metric_keys(facts["arms"])
        for arm, found in facts["arms"].items():
            metrics |= {f"{rate}_by_arm/{keys[arm]}": found[rate] for rate in rates}
    return Run(
        digest=digest,
        name="@".join(filter(None, (stage, study))),
        tags=_tags("stage", stage, study, data, commit) | tags,
        params=_params({"study": study}),
        metrics=_scalars(metrics, 0),
        status="FINISHED" if ended else "RUNNING",
        started=started,
        ended=started + round(facts["seconds"] * 1000) if ended else None,
    )


def report_run(folder: Path, commit: str) -> Run | None:
    """The run that keeps the files of the report, once for each content. None without files."""
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    digest = _digest(files)
    tags = _tags("report", "report", "", "", commit)
    tags |= {"warmstart.summary": digest, CURRENT: "true"}
    return Run(digest=digest, name="report", tags=tags, artifacts=folder) if files else None


def with_figures(run: Run, folder: Path) -> Run:
    """`run` with the pictures in `folder`, if there are any."""
    found = figures.digest(folder)
    return replace(run, figures=folder, tags=run.tags | {FIGURES: found}) if found else run


def with_facts(run: Run, facts: Mapping[str, Any]) -> Run:
    """`run` with device, versions and data set, which are no part of its digest: what was trained
    once more, with the same results, is the same run."""
    versions = ", ".join(f"{name} {v}" for name, v in facts.get("versions", {}).items())
    tags = _filled({"warmstart.device": facts.get("device", ""), "warmstart.versions": versions})
    data = facts.get("data", {}).get(run.tags["warmstart.data"], {})
    return replace(run, tags=run.tags | tags, data=data)


def head(folder: Path) -> str:
    """Commit of the repository around `folder`; empty without git, repository or commit."""
    command = ["git", "-C", str(folder), "rev-parse", "--verify", "HEAD"]
    try:
        git = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return git.stdout.strip() if git.returncode == 0 else ""


def metric_keys(names: Iterable[str]) -> dict[str, str]:
    """What MLflow takes for each of `names` in the key of a metric: other letters become spaces,
    and one that is too long, or would be another's, ends in a digest of the name."""
    plain = {name: re.sub(r"[^\w.\- :]", " ", name).strip(" .") for name in names}
    counts = Counter(key.casefold() for key in plain.values())
    good = {
        n for n, key in plain.items() if 0 < len(key) <= _LONGEST and counts[key.casefold()] < 2
    }
    return {
        name: key
        if name in good
        else f"{key[:_LONGEST]} {hashlib.sha256(name.encode()).hexdigest()[:8]}".strip()
        for name, key in plain.items()
    }


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
            for metric in completed[0]
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


def _numbers(found: ArmSummary | Contrast, metric: str) -> dict[str, float | None]:
    """Fields that are numbers, but for the learning rate, which is a parameter; of an interval its
    mean under the field's name, and `_low`, `_high`, `_sd`. What is of the metric that decides has
    its name: `test_accuracy`, `val_accuracy`, `best_val_accuracy`, `accuracy_difference`."""
    names = {
        "test": f"test_{metric}",
        "validation": f"val_{metric}",
        "best_validation": f"best_val_{metric}",
        "difference": f"{metric}_difference",
    }
    fields = {names.get(name, name): value for name, value in vars(found).items()}
    if isinstance(found, ArmSummary):
        fields |= {f"test_{name}": value for name, value in found.others.items()}
    values: dict[str, float | None] = {}
    for name, value in fields.items():
        if isinstance(value, Interval):
            values |= {name: value.known, f"{name}_low": value.low}
            values |= {f"{name}_high": value.high, f"{name}_sd": value.sd}
        elif isinstance(value, int | float) and name != "learning_rate":
            values[name] = value
    return values


def _short(value: float | None) -> float | None:
    """Four decimals; two digits of what is smaller, six of what is larger. MLflow's table shows all
    that it is given and has no room for more; the summaries below `reports` have the rest."""
    if value is None:
        return None
    form = ".6g" if abs(value) >= 100 else ".4f" if abs(value) >= 0.001 else ".2g"
    return float(format(value, form))


def _prefixed(of: Record | Summary, name: str) -> str:
    """With the study where its experiment has several."""
    return f"{of.study.replace('_', ' ')}: {name}" if of.stage == "transfer" and of.study else name


def _params(values: Mapping[str, object]) -> dict[str, str]:
    return _filled({key: str(value) for key, value in values.items()})


def _tags(kind: str, stage: str, study: str, data: str, commit: str) -> dict[str, str]:
    """Those that all kinds of runs have."""
    return _filled(
        {
            "warmstart.kind": kind,
            "warmstart.stage": stage,
            "warmstart.study": study,
            "warmstart.data": data,
            "mlflow.source.name": f"warmstart {stage}",
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": commit,
            "prefect.flow_run_id": os.environ.get("FLOW_RUN_ID", ""),
            "prefect.flow_run_url": os.environ.get("FLOW_RUN_URL", ""),
        }
    )


def _filled(values: Mapping[str, str]) -> dict[str, str]:
    """Without empty ones, which would only fill a column."""
    return {key: value for key, value in values.items() if value}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
