"""Records, summaries, timings and the report -> the runs that MLflow shall hold of them."""

import dataclasses
import hashlib
import json
import math
import os
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from warmstart.analysis.inference import interval
from warmstart.analysis.labels import label
from warmstart.analysis.scores import validated
from warmstart.analysis.summary import ArmSummary, Summary
from warmstart.analysis.words import rates
from warmstart.records import Record
from warmstart.tracking import figures
from warmstart.tracking.points import curves, mean_curves, metric_keys, numbers, scalars, short
from warmstart.tracking.runs import (
    ARM,
    COLOUR,
    CURRENT,
    FIGURES,
    METRIC,
    PROCESS,
    RECORD,
    Run,
)


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
        metrics=curves(record.epochs)
        + scalars(record.validation | record.test, len(record.epochs["loss"])),
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
    metrics = numbers(arm, summary.metric) | {"low": arm.test.low, "high": arm.test.high}
    if contrast:
        metrics["difference"] = contrast.difference.mean
        named = ("verdict", "on_new_data", "reference")
        tags |= {f"warmstart.{key}": getattr(contrast, key) for key in named}
        metrics |= numbers(contrast, summary.metric)
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
        metrics=scalars({k: short(v) for k, v in metrics.items()}, 0) + mean_curves(chosen),
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
        metrics=scalars(metrics, 0),
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
