"""What Prefect's UI shows of a flow beside its tasks: artifacts, tags, and who has died."""

import hashlib
import os
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from prefect import State, get_run_logger
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.logging import get_logger
from prefect.runtime import flow_run
from prefect.settings import PREFECT_UI_URL
from prefect.states import Crashed

from flows.graph import Stage, changed_metrics
from flows.place import git_revision, last_results
from flows.processes import is_alive, this_process

MACHINE = Path("/etc/machine-id")  # hosts of one name are not rare
PROCESS = f"process:{socket.gethostname()}:{MACHINE.exists() and MACHINE.read_text()[:8]}:"
"""Before the name of a flow's process, as a tag of its run."""

FLOW_NAME = "dvc-pipeline"
ALIVE = ["RUNNING", "CANCELLING"]

ROWS = 200
"""Of a table: more is not read, and makes the page slow."""


class Bar:
    """How far a stage is, in percent; there is none until the stage tells."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._artifact: Any = None

    def show(self, percent: float) -> None:
        with suppress(Exception):  # a server that is away must not cost the stage
            if self._artifact:
                update_progress_artifact(self._artifact, percent)
            else:
                key = f"progress-{_key(self._stage)}"
                self._artifact = create_progress_artifact(percent, key, f"How far {self._stage} is")

    def end(self) -> None:
        if self._artifact:
            self.show(100.0)


def show(
    stages: Sequence[Stage], states: Mapping[str, State], metrics: str, revision: str | None
) -> None:
    """All that the run's page has beside its tasks."""
    try:
        _show_stages(stages, states)
        if any(state.name != "Unchanged" for state in states.values()):
            _show_metrics(metrics)
        _show_where(flow_run.name, revision)
    except Exception as error:  # a server that went away must not cost what the stages have made
        get_run_logger().warning("not all that the run's page shows is there: %s", error)


def _show_stages(stages: Sequence[Stage], states: Mapping[str, State]) -> None:
    """A table of what became of each stage, and the pages that were written."""
    rows = []
    for name, state in states.items():
        seconds = getattr(state.result(raise_on_failure=False), "seconds", 0.0)
        hit = "yes" if state.name in ("Restored", "Unchanged") else "no"
        rows.append(
            {"stage": name, "state": state.name, "seconds": round(seconds, 1), "cache hit": hit}
        )
        print(f"{name:<32} {state.name:<10} {seconds:>8.1f} s")
    create_table_artifact(rows, "dvc-stages", "What became of each stage")
    for stage in stages:
        for page in stage.pages:
            if states[stage.name].is_completed() and Path(page).exists():
                create_markdown_artifact(Path(page).read_text(), _key(page), page)


def _show_metrics(pattern: str) -> None:
    """A table of the metrics that have changed since the last run."""
    rows = changed_metrics(last_results(), pattern)
    more = f"; {len(rows) - ROWS} more in `dvc metrics diff`" if len(rows) > ROWS else ""
    if rows:
        create_table_artifact(rows[:ROWS], "dvc-metrics", f"Metrics beside the last run's{more}")


def _show_where(name: str, revision: str | None) -> None:
    """From what the run came, where its results are, and the same as tags of the run."""
    lock = Path("dvc.lock")
    digest = hashlib.md5(lock.read_bytes()).hexdigest() if lock.exists() else "none"
    commit = git_revision() or "none"
    lines = [f"- git revision: `{commit}`", f"- digest (MD5) of dvc.lock: `{digest}`"]
    if revision:
        lines += [f"- results: `dvc exp apply {name}`, unless nothing has changed"]
    if (tracking := os.environ.get("MLFLOW_TRACKING_URI", "")).startswith("http"):
        lines += [f"- runs: [MLflow]({tracking})"]
    create_markdown_artifact("\n".join(lines), "dvc-revision", "Where it came from")
    _tag(f"git:{commit[:12]}", f"dvc.lock:{digest[:12]}")


def introduce() -> dict[str, str]:
    """Say that this process is that of this flow run.

    Returns what other processes may know of the run, as environment variables.
    """
    _tag(PROCESS + this_process())
    return {"FLOW_RUN_ID": str(flow_run.id), "FLOW_RUN_URL": _address(flow_run.id)}


def _tag(*tags: str) -> None:
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(flow_run.id)
        client.update_flow_run(run.id, tags={*run.tags, *tags})


def _address(run: object) -> str:
    ui = PREFECT_UI_URL.value()  # none of the temporary server
    return f"{ui}/runs/flow-run/{run}" if ui else ""


def bury_the_dead() -> None:
    """Mark as crashed the flow's runs whose process on this machine is gone, and tell of it.

    Nobody else does where a kill took worker and flow: they would be running for ever.
    """
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(
            flow_filter=FlowFilter.model_validate({"name": {"any_": [FLOW_NAME]}}),
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": ALIVE}}}),
        ):
            here = (tag.removeprefix(PROCESS) for tag in run.tags if tag.startswith(PROCESS))
            if any(not is_alive(name) for name in here):
                dead: State[Any] = Crashed(message="its process is gone")
                client.set_flow_run_state(run.id, dead, force=True)
                tell_of_failure(None, run, dead)


def tell_of_failure(_flow: object, run: FlowRun, state: State) -> None:
    """Send a line to the webhook of FLOW_ALERT_URL, if set: `{"text": …}`, as chats take it."""
    url = os.environ.get("FLOW_ALERT_URL")
    if not url:
        return
    text = f"{FLOW_NAME} {run.name}: {state.name}, {state.message} {_address(run.id)}"
    try:
        httpx.post(url, json={"text": text}, timeout=10).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        get_logger("flow_runs").warning("FLOW_ALERT_URL: nobody was told, %s", error)


def _key(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")
