"""The flow as a user starts it, against a Prefect server: states, results, logs, artifacts."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError
from prefect.utilities.callables import parameter_schema

from foreign_project import (
    STAGES,
    FlowRun,
    Server,
    Webhook,
    dvc,
    environment,
    flow_command,
    git,
    hold,
)
from prefect_dvc import dvc_flow
from prefect_dvc.place import occupied, safe_name

Flow = Callable[..., FlowRun]


@dvc_flow("any")
def any_flow() -> None:
    """Some project."""


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
    assert flow(up_to_date, "split", force=True).states == {"split": "Ran"}


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
    counts, why = state["message"].splitlines()
    assert counts == "3 Ran, 1 Failed, 3 NotReached"
    assert why.startswith(
        "left: failed to run: exit 3; python add.py split.txt split.txt > left.txt"
    )
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
    assert flow(project, width=2).states == {"ping": "Ran", "pong": "Ran"}


def test_width_one_is_one_after_the_other(project: Path, flow: Flow) -> None:
    """The first waits in vain; the second finds the mark that the first has left."""
    (project / "meet.sh").write_text(MEET_SH)
    (project / "dvc.yaml").write_text(MEETING.format(tenths=15))
    assert flow(project, width=1).states == {"ping": "Failed", "pong": "Ran"}


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


def artifacts(server: Server, run: FlowRun) -> dict[str, Any]:
    of_run = {"flow_run_id": {"any_": [server.flow_run(run)["id"]]}}
    found = server.read("artifacts/filter", artifacts=of_run)
    return {item["key"]: item["data"] for item in found}


def test_a_table_says_what_became_of_each_stage(
    first: tuple[Path, FlowRun], server: Server
) -> None:
    found = artifacts(server, first[1])
    assert sorted(found) == ["dvc-stages"]
    rows = json.loads(found["dvc-stages"])
    assert [row["stage"] for row in rows] == STAGES
    assert {(row["state"], row["cache hit"]) for row in rows} == {("Ran", "no")}
    assert all(row["seconds"] > 0.1 for row in rows)


REPORTING = """\
  report:
    cmd: python report.py
    deps: [join.txt, report.py]
    params: [factor]
    outs: [report.md]
    metrics: [score.json]
"""
REPORT_PY = """\
import json, os, time
from pathlib import Path
factor = json.loads(Path("params.yaml").read_text().split(":")[1])
for percent in 10, 60, 100:
    print(f"\\rtraining {percent}%", end="", flush=True)
    time.sleep(1.1)  # the page is not told more often than that
print()
Path("report.md").write_text(f"# Factor {factor}\\n")
Path("score.json").write_text(json.dumps({"score": {"mean": 5 * factor}, "other": factor}))
Path(os.environ["NOTES"], "stage").write_text(os.environ.get("FLOW_RUN_ID", "none"))
"""
TRACKER_PY = """\
import os, sys
from pathlib import Path
note = Path(os.environ["NOTES"], "tracker")
note.write_text(f"{os.environ['FLOW_RUN_ID']} {os.environ['FLOW_RUN_URL']} {Path.cwd()}")
sys.stdin.read()
note.write_text(note.read_text() + " ended")
print("9 published")
"""


@pytest.mark.slow
def test_a_run_beside_a_person_with_all_that_the_page_shows(
    project: Path, flow: Flow, server: Server, tmp_path: Path
) -> None:
    """One run, for they are slow: another revision, changed parameters, a tracker, artifacts."""
    add_to_dvc_yaml(project, REPORTING)
    (project / "report.py").write_text(REPORT_PY)
    (project / "tracker.py").write_text(TRACKER_PY)
    (project / "params.yaml").write_text("factor: 2\n")
    notes = {"NOTES": str(tmp_path)}
    dvc(project, "repro", **notes)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "factor 2")
    (project / "report.py").write_text("a person is at work\n")

    settings = {"beside": {"tracker": [sys.executable, "tracker.py"]}}
    run = flow(project, set=["factor=3"], revision="HEAD", settings=settings, **notes)
    assert run.states == {**dict.fromkeys(STAGES, "Unchanged"), "report": "Ran"}, run.err
    assert (project / "report.py").read_text() == "a person is at work\n"
    assert (project / "params.yaml").read_text() == "factor: 2\n"

    known = server.flow_run(run)
    said = (tmp_path / "tracker").read_text().split()
    assert said[0] == known["id"] == (tmp_path / "stage").read_text()
    assert said[1] == f"{server.url.removesuffix('/api')}/runs/flow-run/{known['id']}"
    name = safe_name(run.name, known["id"])
    assert (said[2], said[3]) == (str(project / ".dvc/tmp/flows" / name), "ended")

    found = artifacts(server, run)
    assert found["report-md"] == "# Factor 3\n"
    assert found["progress-report"] == 100.0
    assert states(server, run)["tracker"] == ("COMPLETED", "Ran", "9 published")
    assert f"keeping what is new as the DVC experiment {name}" in run.err
    git(project, "checkout", "report.py")
    dvc(project, "exp", "apply", name)
    assert json.loads((project / "score.json").read_text())["score"] == {"mean": 15}


def states(server: Server, run: FlowRun) -> dict[str, tuple[str, str, str]]:
    """Type, name and message of each task's state."""
    of_run = {"flow_run_id": {"any_": [server.flow_run(run)["id"]]}}
    tasks = server.wait_for(
        "task_runs/filter",
        lambda found: all(task["state_type"] in ("COMPLETED", "FAILED") for task in found),
        task_runs=of_run,
    )
    return {
        task["name"]: (task["state_type"], task["state_name"], task["state"]["message"])
        for task in tasks
    }


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["sh", "-c", "cat; echo 'error: nobody is there'; exit 2"], "nobody is there"),
        (
            ["nowhere-to-be-found"],
            "nowhere-to-be-found: expected a command, received: No such file or directory",
        ),
    ],
)
def test_a_command_beside_the_stages_that_fails_is_seen_and_costs_no_stage(
    project: Path, flow: Flow, server: Server, command: list[str], why: str
) -> None:
    run = flow(project, "alone", settings={"beside": {"publish": command}})
    assert (run.exit_code, run.states) == (0, {"alone": "Ran"})
    assert states(server, run)["publish"] == ("FAILED", "Failed", why)
    state = server.flow_run(run)["state"]
    assert (state["type"], state["message"]) == ("COMPLETED", f"1 Ran\npublish: {why}")


