"""Fixtures for the tests of prefect_dvc and of flows: one Prefect server, and foreign projects."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from foreign_project import (
    ROOT,
    FlowRun,
    Server,
    environment,
    flow_command,
    git,
    made,
    wait_until,
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
    return made(tmp_path_factory.mktemp("fresh"))


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


def served_project(fresh: Path, folder: Path) -> Path:
    project = Path(shutil.copytree(fresh, folder / "project"))
    with (project / "dvc.yaml").open("a") as file:
        file.write(SLOW)
    (project / "params.yaml").write_text("seconds: 0\n")
    shutil.copy(ROOT / "prefect.yaml", project)
    with (project / ".gitignore").open("a") as file:
        file.write("__pycache__\n.prefect\nlog\n")
    copy_flows(project)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "served")
    return project


@contextmanager
def serving(
    project: Path, server: Server, names: list[str], **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """What `make serve` starts; what it says is in `project / "log"`."""
    settings = {
        "PREFECT_API_URL": server.url,
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",  # seconds; the default is 10
        **more,
    }
    with (project / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows", "--serve"],
            cwd=project,
            env=environment(**settings),
            stdout=log,
            stderr=log,
        )
        try:
            for name in names:
                said = f"serving dvc-pipeline/{name}\n"
                wait_until(partial(_said, project, said), (project / "log").read_text)
            yield process
        finally:
            # Prefect's runner, when told to end, sometimes loses that in a callback and stays
            process.kill()
            process.wait(60)


def _said(project: Path, line: str) -> bool:
    return line in (project / "log").read_text()
