"""`make run` as a whole, killed at random moments: the next one ends with the same outputs, and
MLflow with every run exactly once."""

import random
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from whole_runs import DVC, MAKE_FLOW, TRACK, Running, digests, killed, problems, small_copy, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project, finished."""
    folder = small_copy(tmp_path_factory.mktemp("undisturbed") / "project", transfer=False)
    assert start(folder).ended(600) == 0
    assert problems(folder, digests(folder)) == []
    return folder


def unlearned(project: Path, folder: Path) -> Path:
    """A copy of which the study, what stands without a network and the report are to be made."""
    shutil.copytree(project, folder, symlinks=True)
    shutil.rmtree(folder / ".dvc/cache/runs")
    for name in ("results/compare", "results/yardsticks", "models/compare", "reports", "mlflow.db"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    lock = folder / "dvc.lock"
    lock.write_text(lock.read_text().partition("  compare@")[0])
    return folder


def test_runs_killed_at_random_moments(undisturbed: Path, tmp_path: Path) -> None:
    project, moments = unlearned(undisturbed, tmp_path / "project"), random.Random(1)
    for _ in range(3):
        killed(project, after=moments.uniform(3, 15))
    last = start(project)
    assert last.ended(600) == 0, last.log.read_text()
    assert problems(project, digests(undisturbed)) == []


def works(running: Running) -> bool:
    """Whether a worker of the stage is there: a child of the server of the run."""
    return sum("fork_server" in _command(process) for process in running.processes()) > 1


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # ended meanwhile, or is about to be waited for
        return ""


def test_stages_of_a_flow_get_workers_of_its_server(undisturbed: Path, tmp_path: Path) -> None:
    flow = start(unlearned(undisturbed, tmp_path / "project"), *MAKE_FLOW)
    flow.wait_until(lambda: works(flow))
    assert flow.ended(600) == 0, flow.log.read_text()


def test_a_publisher_killed_while_its_stage_trains_on_and_others_that_start_meanwhile(
    undisturbed: Path, tmp_path: Path
) -> None:
    project = unlearned(undisturbed, tmp_path / "project")
    first = start(project)
    first.wait_until(lambda: works(first))
    psutil.Process(first.process.pid).kill()
    others = [start(project), start(project, *TRACK), start(project, *DVC, "repro")]
    codes = [running.ended(600) for running in (first, *others)]
    assert codes == [-signal.SIGKILL, 0, 0, 0], [o.log.read_text() for o in others]
    assert "waiting" in others[0].log.read_text() + others[2].log.read_text()
    assert start(project).ended(600) == 0
    assert problems(project, digests(undisturbed)) == []


def test_a_signal_ends_all_of_it_quietly(undisturbed: Path, tmp_path: Path) -> None:
    project = unlearned(undisturbed, tmp_path / "project")
    running = start(project)
    running.wait_until(lambda: works(running))
    running.process.terminate()
    assert running.ended() == 128 + signal.SIGTERM
    said = running.log.read_text()
    assert not [line for line in said.splitlines() if "rror" in line or "Traceback" in line]
