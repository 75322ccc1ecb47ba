"""This project's flow: its DAG, MLflow beside it, and what its page shows of the results."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from prefect_dvc import dvc_flow
from prefect_dvc.pages import tag
from prefect_dvc.place import git_revision
from prefect_dvc.servers import shown

WARMSTART = (sys.executable, "-m", "warmstart")
CHECK = (*WARMSTART, "check")
BESIDE = {"mlflow": (*WARMSTART, "track", "--follow")}
COLUMNS = {"old": "before", "new": "now", "diff": "change"}


def show_results() -> None:
    """Metrics beside the last run's, and where it all came from, which are tags, too."""
    if rows := changed_metrics():
        create_table_artifact(rows, "dvc-metrics", "Metrics beside the last run's")
    lock = Path("dvc.lock")
    digest = hashlib.md5(lock.read_bytes()).hexdigest() if lock.exists() else "none"
    commit = git_revision() or "none"
    lines = [f"- git revision: `{commit}`", f"- digest (MD5) of dvc.lock: `{digest}`"]
    if ".dvc" in Path.cwd().parts:  # a worktree, which is gone afterwards
        lines += [f"- results: `dvc exp apply {Path.cwd().name}`, if anything has changed"]
    if (tracking := os.environ.get("MLFLOW_TRACKING_URI", "")).startswith("http"):
        lines += [f"- runs: [MLflow]({shown(tracking)})"]
    create_markdown_artifact("\n".join(lines), "dvc-revision", "Where it came from")
    tag(f"git:{commit[:12]}", f"dvc.lock:{digest[:12]}")


def changed_metrics() -> list[dict[str, object]]:
    """Rows of the metrics that differ from the newest experiment's, or from what is committed."""
    newest = ("--sort=-creatordate", "--count=1", "--format=%(objectname)")
    since = _ask("git", "for-each-ref", *newest, "refs/exps/[0-9a-f]*/**") or "HEAD"
    said = _ask(sys.executable, "-m", "dvc", "metrics", "diff", "--json", since)
    return [
        {"file": path, "metric": name} | {to: metric.get(key) for key, to in COLUMNS.items()}
        for path, metrics in json.loads(said or "{}").items()
        for name, metric in metrics.items()
    ]


def _ask(*command: str) -> str:
    """What the command says; empty where it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


@dvc_flow("dvc-pipeline", beside=BESIDE, explain=CHECK, after=show_results, fixed=["executor"])
def pipeline() -> None:
    """Bring data, models, studies and the report up to date."""
