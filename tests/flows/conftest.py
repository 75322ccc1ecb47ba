"""This project's deployments, served from a foreign project."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect_fixtures import copy_flows, first, flow, fresh, project, server, up_to_date

from foreign_project import ROOT, Server, environment, git

__all__ = ["first", "flow", "fresh", "project", "server", "up_to_date"]

SLOW = """\
  slow:
    cmd: sleep ${seconds}; touch slow.txt
    params: [seconds]
    outs: [slow.txt]
"""


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """The deployments of prefect.yaml, by name."""
    found = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return {deployment["name"]: deployment for deployment in found}


@pytest.fixture(scope="module")
def served(
    fresh: Path, known: dict[str, Any], server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A committed project of which the deployments are served, without our own tracker."""
    project = Path(shutil.copytree(fresh, tmp_path_factory.mktemp("served") / "project"))
    with (project / "dvc.yaml").open("a") as file:
        file.write(SLOW)
    (project / "params.yaml").write_text("seconds: 0\n")
    shutil.copy(ROOT / "prefect.yaml", project)
    with (project / ".gitignore").open("a") as file:
        file.write("__pycache__\n.prefect\nlog\n")
    copy_flows(project)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "served")
    settings = {
        "PREFECT_API_URL": server.url,
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",  # seconds; the default is 10
    }
    with (project / "log").open("w") as log:
        serving = subprocess.Popen(
            [sys.executable, "-m", "flows", "--serve"],
            cwd=project,
            env=environment(**settings),
            stdout=log,
            stderr=log,
        )
        try:
            named = {"deployments": {"name": {"any_": [*known]}}}
            server.wait_for("deployments/filter", lambda found: len(found) == len(known), **named)
            yield project
        finally:
            # Prefect's runner, when told to end, sometimes loses that in a callback and stays
            serving.kill()
            serving.wait(60)
