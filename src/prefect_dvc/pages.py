"""What Prefect's UI shows of a flow beside its tasks: artifacts, tags, and who has died."""

import logging
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
from prefect import State, artifacts, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import FailedRun
from prefect.logging import get_logger
from prefect.runtime import flow_run
from prefect.settings import (
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_UI_URL,
    temporary_settings,
)
from prefect.states import Cancelling, Crashed

from prefect_dvc.errors import quoted
from prefect_dvc.graph import Stage
from prefect_dvc.servers import shown

MACHINE = Path("/etc/machine-id")  # hosts of one name are not rare
PROCESS = "prefect_dvc.process"
"""Label of a flow's run: HERE, and pid and start of its process."""
HERE = f"{socket.gethostname()}:{MACHINE.exists() and MACHINE.read_text()[:8]}:"
ALIVE = {"state": {"type": {"any_": ["RUNNING", "CANCELLING"]}}}
CRASHED = {"state": {"type": {"any_": ["CRASHED"]}}}
OPEN = {"state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING"]}}}
GONE = "its process is gone"
HITS = ("Restored", "Unchanged")
# A file, not a module: the package would be imported, which takes seconds, and only to wait.
WATCHER = (sys.executable, "-P", str(Path(__file__).with_name("watcher.py")))


@contextmanager
def briefly() -> Iterator[None]:
    """Ask Prefect's server once, for what can be done without."""
    with temporary_settings({PREFECT_API_REQUEST_TIMEOUT: 10.0, PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield


def log(line: str) -> None:
    """Pass on what a stage says, by how serious it is."""
    level = {"error": logging.ERROR, "warning": logging.WARNING}.get(line.split(": ")[0].lower())
    get_run_logger().log(level or logging.INFO, line)


def progress_bar(stage: str) -> Callable[..., None]:
    """How far a stage is, in percent and in words; there is no bar until the stage tells."""
    bar: Any = None
    away = False

    def move(percent: float, said: str, begin: bool = True) -> None:
        nonlocal bar, away
        said = said or f"How far {stage} is"
        if away or not (bar or begin):
            return
        try:
            with briefly():  # meanwhile nobody reads what the stage says
                if bar:
                    artifacts.update_progress_artifact(bar, percent, said)
                else:
                    key = _key(f"progress-{stage}")
                    bar = artifacts.create_progress_artifact(percent, key, said)
        except Exception as error:  # a server that is away must not cost the stage
            away = True
            log(f"warning: {stage} goes on without its progress bar, {_problem(error)}")

    return move


def summary(stages: Mapping[str, State], others: Mapping[str, State]) -> str:
    """How many stages ended in which state, and why those that failed did, and other tasks."""
    counts = Counter(state.name for state in stages.values())
    lines = [", ".join(f"{count} {name}" for name, count in counts.items())]
    failed = {n: state for n, state in {**stages, **others}.items() if state.is_failed()}
    lines += [f"{n}: {line}" for n, s in failed.items() for line in str(s.message).splitlines()]
    return "\n".join(lines)


def show(stages: Sequence[Stage], states: Mapping[str, State], after: Callable[[], None]) -> None:
    """What became of the stages, printed, too; the pages they wrote; and then `after`."""
    rows = []
    for name, state in states.items():
        seconds = getattr(state.result(raise_on_failure=False), "seconds", 0.0)
        row = {"stage": name, "state": state.name, "seconds": round(seconds, 1)}
        rows.append(row | {"cache hit": "yes" if state.name in HITS else "no"})
        print(f"{name:<32} {state.name:<10} {seconds:>8.1f} s")
    try:
        with briefly():
            artifacts.create_table_artifact(rows, "dvc-stages", "What became of each stage")
            for stage in stages:
                for page in map(Path, stage.pages if states[stage.name].is_completed() else ()):
                    if page.exists():
                        artifacts.create_markdown_artifact(
                            page.read_text("utf-8"), _key(str(page)), str(page)
                        )
            after()
    except Exception as error:  # a server that went away must not cost what the stages have made
        log(f"warning: not all that the run's page shows is there, {_problem(error)}")


def _problem(error: Exception) -> str:
    """In a line, without addresses, which may hold secrets."""
    said = re.sub(r"\w+://\S+", "…", " ".join(str(error).split()))
    return f"received {type(error).__name__}: {said}"[:200]


def tag(*tags: str) -> None:
    """Add to the tags of the flow run."""
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(flow_run.id)
        client.update_flow_run(run.id, tags={*run.tags, *tags})


@contextmanager
def watched(flow: str) -> Iterator[None]:
    """Leave to a watcher what a flow that is killed cannot do any more."""
    me = psutil.Process()
    servers = [str(child.pid) for child in me.children()]  # Prefect's temporary one
    os.environ.update(FLOW_RUN_ID=flow_run.id, FLOW_RUN_URL=_address(flow_run.id))  # for stages
    try:
        with briefly(), get_client(sync_client=True) as client:
            label: Any = {PROCESS: f"{HERE}{me.pid}:{me.create_time()}"}
            client.update_flow_run_labels(UUID(flow_run.id), label)
    except httpx.HTTPError as error:
        log(f"warning: should this run be killed, nobody will see it, {_problem(error)}")
    with subprocess.Popen(
        [*WATCHER, flow, *servers],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # else whoever captures our output would wait for the watcher
        start_new_session=True,  # out of reach of what ends our process group
    ) as watcher:
        try:
            yield
        finally:
            watcher.communicate(b"an orderly end")


def mark_dead(flow: str) -> None:
    """Mark as crashed the runs of `flow` whose process on this machine is gone, and tell of it.

    Nobody else does where a kill took worker and flow: they would be running for ever. And so would
    their tasks, of which some may become known only later, and the runs elsewhere that they wait
    for.
    """
    try:
        with briefly(), get_client(sync_client=True) as client:
            _mark_dead(client, flow)
    except httpx.HTTPError as error:
        problem = _problem(error)
        get_logger("flow_runs").warning("runs that were killed may seem to go on, %s", problem)


def _mark_dead(client: Any, flow: str) -> None:
    ours: dict[str, Any] = {"flow_filter": FlowFilter.model_validate({"name": {"any_": [flow]}})}
    dead: State[Any] = Crashed(message=GONE)
    for run in client.read_flow_runs(**ours, flow_run_filter=_that_are(ALIVE)):
        # a label is nothing but text: whoever starts a run may give it one
        where = re.fullmatch(rf"{re.escape(HERE)}(\d{{1,9}}):([\d.]{{1,30}})", _process(run))
        if where and not is_alive(*where.groups()):
            client.set_flow_run_state(run.id, dead, force=True)
            below = _that_are(OPEN | {"parent_flow_run_id": {"any_": [run.id]}})
            for other in client.read_flow_runs(flow_run_filter=below):
                client.set_flow_run_state(other.id, Cancelling(message=GONE))
            tell_of_failure(None, run, dead)
    for task in client.read_task_runs(
        **ours,
        flow_run_filter=_that_are(CRASHED),
        task_run_filter=TaskRunFilter.model_validate(OPEN),
    ):
        client.set_task_run_state(task.id, dead, force=True)


def _process(run: FlowRun) -> str:
    return str(run.labels.get(PROCESS, ""))


def _that_are(which: Mapping[str, Any]) -> FlowRunFilter:
    return FlowRunFilter.model_validate(which)


def is_alive(pid: str, created: str) -> bool:
    """Whether the process of this machine with that pid that started then (s) is still there."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int(pid))
        dead = process.status() == psutil.STATUS_ZOMBIE
        # the clock may have been set meanwhile, which moves all starts a little
        return not dead and abs(process.create_time() - float(created)) < 5
    return False


def hooks() -> list[Any]:
    """What Prefect calls when a flow has failed: nothing, which it would log, where none is told.

    Its engine, where a deployment runs it, takes a flow that ends as failed for an error of its
    own, and would log its own traceback below what the flow's state says.
    """
    for name in ("flow_runs", "engine"):
        get_logger(name).addFilter(_is_no_end)
    return [tell_of_failure] * bool(os.environ.get("FLOW_ALERT_URL"))


def _is_no_end(record: logging.LogRecord) -> bool:
    error = record.exc_info and record.exc_info[1]
    if isinstance(error, httpx.HTTPError):  # its message says it, its traceback is httpx's
        record.exc_info = record.exc_text = None
    return not isinstance(error, FailedRun)


def tell_of_failure(_flow: object, run: FlowRun, state: State) -> None:
    """Send a line to the webhook of FLOW_ALERT_URL, if set: `{"text": …}`, as chats take it."""
    if not (url := os.environ.get("FLOW_ALERT_URL")):
        return
    text = f"DVC flow {quoted(run.name)}: {state.name}, {state.message} {_address(run.id)}"
    try:
        httpx.post(url, json={"text": text}, timeout=10).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        get_logger("flow_runs").warning("FLOW_ALERT_URL: nobody was told, %s", _problem(error))


def _address(run: object) -> str:
    ui = shown(PREFECT_UI_URL.value() or "")  # none of the temporary server
    return f"{ui}/runs/flow-run/{run}" if ui else ""


def _key(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "page"
