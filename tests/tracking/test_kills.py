"""Publishers that are killed anywhere, again and again: the next one ends with exactly the right
state."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from made_up_results import made_up, publish, write
from seen import Seen, seen
from warmstart.tracking.publish import Published

pytestmark = pytest.mark.slow

MORTAL = Path(__file__).with_name("mortal_publisher.py")


def killed(folder: Path, uri: str, *, seed: int, most: int, times: int) -> int:
    """How many publishers of `folder` were killed before one came through."""
    process = subprocess.run(
        [sys.executable, str(MORTAL), str(folder), *map(str, (seed, most, times))],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return int(process.stdout)


@pytest.fixture
def small(here: Path) -> Path:
    """Results of 6 trials and 3 arms: each process that is killed takes a second."""
    return write(here / "results/compare/initializer", *made_up(seeds=1))


def test_publishers_killed_while_they_publish(
    database: Path, small: Path, published_at_once: Callable[[Path], Seen]
) -> None:
    uri = f"sqlite:///{database}"
    assert killed(small, uri, seed=1, most=80, times=40) >= 4
    assert seen(uri) == published_at_once(small)
    assert publish(small) == Published(new=0, present=9)


def test_publishers_killed_while_they_make_the_database(
    here: Path, small: Path, published_at_once: Callable[[Path], Seen]
) -> None:
    """MLflow cannot go on with half of its tables."""
    uri = f"sqlite:///{here}/mlflow.db"
    assert killed(small, uri, seed=2, most=300, times=2) == 2
    assert seen(uri) == published_at_once(small)
    assert not list(here.glob(".unfinished-*"))


def test_publishers_killed_before_a_server(
    server: str,
    small: Path,
    published_at_once: Callable[[Path], Seen],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert killed(small, server, seed=3, most=12, times=40) >= 3
    assert seen(server) == published_at_once(small)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert publish(small) == Published(new=0, present=9)
