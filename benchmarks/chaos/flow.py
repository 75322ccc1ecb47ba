"""Flows of a project whose stages take no time, on a Prefect server, some process of which is
killed."""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chaos import kills
from benchmarks.chaos.rows import Done
from foreign_project import ROOT, Server, flow_command, made
from prefect_serving import prefect_server
from whole_runs import start

KIND = "flow"
EXPECTED = (
    "the next run ends well, with the dvc.lock of an undisturbed one; on the server nothing runs"
)
ROLES = {
    "worker": "worker start",
    "flow's watcher": "watcher.py",
    "dvc": "dvc_process.py",
    "flow": "foreign_flow.py",
    "engine": "prefect.",
    "stage": "add.py",
}
COMMAND = flow_command(width=2)
AT_WORK = {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}


@contextmanager
def ready(folder: Path) -> Iterator[Callable[[int], Done]]:
    """Kills of flows that a person starts."""
    with undisturbed(folder) as (server, fresh, lock, seconds):

        def kill(seed: int) -> Done:
            luck, asked = random.Random(seed), now()
            project, done, more = folder / "project", "", known(server)
            while not done:
                copied(fresh, project)
                moment = luck.uniform(0, seconds)
                running = start(project, *COMMAND, **more)
                done = kills.struck(running, moment, luck, ROLES)
            faults = kills.after(running) | kills.again(project, *COMMAND, **more)
            faults |= differs(project, lock) | still_at_work(server, asked)
            return Done(what=done, moment=round(moment, 2), faults=faults)

        yield kill


@contextmanager
def undisturbed(folder: Path) -> Iterator[tuple[Server, Path, bytes, float]]:
    """A server, the project before its first run, its dvc.lock after one, how long that took."""
    with prefect_server(folder) as server:
        (folder / "fresh").mkdir()
        fresh = made(folder / "fresh")
        copied(fresh, folder / "project")
        began = time.monotonic()
        if faults := kills.again(folder / "project", *COMMAND, **known(server)):
            raise RuntimeError(f"a flow that nobody disturbed: {faults}")
        seconds = time.monotonic() - began
        yield server, fresh, (folder / "project/dvc.lock").read_bytes(), seconds


def copied(fresh: Path, project: Path) -> None:
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(fresh, project)


def known(server: Server) -> dict[str, str]:
    return {"PREFECT_API_URL": server.url, "PYTHONPATH": str(ROOT / "src")}


def now() -> str:
    return datetime.now(UTC).isoformat()


def differs(project: Path, lock: bytes) -> dict[str, str]:
    found = project / "dvc.lock"
    same = found.exists() and found.read_bytes() == lock
    return {} if same else {"differs": "dvc.lock"}


def still_at_work(server: Server, since: str) -> dict[str, str]:
    """Runs of flows and tasks since then that the server shows as such, a while after their end."""
    for _ in range(50):
        left = [
            f"{what} {run['name']} is {run['state']['type']}"
            for what in ("flow", "task")
            for run in server.read(
                f"{what}_runs/filter",
                **{f"{what}_runs": {"start_time": {"after_": since}, "state": AT_WORK}},
            )
        ]
        if not left:
            return {}
        time.sleep(0.2)
    return {"stuck": "; ".join(left)[:300]}
