"""One flow on several machines: two workers, each with a clone of its own, and a common remote."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from foreign_project import FlowRun, Server, dvc, environment, git

pytestmark = pytest.mark.slow

# Ends well only if the other one is there at the same time, which one worker alone cannot do.
MEET_SH = """\
touch $MEETING/$1
for _ in $(seq 1800); do [ -e $MEETING/$2 ] && { pwd > $1.txt; exit 0; }; sleep 0.1; done
exit 1
"""
DVC_YAML = """\
stages:
  ping: {cmd: sh meet.sh ping pong, deps: [meet.sh], outs: [ping.txt]}
  pong: {cmd: sh meet.sh pong ping, deps: [meet.sh], outs: [pong.txt]}
  both: {cmd: cat ping.txt pong.txt > both.txt, deps: [ping.txt, pong.txt], outs: [both.txt]}
"""


STAGE_PY = """\
from prefect_dvc import dvc_flow


@dvc_flow("foreign")
def stage() -> None:
    pass
"""


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Path:
    """With a deployment of its own, and a remote that is known to all clones."""
    project = Path(shutil.copytree(fresh, tmp_path / "project"))
    (project / "stage.py").write_text(STAGE_PY)
    (project / "dvc.yaml").write_text(DVC_YAML)
    (project / "meet.sh").write_text(MEET_SH)
    repository = {"repository": str(project), "branch": "main"}
    deployment = {
        "name": "stage",
        "entrypoint": "stage.py:stage",
        "work_pool": {"name": "machines"},
    }
    content = {
        "name": "foreign",
        "pull": [{"prefect.deployments.steps.git_clone": repository}],
        "deployments": [deployment],
    }
    (project / "prefect.yaml").write_text(yaml.safe_dump(content))
    dvc(project, "remote", "add", "--default", "shelf", str(tmp_path / "shelf"))
    git(project, "checkout", "--quiet", "-B", "main")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "first")
    return project


@contextmanager
def worker(name: str, folder: Path, settings: dict[str, str]) -> Iterator[None]:
    command = ["prefect", "worker", "start", "--pool", "machines", "--name", name, "--limit", "1"]
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment(**settings),
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            # Prefect's worker, when told to end, sometimes fails in its own handler and stays
            process.kill()
            process.wait(60)


def test_stages_run_on_two_machines_that_share_no_disk(
    project: Path, flow: Callable[..., FlowRun], server: Server, tmp_path: Path
) -> None:
    (tmp_path / "meeting").mkdir()
    settings = {
        "PREFECT_API_URL": server.url,
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "MEETING": str(tmp_path / "meeting"),
    }

    def prefect(*arguments: str) -> None:
        command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
        done = subprocess.run(
            command, cwd=project, env=environment(**settings), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    prefect("work-pool", "create", "machines", "--type", "process")
    prefect("deploy", "--all")
    with ExitStack() as stack:
        for name in ("first", "second"):
            stack.enter_context(worker(name, tmp_path, settings))
        run = flow(project, settings={"elsewhere": "foreign/stage"}, **settings)
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert run.states == dict.fromkeys(["ping", "pong", "both"], "Restored"), run.err + logs
    places = (project / "both.txt").read_text().split()
    assert len(set(places)) == 2
    assert not [place for place in places if place.startswith(str(project))]
    dvc(project, "repro")
    assert git(project, "status", "--porcelain", "dvc.lock") == "?? dvc.lock"