def test_what_runs_beside_runs_where_stages_have_nothing_to_do(
    up_to_date: Path, flow: Flow, server: Server
) -> None:
    """An earlier run that was killed may have left it something."""
    run = flow(up_to_date, "alone", settings={"beside": {"publish": ["touch", "begun"]}})
    assert run.states == {"alone": "Unchanged"}
    assert {*states(server, run)} == {"alone", "publish"}
    assert (up_to_date / "begun").exists()


def test_what_a_stage_calls_an_error_is_its_tasks_error(
    project: Path, flow: Flow, server: Server
) -> None:
    problems = ["data: expected a file, received none; did you mean raw.txt?", "x: expected 1"]
    lines = "".join(f"error: {problem}\n" for problem in problems)
    (project / "problems").write_text(lines)
    add_to_dvc_yaml(project, "  more: {cmd: cat problems; exit 2, outs: [more.txt]}\n")
    run = flow(project, "more")
    assert states(server, run)["more"] == ("FAILED", "Failed", "\n".join(problems))
    message = server.flow_run(run)["state"]["message"].splitlines()
    assert message == ["1 Failed", *(f"more: {problem}" for problem in problems)]
    errors = {"flow_run_id": {"any_": [server.flow_run(run)["id"]]}, "level": {"ge_": 40}}
    said = server.wait_for("logs/filter", lambda found: len(found) >= 4, logs=errors)
    assert {f"error: {problem}" for problem in problems} < {entry["message"] for entry in said}


def test_data_that_only_the_checkout_has_are_named(project: Path, flow: Flow) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "without own.txt")
    (project / "own.txt").write_text("3\n")
    (project / ".git/info/exclude").write_text("own.txt\n")
    text = (project / "dvc.yaml").read_text().replace("raw.txt", "own.txt")
    (project / "dvc.yaml").write_text(text)
    git(project, "commit", "--quiet", "-am", "asks for own.txt")
    run = flow(project, "split", revision="HEAD")
    assert run.states == {"split": "Failed"}
    assert "own.txt: expected it in git or in DVC, since this run works in a git wor" in run.err
    assert f"received what only the checkout {project} has; `dvc add own.txt`" in run.err


def test_a_stage_has_a_time_limit_and_a_failure_is_told(
    project: Path, flow: Flow, server: Server
) -> None:
    (project / "dvc.yaml").write_text("stages: {slow: {cmd: sleep 600, outs: [slow.txt]}}\n")
    with Webhook() as webhook:
        run = flow(project, settings={"minutes": 0.05}, FLOW_ALERT_URL=webhook.url)
    assert (run.exit_code, run.states) == (1, {"slow": "Failed"})
    assert "ended after 0.05 minutes, its limit" in run.err
    (said,) = webhook.said
    address = f"{server.url.removesuffix('/api')}/runs/flow-run/{server.flow_run(run)['id']}"
    why = "1 Failed\nslow: ended after 0.05 minutes, its limit"
    assert said == {"text": f"DVC flow {run.name!r}: Failed, {why} {address}"}


