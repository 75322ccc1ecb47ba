"""What the flow's server and who may write to it can make of `make serve` and of a worker."""

import json
import signal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect_fixtures import served_project, serving

from foreign_project import ROOT, Server, processes_with, wait_until

pytestmark = pytest.mark.slow
EVIL = """\
from pathlib import Path
from prefect import flow
@flow
def pipeline(**_):
    Path({place!r}).touch()
"""
OVER = {"CRASHED", "FAILED", "CANCELLED"}


def asked(server: Server, deployment: str, **body: Any) -> dict[str, Any]:
    """A run of the deployment, as anybody with the API asks for it."""
    path = f"deployments/{server.deployment(deployment)['id']}/create_flow_run"
    return dict(server.post(path, body))


def ended(server: Server, run: dict[str, Any]) -> dict[str, Any]:
    only = {"id": {"any_": [run["id"]]}, "state": {"type": {"any_": ["COMPLETED", *OVER]}}}
    return dict(server.wait_for("flow_runs/filter", bool, flow_runs=only)[0])


def test_a_deployment_that_somebody_changes_runs_our_flow_all_the_same(
    served: Path, server: Server, tmp_path: Path
) -> None:
    """Neither its place, nor its steps, nor its environment are taken from the server."""
    (tmp_path / "evil.py").write_text(EVIL.format(place=str(tmp_path / "pwned")))
    shell = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {tmp_path}/pwned"}}
    change = {
        "entrypoint": "evil.py:pipeline",
        "path": str(tmp_path),
        "pull_steps": [shell],
        "job_variables": {"command": f"touch {tmp_path}/pwned", "env": {"PATH": str(tmp_path)}},
        "enforce_parameter_schema": False,
    }
    server.post(f"deployments/{server.deployment('on-demand')['id']}", change, "PATCH")
    run = asked(
        server,
        "on-demand",
        name="../../../../x",
        parameters={"targets": ["alone"], "revision": "HEAD"},
        job_variables=change["job_variables"],
    )
    assert ended(server, run)["state"]["message"] == "1 Ran"
    assert [path.name for path in tmp_path.iterdir()] == ["evil.py"]
    assert not [*(served / ".dvc/tmp/flows").iterdir()]


def test_a_run_of_the_work_pool_chooses_no_command_no_folder_and_no_environment(
    server: Server,
) -> None:
    template = json.loads((ROOT / "flows/work_pool.json").read_text())
    pool = {"name": uuid4().hex, "type": "process", "base_job_template": template}
    server.post("work_pools/", pool)
    flow = server.post("flows/", {"name": "pooled"})["id"]
    deployment = {"name": "pooled", "flow_id": flow, "work_pool_name": pool["name"]}
    made = server.post("deployments/", deployment)["id"]
    for variables in ({"command": "touch pwned"}, {"env": {"PATH": "/tmp"}}, {"working_dir": "/"}):
        for path, body in (
            (f"deployments/{made}/create_flow_run", {"job_variables": variables}),
            ("deployments/", {**deployment, "name": "other", "job_variables": variables}),
        ):
            with pytest.raises(AssertionError, match=r": 4\d\d .*[Aa]dditional properties"):
                server.post(path, body)
    server.post(f"deployments/{made}/create_flow_run", {})


def test_sigterm_of_what_serves_ends_the_runs_and_all_their_processes(
    fresh: Path, server: Server, tmp_path: Path
) -> None:
    project = served_project(fresh, tmp_path)
    deployments = project / "prefect.yaml"  # `served` may be at work, and would take the run
    deployments.write_text(deployments.read_text().replace("name: on-demand", "name: ended"))
    entry = f"TEST_OF_KILL={uuid4().hex}"
    with serving(project, server, ["ended"], **dict([entry.split("=")])) as process:
        given = {"targets": ["slow"], "set": ["seconds=600"], "revision": "HEAD"}
        run = asked(server, "ended", parameters=given)
        runs = f"flow_runs/{run['id']}"
        wait_until(lambda: stage_runs(entry), lambda: (project / "log").read_text())
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        wait_until(lambda: not processes_with(entry), lambda: processes_with(entry))
    assert ended(server, run)["state"]["type"] in OVER, runs
    mine = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    server.wait_for(
        "task_runs/filter", lambda tasks: {t["state"]["type"] for t in tasks} <= OVER, **mine
    )
    assert not [*(project / ".dvc/tmp/flows").iterdir()]


def stage_runs(entry: str) -> bool:
    return any(command.startswith("sleep 600") for command in processes_with(entry))
