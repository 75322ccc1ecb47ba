"""What a Dask cluster has to be, said in one line before any work is sent."""

import socket
from pathlib import Path

import pytest

from dask_cluster import dask
from small_task import make_cohort
from warmstart import __version__
from warmstart.config.arm import Arm
from warmstart.config.params import Executor
from warmstart.errors import InputError
from warmstart.runtime import dask_client as cluster
from warmstart.runtime import environment
from warmstart.runtime import pool as executor

pytestmark = pytest.mark.slow


def refused(options: Executor, folder: Path) -> str:
    """The line, the first if there are several, that says why no work can be done."""
    with pytest.raises(InputError) as caught, executor.start(options, folder):
        pass
    assert not any("\n" in line for line in caught.value.problems)
    return caught.value.problems[0]


def test_an_address_that_nobody_answers_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster.ANSWER_SECONDS <= 10
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        line = refused(Executor(address=address), tmp_path)
    assert line.startswith(f"executor.address: expected a Dask scheduler at {address}, none answe")


def test_workers_that_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 3)
    with dask(tmp_path) as there:
        anywhere = Executor(address=there.address)
        line = refused(anywhere, tmp_path)
        assert f"executor.address: expected workers at {there.address}, received none" in line
        there.add_worker("tagged")
        there.wait_for_workers()
        line = refused(Executor(address=there.address, resources={"TPU": 2}), tmp_path)
        assert f"executor.resources: expected a worker with TPU=2 at {there.address}" in line
        with monkeypatch.context() as another:
            another.setattr(environment, "__version__", "9.9")
            line = refused(anywhere, tmp_path)
        assert "executor.address: expected warmstart 9.9, keras 3." in line
        assert f"received warmstart {__version__}, keras 3." in line
        assert "on worker tcp://127.0.0.1:" in line
        there.add_worker("broad")
        there.wait_for_workers()
        line = refused(anywhere, tmp_path)
        assert "executor.address: expected workers of one thread, received tcp://127.0.0.1" in line
        assert (
            f"with 2; start it with `dask worker {there.address} {cluster.HERE} --nthreads 1`"
            in line
        )


def test_a_scheduler_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 3)
    cohort = make_cohort(tmp_path, Arm(hidden=(4,)))
    with dask(tmp_path) as there:
        there.add_worker("plain")
        gone = pytest.raises(InputError, match=r"expected the Dask scheduler at .* to stay")
        with gone, executor.start(Executor(address=there.address), tmp_path) as workers:
            there.kill("scheduler")
            workers.train([cohort], "a study")