def test_a_webhook_that_is_away_costs_a_line(project: Path, flow: Flow) -> None:
    break_stage(project, "alone")
    run = flow(project, "alone", FLOW_ALERT_URL="http://127.0.0.1:9/")
    assert (run.exit_code, run.states) == (1, {"alone": "Failed"})
    assert "FLOW_ALERT_URL: nobody was told" in run.err


def test_a_second_flow_in_one_place_is_refused(
    project: Path, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    with occupied(wait=False):
        run = flow(project)
    assert (run.exit_code, run.states) == (2, {})
    assert f"{project}: another run works here (process {os.getpid()})" in run.err
    assert not (project / "alone.txt").exists()


def test_a_parameter_that_is_not_there_is_the_users_input(
    project: Path, flow: Flow, server: Server
) -> None:
    (project / "params.yaml").write_text("factor: 2\n")
    run = flow(project, set=["factr=3"])
    assert (run.exit_code, run.states) == (2, {})
    state = server.flow_run(run)["state"]
    assert (state["type"], state["name"]) == ("FAILED", "Refused")
    assert state["message"].startswith("set: expected NAME=VALUE with a name of params.yaml, rec")
    assert (project / "params.yaml").read_text() == "factor: 2\n"


@pytest.mark.slow
def test_what_was_made_goes_to_the_remote_and_what_is_missing_comes_from_it(
    project: Path, flow: Flow, tmp_path: Path
) -> None:
    dvc(project, "remote", "add", "--default", "shelf", str(tmp_path / "shelf"))
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "nothing has run yet")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(project), str(clone))
    assert flow(project, "left", push=True).states == {"split": "Ran", "left": "Ran"}
    dvc(project, "push", "raw.txt.dvc")
    # not even dvc.lock has come over: DVC's run cache on the remote tells what was made of what
    assert flow(clone, "left", pull=True).states == {"split": "Restored", "left": "Restored"}
    assert (clone / "left.txt").read_text() == "6\n"


def test_a_stage_held_by_another_dvc_process_is_tried_again(project: Path, server: Server) -> None:
    """The other process is done as soon as the flow has met it."""
    hold(project, "alone.txt")
    run = subprocess.Popen(
        flow_command("alone"),
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
    ("parameters", "expected"),
    [
        ({"set": ["../other.yaml:a=1"]}, "set.0: String should match pattern"),
        ({"set": ["--help"]}, "set.0: String should match pattern"),
        ({"revision": "--upload-pack=touch x"}, "revision: String should match pattern"),
        ({"revision": ""}, "revision: String should match pattern"),
        ({"revision": "../elsewhere"}, "revision: String should match pattern"),
        ({"revision": "-b"}, "revision: String should match pattern"),
        ({"width": -1}, "width: Input should be greater than or equal to 0"),
    ],
)
def test_refused_input(parameters: dict[str, Any], expected: str) -> None:
    with pytest.raises(ParameterTypeError, match=expected):
        any_flow.validate_parameters(parameters)


@pytest.mark.parametrize(
    "revision", ["HEAD", "HEAD~2", "v1.0", "feature/x-y", "HEAD@{1}", "a1b2c3d"]
)
def test_revisions_that_git_knows_are_taken(revision: str) -> None:
    given = any_flow.validate_parameters({"revision": revision, "set": ["a.b[0]=x:y", "c=[1,2]"]})
    assert given["revision"] == revision


def test_the_form_has_at_most_seven_parameters_and_says_what_each_is() -> None:
    form = parameter_schema(any_flow.fn).properties
    assert [*form] == ["targets", "set", "force", "width", "pull", "push", "revision"]
    assert all(each["description"] for each in form.values())
    # a field that takes either of two types asks for the type first
    types = {name: each["type"] for name, each in form.items()}
    assert types == {
        "targets": "array",
        "set": "array",
        "force": "boolean",
        "width": "integer",
        "pull": "boolean",
        "push": "boolean",
        "revision": "string",
    }
    assert form["set"]["items"]["pattern"]  # so the server refuses it, too
    assert form["revision"]["pattern"]
    defaults = {name: each["default"] for name, each in form.items()}
    assert any_flow.validate_parameters(defaults) == defaults


def test_a_flow_is_known_by_the_function_it_is_made_of() -> None:
    """So that Prefect finds it again in another process."""
    assert (any_flow.name, any_flow.description) == ("any", "Some project.")
    assert (any_flow.__module__, any_flow.__name__) == (__name__, "any_flow")
