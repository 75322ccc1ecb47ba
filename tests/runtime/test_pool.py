"""Worker processes: the same results whatever their number."""

import os
import re
import signal
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import keras
import pytest

import parameters
from small_task import make_cohort, make_task
from warmstart.config import loading
from warmstart.config.arm import Arm
from warmstart.config.network import Network
from warmstart.config.params import Executor
from warmstart.config.parts import Initializer
from warmstart.errors import InputError
from warmstart.runtime import pool as executor
from warmstart.runtime import processes
from warmstart.training.trials import Cohort, Phase, Split

NETWORK = Arm(hidden=(8,), initializer=Initializer(name="he_normal"))


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("{address: localhost}", "executor.address: expected a Dask scheduler's, such as tcp://"),
        ("{address: 'tcp://h:1', workers: 4}", "executor.workers: expected auto, because the"),
        ("{resources: {GPU: 1}}", "executor.resources: expected none without an address"),
        ("{address: 'tcp://h:1', resources: {GPU: 0}}", "executor.resources.GPU: expected greate"),
    ],
)
def test_problems_of_the_parameters(tmp_path: Path, section: str, line: str) -> None:
    before, _ = parameters.PATH.read_text().split("\nexecutor:\n")
    (tmp_path / "params.yaml").write_text(f"{before}\nexecutor: {section}\n")
    with pytest.raises(InputError, match=re.escape(line)) as caught:
        loading.load(tmp_path / "params.yaml")
    assert len(caught.value.problems) == 1


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return make_cohort(tmp_path, NETWORK)


def test_one_and_two_workers_give_the_same(cohort: Cohort, tmp_path: Path, capfd) -> None:
    """Also of convolutions, which TensorFlow announces at any level of its log."""
    (tmp_path / "images").mkdir()
    arm = Arm(network=Network(name="convolutional", filters=(4, 4)), hidden=())
    other = make_cohort(tmp_path / "images", arm, shape=(8, 8, 1))
    found = {}
    for workers in (1, 2):
        with executor.start(Executor(workers=workers), tmp_path / str(workers)) as pool:
            results = pool.train([cohort, other], "a study")
            scores = pool.evaluate([cohort])
            pool.export(cohort, cohort.trials[2], tmp_path / f"{workers}.keras")
        found[workers] = {key: result.epochs for key, result in results.items()}, scores
    assert found[1] == found[2]
    assert set(found[1][0]) == {c.key(t) for c in (cohort, other) for t in c.trials}
    assert (tmp_path / "1.keras").read_bytes() == (tmp_path / "2.keras").read_bytes()
    task, model = make_task(), keras.models.load_model(tmp_path / "1.keras")
    expected = model.evaluate(task.x_test, task.y_test, verbose=0)
    tested = found[1][1][cohort.key(cohort.trials[2])]
    assert [tested["test_loss"], tested["test_accuracy"]] == pytest.approx(expected, rel=1e-5)
    err = capfd.readouterr().err.splitlines()
    assert err[0] == "a study:   0%| 0/8 trials, ? left"
    assert err[-1].startswith("a study: 100%| 8/8 trials, in 00:")
    assert not [line for line in err if line and not line.startswith(("a study: ", "\r"))]


