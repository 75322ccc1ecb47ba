"""One Prefect server for all tests of this folder, and foreign projects to run flows in."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foreign_project import ADD, DVC_YAML, FlowRun, Server, answering, dvc, environment


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    settings = {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",  # not 60
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api",
    }
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--port", port],
            env=environment(**settings),
            stdout=log,
            stderr=log,
        )
        try:
            yield answering(f"http://127.0.0.1:{port}/api", home / "log")
        finally:
            process.terminate()
            process.wait(30)


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
            timeout=120,
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
