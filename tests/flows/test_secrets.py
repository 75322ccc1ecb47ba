"""A secret in an address is on no page, in no artifact, log, file or message."""

from pathlib import Path

import pytest
from dripping import dripping
from prefect_fixtures import copy_flows, finished

from foreign_project import FlowRun, Server, git

pytestmark = pytest.mark.slow

CANARY = "c4nary-s3cret"
FAILS = r"""
  fails:
    cmd: printf 'remote https://me:c4nary-s3c\162et@example.org/store\n'; exit 1
    outs: [fails.txt]
"""
"""It says the secret, which does not stand in the file."""


def in_files(*folders: Path) -> list[Path]:
    """Those that hold the secret, whatever their format."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if CANARY.encode() in path.read_bytes()]


@pytest.mark.parametrize("fails", [False, True])
def test_a_flow_gives_no_address_away(project: Path, server: Server, fails: bool) -> None:
    """With secrets in the addresses of MLflow, Prefect, a webhook that answers garbage and, in what
    a stage says, of a remote."""
    target = "fails" if fails else "alone"
    if fails:
        with (project / "dvc.yaml").open("a") as file:
            file.write(FAILS)
    copy_flows(project)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "start")
    with dripping("garbage") as webhook:
        run: FlowRun = finished(
            ["python", "-m", "flows", target],
            project,
            server,
            PREFECT_API_URL=server.url.replace("//", f"//me:{CANARY}@"),
            MLFLOW_TRACKING_URI=f"http://me:{CANARY}@127.0.0.1:9/mlflow",
            FLOW_ALERT_URL=f"http://{webhook}/{CANARY}",
        )
    assert run.exit_code == fails, run.err
    assert CANARY not in run.out + run.err
    assert ("FLOW_ALERT_URL: nobody was told" in run.err) == fails
    assert in_files(project) == []
    there = server.flow_run(run)
    seen = [server.read(path) for path in ("artifacts/filter", "logs/filter", "flow_runs/filter")]
    assert CANARY not in str([there, *seen])
    if not fails:
        assert "runs: [MLflow](http://127.0.0.1:9/mlflow)" in str(seen[0])
