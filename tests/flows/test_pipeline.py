"""The flow as a user starts it, against a Prefect server: states, results, logs, artifacts."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from foreign_project import STAGES, FlowRun, Server, dvc, environment, hold

Flow = Callable[..., FlowRun]
# Ends well only if the other one is there at the same time.
MEET_SH = """\
touch $1.here
for _ in $(seq $3); do [ -e $2.here ] && { echo met > $1.txt; exit 0; }; sleep 0.1; done
exit 1
"""
MEETING = """\
stages:
  ping: {{cmd: sh meet.sh ping pong {tenths}, outs: [ping.txt]}}
  pong: {{cmd: sh meet.sh pong ping {tenths}, outs: [pong.txt]}}
"""


def add_to_dvc_yaml(project: Path, text: str) -> None:
    with (project / "dvc.yaml").open("a") as file:
        file.write(text)


def break_stage(project: Path, stage: str) -> None:
    text = (project / "dvc.yaml").read_text()
    broken = text.replace(f"  {stage}:\n    cmd: ", f"  {stage}:\n    cmd: exit 3; ")
    (project / "dvc.yaml").write_text(broken)


def test_a_first_run_runs_every_stage_after_those_it_depends_on(
    first: tuple[Path, FlowRun],
) -> None:
    project, run = first
    assert run.exit_code == 0, run.err
    assert list(run.states.items()) == [(stage, "Ran") for stage in STAGES]
    assert (project / "scale-2.txt").read_text() == "30\n"
    assert (project / "scale-10.txt").read_text() == "150\n"
    assert (project / "alone.txt").read_text() == "7\n"
    began = re.findall(r"Running stage '(\S+)'", run.err)
    assert sorted(began) == sorted(STAGES)
    edges = [("split", "left"), ("split", "right"), ("left", "join"), ("right", "join")]
    edges += [("join", "scale@2"), ("join", "scale@10")]
    assert [edge for edge in edges if began.index(edge[0]) > began.index(edge[1])] == []


def test_the_lock_is_that_of_bare_dvc_byte_for_byte(
    first: tuple[Path, FlowRun], project: Path
) -> None:
    dvc(project, "repro")
    assert (first[0] / "dvc.lock").read_bytes() == (project / "dvc.lock").read_bytes()


def test_bare_dvc_finds_nothing_left_to_do(up_to_date: Path, flow: Flow) -> None:
    before = (up_to_date / "dvc.lock").read_bytes()
    dvc(up_to_date, "repro")
    assert (up_to_date / "dvc.lock").read_bytes() == before
    run = flow(up_to_date)
    assert run.exit_code == 0
    assert run.states == dict.fromkeys(STAGES, "Unchanged")
    assert (up_to_date / "dvc.lock").read_bytes() == before


def test_a_deleted_output_is_restored_and_a_forced_target_runs(
    up_to_date: Path, flow: Flow
) -> None:
    (up_to_date / "left.txt").unlink()
    assert flow(up_to_date, "left").states == {"split": "Unchanged", "left": "Restored"}
    assert (up_to_date / "left.txt").read_text() == "6\n"
    assert flow(up_to_date, "split", "--force").states == {"split": "Ran"}


def test_only_what_lies_below_a_failed_stage_is_not_reached(
    project: Path, flow: Flow, server: Server
) -> None:
    break_stage(project, "left")
    run = flow(project)
    assert run.exit_code == 1
    assert run.states == {
        "split": "Ran",
        "left": "Failed",
        "right": "Ran",
        "join": "NotReached",
        "scale@2": "NotReached",
        "scale@10": "NotReached",
        "alone": "Ran",
    }
    state = server.flow_run(run)["state"]
    assert (state["type"], state["name"]) == ("FAILED", "Failed")
    assert state["message"] == "3 Ran, 1 Failed, 3 NotReached"
    assert run.err.count("Running stage 'left'") == 1  # no second try of a stage that failed
    assert (project / "right.txt").read_text() == "9\n"


def test_a_stage_added_to_dvc_yaml_appears_by_itself(up_to_date: Path, flow: Flow) -> None:
    add_to_dvc_yaml(
        up_to_date,
        "  total: {cmd: cat scale-2.txt scale-10.txt > total.txt,"
        " deps: [scale-2.txt, scale-10.txt], outs: [total.txt]}\n",
    )
    run = flow(up_to_date)
    assert run.states == {**dict.fromkeys(STAGES, "Unchanged"), "total": "Ran"}
    assert (up_to_date / "total.txt").read_text() == "30\n150\n"


def test_independent_stages_run_side_by_side(project: Path, flow: Flow) -> None:
    (project / "meet.sh").write_text(MEET_SH)
    (project / "dvc.yaml").write_text(MEETING.format(tenths=150))
    assert flow(project, "--width", "2").states == {"ping": "Ran", "pong": "Ran"}


def test_width_one_is_one_after_the_other(project: Path, flow: Flow) -> None:
    """The first waits in vain; the second finds the mark that the first has left."""
    (project / "meet.sh").write_text(MEET_SH)
    (project / "dvc.yaml").write_text(MEETING.format(tenths=15))
    assert flow(project, "--width", "1").states == {"ping": "Failed", "pong": "Ran"}


def test_a_stages_output_is_in_its_tasks_log(first: tuple[Path, FlowRun], server: Server) -> None:
    of_run = {"flow_run_id": {"any_": [server.flow_run(first[1])["id"]]}}
    tasks = server.wait_for(
        "task_runs/filter",
        lambda found: sorted(task["name"] for task in found) == sorted(STAGES),
        task_runs=of_run,
    )
    (join,) = [task for task in tasks if task["name"] == "join"]
    assert join["state"]["name"] == "Ran"
    logs = {"task_run_id": {"any_": [join["id"]]}}
    server.wait_for(
        "logs/filter",
        lambda found: "joined 15" in [entry["message"] for entry in found],
        logs=logs,
    )


def test_the_artifacts_show_states_and_graph(first: tuple[Path, FlowRun], server: Server) -> None:
    of_run = {"flow_run_id": {"any_": [server.flow_run(first[1])["id"]]}}
    found = {
        item["key"]: item["data"] for item in server.read("artifacts/filter", artifacts=of_run)
    }
    assert sorted(found) == ["dvc-graph", "dvc-stages"]
    for row in STAGES:
        assert re.search(rf'"{row}", "state": "Ran", "seconds": \d+\.\d', found["dvc-stages"])
    lines = found["dvc-graph"].splitlines()
    number = {stage: f"s{index}" for index, stage in enumerate(STAGES)}
    assert lines[:2] == ["```mermaid", "graph TD"]
    assert f'  {number["scale@10"]}["scale@10: Ran"]' in lines
    assert f"  {number['left']} --> {number['join']}" in lines
    assert sum("-->" in line for line in lines) == 6


def test_a_stage_held_by_another_dvc_process_is_tried_again(project: Path, server: Server) -> None:
    """The other process is done as soon as the flow has met it."""
    hold(project, "alone.txt")
    run = subprocess.Popen(
        [sys.executable, "-m", "flows.pipeline", "alone"],
        cwd=project,
        env=environment(PREFECT_API_URL=server.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with run:
        assert run.stderr is not None
        assert run.stdout is not None
        met = 0
        for line in run.stderr:
            if "alone.txt' is busy" in line and not met:
                (project / ".dvc/tmp/rwlock").unlink()
                met += 1
        assert (met, run.stdout.read().split()[:2]) == (1, ["alone", "Ran"])
    assert run.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["scael"],
            "target: expected a stage of dvc.yaml, received 'scael'; did you mean 'scale'?",
        ),
        (["--width", "0"], "--width: expected 1 or more stages, received 0"),
    ],
)
def test_the_users_input_is_exit_code_2_and_one_line(
    project: Path, arguments: list[str], line: str
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "flows.pipeline", *arguments],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (2, "", line + "\n")


def test_a_server_that_is_not_there_is_said_before_anything_runs(project: Path, flow: Flow) -> None:
    run = flow(project, "--serve", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert run.exit_code == 2
    (line,) = run.err.splitlines()
    assert line.startswith("PREFECT_API_URL: nobody at http://127.0.0.1:9/api")
