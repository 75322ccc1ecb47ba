"""Prefect's worker and the flow that it runs, some process of which is killed."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.chaos import flow, kills
from benchmarks.chaos.rows import Done
from foreign_project import Server
from whole_runs import Running, start

KIND = "worker"
EXPECTED = (
    "the worker, or where it is gone the next one, takes the next run, which ends as an "
    "undisturbed one; on the server nothing runs"
)
PIPELINE = """\
from prefect_dvc import dvc_flow


@dvc_flow("foreign", wait=True)
def pipeline() -> None:
    pass
"""
DEPLOYMENT = {
    "name": "pipeline",
    "entrypoint": "pipeline.py:pipeline",
    "work_pool": {"name": "here"},
}
PREFECT = (sys.executable, "-m", "prefect")
POOL = ("work-pool", "create", "here", "--type", "process")
WORK = ("worker", "start", "--pool", "here", "--type", "process")
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
GRACE_SECONDS = 30.0
"""For its orderly end."""
STARTS_SECONDS = 5.0
"""Of the worker, before it takes a run."""


@contextmanager
def ready(folder: Path) -> Iterator[Callable[[int], Done]]:
    """Kills of a worker at work."""
    with flow.undisturbed(folder) as (server, fresh, lock, seconds):
        (fresh / "pipeline.py").write_text(PIPELINE)
        content = {"name": "foreign", "deployments": [DEPLOYMENT]}
        (fresh / "prefect.yaml").write_text(yaml.safe_dump(content))
        project, more = folder / "project", flow.known(server)
        flow.copied(fresh, project)
        for words in (POOL, ("deploy", "--all")):
            command = (*PREFECT, "--no-prompt", *words)
            if faults := kills.again(project, *command, **more):
                raise RuntimeError(f"prefect {' '.join(words)}: {faults}")
        quick = more | {"PREFECT_WORKER_QUERY_SECONDS": "1"}
        work = partial(start, project, *PREFECT, *WORK, **quick)

        def kill(seed: int) -> Done:
            luck, asked = random.Random(seed), flow.now()
            flow.copied(fresh, project)
            ask(server)
            worker = work()
            try:
                moment = luck.uniform(0, STARTS_SECONDS + seconds)
                done = kills.struck(worker, moment, luck, flow.ROLES)
                faults = wait_for_what_it_runs(worker) | kills.tracebacks(worker.log)
                if done.endswith(("worker", kills.ALL)):
                    with suppress(subprocess.TimeoutExpired):
                        worker.process.wait(GRACE_SECONDS)
                    worker.kill_all()  # told to end it sometimes stays, and takes no run
                    worker = work()
                faults |= ended(server, ask(server))
                faults |= flow.differs(project, lock) | flow.still_at_work(server, asked)
                faults |= kills.tracebacks(worker.log)
            finally:
                worker.kill_all()
            return Done(what=done, moment=round(moment, 2), faults=faults)

        yield kill


def ask(server: Server) -> str:
    """For a run of the deployment; its id."""
    path = f"deployments/{server.deployment('pipeline')['id']}/create_flow_run"
    return str(server.post(path, {})["id"])


def wait_for_what_it_runs(worker: Running) -> dict[str, str]:
    """Until at most the worker itself lives; what is wrong with that."""

    def left() -> list[str]:
        roles = (kills.role(process, flow.ROLES) for process in worker.processes())
        return [role for role in roles if role != "worker"]

    end = time.monotonic() + kills.ENDS_SECONDS
    while found := left():
        if time.monotonic() > end:
            worker.kill_all()
            return {"stuck": f"still running: {', '.join(found)}"}
        time.sleep(0.1)
    return {}


def ended(server: Server, run: str) -> dict[str, str]:
    """Wait for that run's end; what is wrong with it."""
    end = time.monotonic() + kills.NEXT_SECONDS
    state: dict[str, Any] = {}
    while state.get("type") not in ENDED:
        if time.monotonic() > end:
            return {"stuck": f"the next run is {state['name']}"}
        time.sleep(0.2)
        (found,) = server.read("flow_runs/filter", flow_runs={"id": {"any_": [run]}})
        state = found["state"]
    if state["type"] == "COMPLETED":
        return {}
    return {"stuck": f"the next run: {state['name']}, {state['message']}"[:300]}
