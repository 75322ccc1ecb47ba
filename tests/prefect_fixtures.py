"""Fixtures for the tests of prefect_dvc and of flows: one Prefect server, and foreign projects."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from foreign_project import (
    ADD,
    DVC_YAML,
    ROOT,
    FlowRun,
    Server,
    dvc,
    environment,
    flow_command,
    git,
)
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
    """flow(project, "TARGET", width=1, VARIABLE="…", settings={…}) -> FlowRun, on that server."""

    def run(project: Path, *targets: str, **more: Any) -> FlowRun:
        variables = {name: more.pop(name) for name in [*more] if name.isupper()}
        return finished(flow_command(*targets, **more), project, server, **variables)

    return run


def finished(command: list[str], project: Path, server: Server, **variables: str) -> FlowRun:
    done = subprocess.run(
        command,
        cwd=project,
        env=environment(**{"PREFECT_API_URL": server.url, **variables}),
        capture_output=True,
        text=True,
        timeout=300,  # seconds; far more than it takes, since a busy machine is no failure
    )
    return FlowRun(done.returncode, done.stdout, done.stderr)


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


def copy_flows(project: Path) -> None:
    """This project's flows, but for what needs this project."""
    shutil.copytree(ROOT / "flows", project / "flows", ignore=lambda *_: ["__pycache__"])
    pipeline = project / "flows/pipeline.py"
    text, ours = pipeline.read_text(), "beside=BESIDE, explain=CHECK, "
    assert ours in text
    pipeline.write_text(text.replace(ours, ""))


@contextmanager
def serving(
    fresh: Path, place: Path, known: Collection[str], server: Server, **more: str
) -> Iterator[Path]:
    """A committed project in `place` whose deployments, `known` by name, are served to `server`,
    without our own tracker, and with `more` in the environment."""
    project = Path(shutil.copytree(fresh, place))
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
        **more,
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
