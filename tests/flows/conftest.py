"""One Prefect server for all tests of this folder, and foreign projects to run flows in."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from foreign_project import ADD, DVC_YAML, ROOT, FlowRun, Server, dvc, environment, git
from prefect_serving import prefect_server

SLOW = """\
  slow:
    cmd: sleep ${seconds}; touch slow.txt
    params: [seconds]
    outs: [slow.txt]
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with prefect_server(tmp_path_factory.mktemp("prefect")) as started:
        yield started


@pytest.fixture(scope="session")
def flow(server: Server) -> Callable[..., FlowRun]:
    """flow(project, "TARGET", "--width", "1") -> FlowRun, on the shared server."""

    def run(project: Path, *arguments: str, **more: str) -> FlowRun:
        done = subprocess.run(
            [sys.executable, "-m", "flows", *arguments],
            cwd=project,
            env=environment(**{"PREFECT_API_URL": server.url, **more}),
            capture_output=True,
            text=True,
            timeout=300,  # seconds; far more than it takes, since a busy machine is no failure
        )
        return FlowRun(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project before its first run. Shared: copy it."""
    project = tmp_path_factory.mktemp("fresh")
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    dvc(project, "init", "--quiet")
    dvc(project, "config", "core.analytics", "false")
    (project / "raw.txt").write_text("3\n")
    (project / "add.py").write_text(ADD)
    dvc(project, "add", "--quiet", "raw.txt")
    (project / "dvc.yaml").write_text(DVC_YAML)
    return project


@pytest.fixture(scope="session")
def first(
    fresh: Path, tmp_path_factory: pytest.TempPathFactory, flow: Callable[..., FlowRun]
) -> tuple[Path, FlowRun]:
    """The project after a first run of all stages, and that run. Shared: copy it."""
    project = tmp_path_factory.mktemp("first") / "project"
    shutil.copytree(fresh, project)
    return project, flow(project)


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Path:
    """A fresh project of the test's own."""
    return Path(shutil.copytree(fresh, tmp_path / "project"))


@pytest.fixture
def up_to_date(first: tuple[Path, FlowRun], tmp_path: Path) -> Path:
    """A project of the test's own in which every stage has run."""
    return Path(shutil.copytree(first[0], tmp_path / "project"))


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
    content = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    for each in content["deployments"]:
        each["parameters"].pop("tracker", None)  # an alias of YAML shares it
    (project / "prefect.yaml").write_text(yaml.safe_dump(content))
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
