"""`python -m flows`, in a foreign project: the plan, the user's input, a run."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from prefect import Flow
from prefect.server.schemas.schedules import CronSchedule
from prefect_fixtures import copy_flows, finished

import flows.__main__ as command_line
from flows.pipeline import BESIDE, pipeline
from foreign_project import ROOT, FlowRun, Server, dvc, environment, git
from prefect_dvc import ProjectError


@pytest.fixture
def command(server: Server) -> Callable[..., FlowRun]:
    """command(project, "--plan", …) -> FlowRun, on the shared server."""

    def run(project: Path, *arguments: str, **variables: str) -> FlowRun:
        copy_flows(project)
        return finished([sys.executable, "-m", "flows", *arguments], project, server, **variables)

    return run


def test_the_plan_says_what_would_run_and_runs_nothing(
    up_to_date: Path, command: Callable[..., FlowRun]
) -> None:
    (up_to_date / "join.txt").unlink()
    (up_to_date / "alone.txt").write_text("changed\n")
    before = (up_to_date / "dvc.lock").read_bytes()
    assert command(up_to_date, "--plan").out.split("\n") == [
        "wave 1",
        "  split                            hit (unchanged)",
        "  alone                            miss",
        "wave 2",
        "  left                             hit (unchanged)",
        "  right                            hit (unchanged)",
        "wave 3",
        "  join                             hit (in DVC's cache)",
        "wave 4",
        "  scale@2                          known after the stages above it",
        "  scale@10                         known after the stages above it",
        "",
    ]
    assert not (up_to_date / "join.txt").exists()
    assert (up_to_date / "dvc.lock").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["scael"],
            "target: expected a stage of dvc.yaml, received 'scael'; did you mean 'scale'?",
        ),
        (
            ["--width", "-1", "--set", "x.yaml:a=1"],
            "--set.0: String should match pattern '^[A-Za-z_][\\w.\\[\\]-]*=', received "
            "['x.yaml:a=1']\n"
            "--width: Input should be greater than or equal to 0, received -1",
        ),
    ],
)
def test_the_users_input_is_exit_code_2_and_one_line(
    project: Path, arguments: list[str], line: str
) -> None:
    copy_flows(project)
    run = subprocess.run(
        [sys.executable, "-m", "flows", *arguments],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (2, "", line + "\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--set", "factr=3"],
            "set: expected NAME=VALUE with a name of params.yaml, received 'fac",
        ),
        (["--revision", "nowhere"], "revision: expected a branch, tag or commit of this repositor"),
    ],
)
def test_what_only_a_run_finds_out_is_said_in_its_last_line_without_a_traceback(
    project: Path, command: Callable[..., FlowRun], arguments: list[str], line: str
) -> None:
    (project / "params.yaml").write_text("factor: 2\n")
    run = command(project, *arguments)
    assert (run.exit_code, run.out) == (2, "")
    assert line in run.err.splitlines()[-1]
    assert run.err.count(line) == 1
    assert "Traceback" not in run.err
    assert "hook" not in run.err


def test_a_server_that_is_not_there_is_said_before_anything_runs(
    project: Path, command: Callable[..., FlowRun]
) -> None:
    run = command(project, "--serve", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert run.exit_code == 2
    (line,) = run.err.splitlines()
    assert line.startswith("PREFECT_API_URL: nobody at http://127.0.0.1:9/api")


SCORED = """\
  score:
    cmd: python score.py
    deps: [join.txt, score.py]
    params: [factor]
    metrics: [score.json]
"""
SCORE_PY = """\
import json
import re
from pathlib import Path
factor = int(Path("params.yaml").read_text().split(":")[1])
Path("score.json").write_text(json.dumps({"accuracy": 5 * factor, "trials": 3}))
"""


@pytest.mark.slow
def test_a_run_shows_metrics_beside_the_last_and_where_it_came_from(
    up_to_date: Path, command: Callable[..., FlowRun], server: Server
) -> None:
    project = up_to_date
    with (project / "dvc.yaml").open("a") as file:
        file.write(SCORED)
    (project / "score.py").write_text(SCORE_PY)
    (project / "params.yaml").write_text("factor: 2\n")
    dvc(project, "repro", "score")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "factor 2")

    run = command(project, "score", "--set", "factor=3", "--revision", "HEAD")
    assert run.exit_code == 0, run.err
    assert (run.states["join"], run.states["score"]) == ("Unchanged", "Ran")
    known = server.flow_run(run)
    of_run = {"flow_run_id": {"any_": [known["id"]]}}
    made = server.read("artifacts/filter", artifacts=of_run)
    found = {item["key"]: item["data"] for item in made}
    assert json.loads(found["dvc-metrics"]) == [
        {
            "file": "score.json",
            "metric": "accuracy",
            "before": 10,
            "now": 15,
            "change": 5,
        }
    ]
    commit = git(project, "rev-parse", "HEAD")
    assert f"git revision: `{commit}`" in found["dvc-revision"]
    assert f"git:{commit[:12]}" in known["tags"]
    (name,) = re.findall(r"`dvc exp apply (.+?)`", found["dvc-revision"])
    dvc(project, "exp", "apply", name)
    lock = hashlib.md5((project / "dvc.lock").read_bytes()).hexdigest()
    assert f"digest (MD5) of dvc.lock: `{lock}`" in found["dvc-revision"]
    assert f"dvc.lock:{lock[:12]}" in known["tags"]


def test_this_projects_flow_publishes_beside_its_stages() -> None:
    """The command of the tracker follows the usual layout and needs no path."""
    assert [*BESIDE] == ["mlflow"]  # the name of its task
    assert BESIDE["mlflow"][1:] == ("-m", "warmstart", "track", "--follow")
    assert pipeline.name == "dvc-pipeline"


OTHERWISE = {"description": "", "parameters": {}, "schedules": []}
SERVED = {
    "deployments": [
        {"name": "one", "entrypoint": "flows/pipeline.py:pipeline", **OTHERWISE},
        {"name": "other", "entrypoint": "flows/pipeline.py:other", **OTHERWISE},
    ]
}


def test_each_deployment_serves_the_flow_that_its_entrypoint_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Recorder:
        def __init__(self, **_: object) -> None:
            self.add_flow = lambda flow, name, **_: served.update({name: flow})

        async def start(self) -> None:
            """Serves nothing."""

    served: dict[str, object] = {}
    monkeypatch.setattr(command_line, "Runner", Recorder)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(SERVED))
    with pytest.raises(ProjectError, match=r"^prefect\.yaml: .* 'flows/pipeline\.py:other'$"):
        command_line._serve()
    other = Flow(lambda: None, name="other")
    monkeypatch.setattr("flows.pipeline.other", other, raising=False)
    assert command_line._serve() == 0
    assert served == {"one": pipeline, "other": other}


FIRST_RUNS = {
    "0 2 * * *": datetime(2026, 1, 1, 2, tzinfo=UTC),
    "0 4 * * 0": datetime(2026, 1, 4, 4, tzinfo=UTC),
}


def test_the_schedules_have_dates_with_the_libraries_that_are_installed() -> None:
    """Prefect's server only logs that it could not work them out, and then nothing ever runs."""
    content = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    for each in (schedule for known in content["deployments"] for schedule in known["schedules"]):
        schedule = CronSchedule(cron=each["cron"], timezone=each["timezone"])
        start = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday
        (date,) = list(schedule._get_dates_generator(n=1, start=start))
        assert date == FIRST_RUNS[each["cron"]]
