"""Both ways to a nightly run: `--serve`, and prefect.yaml with a work pool and a worker."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from foreign_project import STAGES, Server, environment

ROOT = Path(__file__).resolve().parents[2]
SOON = timedelta(seconds=3)
NIGHTLY = {"cron": "0 2 * * *", "timezone": "UTC"}


@pytest.fixture
def deployments() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return {deployment["name"]: deployment for deployment in found}


def test_prefect_yaml_deploys_the_flow_nightly_and_on_demand(deployments: dict[str, Any]) -> None:
    assert sorted(deployments) == ["nightly", "on-demand"]
    assert {each["entrypoint"] for each in deployments.values()} == {"flows/pipeline.py:pipeline"}
    assert {each["work_pool"]["name"] for each in deployments.values()} == {"local"}
    (nightly,) = deployments["nightly"]["schedules"]
    assert {name: nightly[name] for name in NIGHTLY} == NIGHTLY
    assert deployments["on-demand"]["schedules"] == []


def test_a_served_flow_has_scheduled_runs_and_runs_them(project: Path, server: Server) -> None:
    """A healthy server proves nothing: a run that the scheduler itself has made must end well."""
    log = (project / "log").open("w")
    serving = subprocess.Popen(
        [sys.executable, "-m", "flows.pipeline", "--serve"],
        cwd=project,
        env=environment(
            PREFECT_API_URL=server.url,
            PREFECT_RUNNER_POLL_FREQUENCY="1",  # seconds; the default is 10
        ),
        stdout=log,
        stderr=log,
    )
    try:
        of_nightly = {"deployments": {"name": {"any_": ["nightly"]}}}
        (deployment,) = server.wait_for("deployments/filter", bool, **of_nightly)
        (schedule,) = deployment["schedules"]
        assert {name: schedule["schedule"][name] for name in NIGHTLY} == NIGHTLY
        server.wait_for(
            "flow_runs/filter",
            lambda runs: any(run["state_name"] == "Scheduled" for run in runs),
            **of_nightly,
        )
        soon = {"interval": 3600.0, "anchor_date": (datetime.now(UTC) + SOON).isoformat()}
        schedules = [{"schedule": soon, "active": True}]
        server.post(f"deployments/{deployment['id']}/schedules", schedules)
        done = {"flow_runs": {"state": {"name": {"any_": ["Completed", "Failed", "Crashed"]}}}}
        runs = server.wait_for("flow_runs/filter", bool, **of_nightly, **done)
        assert (runs[0]["auto_scheduled"], runs[0]["state"]["name"]) == (True, "Completed")
        assert runs[0]["state"]["message"] == f"{len(STAGES)} Ran"
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(60)
        log.close()
