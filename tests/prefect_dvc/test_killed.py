"""kill -9 of the flow in the middle of a stage, with nothing but Prefect's own temporary server."""

import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from foreign_project import (
    FlowRun,
    Server,
    Webhook,
    environment,
    flow_command,
    processes_with,
    wait_until,
)
from prefect_dvc.pages import HERE, PROCESS

pytestmark = pytest.mark.slow
COMMAND = flow_command("more")


def runs(name: str, entry: str) -> bool:
    return any(name in command for command in processes_with(entry))


def test_nothing_outlives_a_killed_flow_and_the_next_run_recovers(
    project: Path, flow: Callable[..., FlowRun]
) -> None:
    with (project / "dvc.yaml").open("a") as file:
        file.write("  more: {cmd: bash more.sh, deps: [split.txt], outs: [more.txt]}\n")
    (project / "more.sh").write_text("echo half > more.txt; setsid sleep 600 & sleep 601; true\n")
    entry = f"TEST_OF_KILL={uuid4().hex}"
    home = {"PREFECT_HOME": str(project / ".prefect")}
    env = environment(**dict([entry.split("=")]), **home)
    with (project / "log").open("w") as log:
        killed = subprocess.Popen(COMMAND, cwd=project, env=env, stdout=log, stderr=log)
    wait_until((project / "more.txt").exists, (project / "log").read_text)
    for name in ["uvicorn", "--single-item -- more", "bash more.sh", "sleep 600", "sleep 601"]:
        wait_until(partial(runs, name, entry), lambda: processes_with(entry))

    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    wait_until(lambda: not processes_with(entry), lambda: processes_with(entry))

    (project / "more.sh").write_text("cat split.txt split.txt > more.txt\n")
    again = flow(project, "more")
    assert again.states == {"split": "Unchanged", "more": "Ran"}, again.out + again.err
    assert (project / "more.txt").read_text() == "3\n3\n"
    assert (project / ".prefect" / "prefect.db").exists()


def state_of(server: Server, name: str) -> tuple[str, str]:
    (run,) = server.post("flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
    return run["state"]["type"], run["state"]["message"]


def tasks_of(server: Server, name: str) -> dict[str, str]:
    """The type of state of each of its tasks."""
    tasks = server.post("task_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
    return {task["name"]: task["state"]["type"] for task in tasks}


CRASHED = ("CRASHED", "its process is gone")


def test_a_killed_run_is_marked_as_crashed_and_told_of(project: Path, server: Server) -> None:
    with (project / "dvc.yaml").open("a") as file:
        file.write("  more: {cmd: touch begun; sleep 600, outs: [more.txt]}\n")
    with Webhook() as webhook, (project / "log").open("w") as log:
        env = environment(PREFECT_API_URL=server.url, FLOW_ALERT_URL=webhook.url)
        killed = subprocess.Popen(COMMAND, cwd=project, env=env, stdout=log, stderr=log)
        wait_until((project / "begun").exists, (project / "log").read_text)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        name = (project / "log").read_text().split("Beginning flow run '")[1].split("'")[0]
        wait_until(lambda: state_of(server, name) == CRASHED, lambda: state_of(server, name))
        ended = {"more": "CRASHED"}
        wait_until(lambda: tasks_of(server, name) == ended, lambda: tasks_of(server, name))
        wait_until(lambda: bool(webhook.said), (project / "log").read_text)
    assert f"{name!r}: Crashed, its process is gone" in webhook.said[0]["text"]


def test_a_run_whose_machine_went_down_is_marked_by_the_next(
    project: Path, flow: Callable[..., FlowRun], server: Server
) -> None:
    """And so one is whose server was away when it died."""
    name = uuid4().hex
    run = {
        "flow_id": server.post("flows/", {"name": "foreign"})["id"],
        "name": name,
        "labels": {PROCESS: f"{HERE}1:1.0"},  # of another boot
        "state": {"type": "RUNNING", "message": "at work"},
    }
    server.post("flow_runs/", run)
    assert flow(project, "alone").states == {"alone": "Ran"}
    assert state_of(server, name) == CRASHED


def test_so_are_its_tasks_and_the_runs_elsewhere_that_they_wait_for(
    project: Path, flow: Callable[..., FlowRun], server: Server
) -> None:
    name = uuid4().hex
    foreign = server.post("flows/", {"name": "foreign"})["id"]
    running = {"type": "RUNNING", "message": "at work"}
    run = {"flow_id": foreign, "name": name, "state": running}
    parent = server.post("flow_runs/", {**run, "labels": {PROCESS: f"{HERE}1:1.0"}})["id"]
    other = server.post("flows/", {"name": "other"})["id"]
    for task, state in (("begun", "RUNNING"), ("next", "PENDING"), ("done", "COMPLETED")):
        given = {"flow_run_id": parent, "task_key": task, "name": task, "dynamic_key": "0"}
        made = server.post("task_runs/", {**given, "state": {"type": state}})["id"]
        below = {"flow_id": other, "name": f"{name}-{task}", "parent_task_run_id": made}
        if task == "begun":
            server.post("flow_runs/", {**below, "state": {"type": "SCHEDULED"}})
    assert flow(project, "alone").states == {"alone": "Ran"}
    assert state_of(server, name) == CRASHED
    assert tasks_of(server, name) == {"begun": "CANCELLED", "next": "CRASHED", "done": "COMPLETED"}
    assert state_of(server, f"{name}-begun")[0] == "CANCELLED"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_whole_tree_and_leaves_no_state_open(
    project: Path, server: Server, how: signal.Signals
) -> None:
    with (project / "dvc.yaml").open("a") as file:
        file.write("  more: {cmd: bash more.sh, outs: [more.txt]}\n")
    (project / "more.sh").write_text("echo half > more.txt; setsid sleep 600 & sleep 601; true\n")
    entry = f"TEST_OF_KILL={uuid4().hex}"
    env = environment(PREFECT_API_URL=server.url, **dict([entry.split("=")]))
    with (project / "log").open("w") as log:
        ended = subprocess.Popen(COMMAND, cwd=project, env=env, stdout=log, stderr=log)
    wait_until((project / "more.txt").exists, (project / "log").read_text)
    ended.send_signal(how)
    assert ended.wait(60) != 0
    wait_until(lambda: not processes_with(entry), lambda: processes_with(entry))
    name = (project / "log").read_text().split("Beginning flow run '")[1].split("'")[0]
    over = {"CRASHED", "FAILED", "CANCELLED"}
    wait_until(lambda: state_of(server, name)[0] in over, lambda: state_of(server, name))
    wait_until(lambda: {*tasks_of(server, name).values()} <= over, lambda: tasks_of(server, name))