def test_finished_trials_are_not_trained_again(cohort: Cohort, tmp_path: Path, capfd) -> None:
    folder = tmp_path / "scratch"
    twins = replace(
        cohort, trials=cohort.trials + tuple(replace(t, arm="b") for t in cohort.trials)
    )
    with executor.start(Executor(workers=1), folder) as pool:
        first = pool.train([replace(cohort, trials=cohort.trials[1:3])], "half")
        written = {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
        assert len(written) == 2
        capfd.readouterr()
        both = pool.train([twins], "all")
        # 4 trials of 2 epochs with 70 samples: twins are one, and what was finished is not counted
        assert len(pool.trained) == 4
        assert {result.key for result in pool.trained} == both.keys()
        assert {(len(r.epochs["loss"]), r.samples) for r in pool.trained} == {(2, 70)}
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert both.items() >= first.items()
    assert len(both) == 4
    half, *_, whole = capfd.readouterr().err.splitlines()
    assert half == "all:  50%| 2/4 trials, ? left"  # what was there is no speed
    assert whole.startswith("all: 100%| 4/4 trials, in 00:")
    with executor.start(Executor(workers=1), folder) as pool:
        assert pool.train([twins], "again") == both
        assert pool.trained == []


def test_another_stage_on_this_machine_trains_them_not_again(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMSTART_TRIALS", str(tmp_path / "trials"))
    with executor.start(Executor(workers=1), tmp_path / "first") as pool:
        found = pool.train([cohort], "first")
        assert len(pool.trained) == 4
    assert len(list((tmp_path / "trials").iterdir())) == 4
    with executor.start(Executor(workers=1), tmp_path / "second") as pool:
        assert pool.train([cohort], "second") == found
        assert pool.trained == []
    with executor.start(Executor(workers=1, kept_gb=0), tmp_path / "third") as pool:
        assert pool._finished is None


def test_a_race_is_decided_with_those_that_were_finished(cohort: Cohort, tmp_path: Path) -> None:
    """A trial of three is missing, as if its file had been lost: alone it could not lose."""
    rates = (0.0001, 0.1, 0.2)
    trials = tuple(replace(cohort.trials[0], learning_rate=rate, rivals=rates) for rate in rates)
    racing = replace(cohort, phases=(Phase(epochs=6),), trials=trials)
    with executor.start(Executor(workers=1), tmp_path / "scratch") as pool:
        first = pool.train([racing], "first")
        lost = [key for key, result in first.items() if result.outcome == "dropped"]
        assert lost == [racing.key(trials[0])]
        (tmp_path / f"scratch/{lost[0]}.npz").unlink()
        again = pool.train([racing], "again")
    assert {key: (r.outcome, r.epochs) for key, r in again.items()} == {
        key: (r.outcome, r.epochs) for key, r in first.items()
    }
    assert len(pool.trained) == 4


def test_a_failure_in_a_worker_is_raised_and_ends_the_others(
    cohort: Cohort, tmp_path: Path
) -> None:
    gone = replace(cohort, splits=(Split(tmp_path / "missing.npz", "other"),))
    endless = replace(cohort, phases=(Phase(epochs=10**7),))
    with (
        pytest.raises(
            InputError,
            match=r"missing\.npz: expected what the stage",
        ),
        executor.start(Executor(workers=2), tmp_path) as pool,
    ):
        pool.train([gone, replace(endless, trials=cohort.trials[:1])], "a study")


def test_without_dask_an_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "warmstart.runtime.dask_client", raising=False)
    monkeypatch.delattr("warmstart.runtime.dask_client", raising=False)
    there = Executor(address="tcp://127.0.0.1:8786")
    with (
        pytest.raises(InputError, match=r"expected the package distributed, found none; install"),
        executor.start(there, tmp_path),
    ):
        pass


def test_a_worker_that_is_killed_names_executor_workers(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        _work(killed, tmp_path, "tensorflow")
    (line,) = caught.value.problems
    assert line.startswith("executor.workers: expected memory for 1 of them, received: one was ")
    assert "ended by SIGKILL" in line
    assert "give fewer workers" in line


def test_a_worker_that_somebody_ends_is_no_bug_and_one_that_fails_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ended by SIGTERM, .*; run the command again"):
        _work(told, tmp_path, "tensorflow")
    with pytest.raises(BrokenProcessPool):
        _work(failed, tmp_path, "tensorflow")


def test_a_worker_that_cannot_be_set_up_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no_backend"):
        _work(os.path.join, tmp_path, "no_backend")


def _work(work: Callable[..., object], folder: Path, backend: str) -> None:
    with processes.start(1, folder, backend) as here:
        done = here.submit(work, make_cohort(folder, NETWORK))
        try:
            done.result()
        finally:
            here.stop()


def told(cohort: Cohort, folder: Path, progress: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def failed(cohort: Cohort, folder: Path, progress: object) -> None:
    os._exit(7)


def killed(cohort: Cohort, folder: Path, progress: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
