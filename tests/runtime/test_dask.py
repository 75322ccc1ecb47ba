"""A real Dask cluster on 127.0.0.1: the same results as local processes, whatever happens to it."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from distributed import Client, get_worker

from dask_cluster import Dask, dask, until
from small_task import make_cohort
from warmstart.config.arm import Arm
from warmstart.config.params import Executor
from warmstart.networks import saving
from warmstart.runtime import dask_client as cluster
from warmstart.runtime import dask_worker
from warmstart.runtime import pool as executor
from warmstart.training.trials import Cohort, Pretrained, Split

pytestmark = pytest.mark.slow

NETWORK = Arm(hidden=(8,))


def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """One of them with the tag GPU."""
    with dask(tmp_path_factory.mktemp("dask")) as there:
        for name in ("plain", "tagged"):
            there.add_worker(name)
        there.wait_for_workers()
        yield there


training = pytest.fixture(scope="module")(two_workers)
idle = pytest.fixture(scope="module")(two_workers)
"""Set up for JAX, which is not loaded before it is needed: not for work that does not train."""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    # long enough that a piece of it is still in progress when its first trial is seen to be home
    return make_cohort(tmp_path_factory.mktemp("task"), NETWORK, trials=16, epochs=80)


def train(workers: executor.Workers, folder: Path, cohort: Cohort) -> dict[str, Any]:
    """Per trial: outcome, epochs and the bytes of the weights."""
    found = {}
    for key, result in workers.train([cohort], "a study").items():
        with np.load(folder / f"{key}.npz") as file:
            weights = [file[name].tobytes() for name in file if name.startswith("weight_")]
        found[key] = result.outcome, result.epochs, weights
    return found


def everything(options: Executor, folder: Path, cohort: Cohort) -> dict[str, Any]:
    """All that workers give: for `cohort`, and for trials on the layers of one of its models."""
    a, b = folder / "a.keras", folder / "b.keras"
    with executor.start(options, folder) as workers:
        found = train(workers, folder, cohort)
        workers.export(cohort, cohort.trials[-1], a)
        on_a = replace(
            cohort,
            sources=(Pretrained.of(a),),
            copied=("hidden_1", "activation_1"),
            not_copied=("logits",),
            trials=cohort.trials[:2],
        )
        found |= train(workers, folder, on_a)
        workers.export(on_a, on_a.trials[1], b)
        scores = workers.evaluate([cohort, on_a])
    return found | {"scores": scores, "a": a.read_bytes(), "b": b.read_bytes()}


@pytest.fixture(scope="module")
def expected(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return everything(Executor(workers=1), tmp_path_factory.mktemp("local"), cohort)


def test_a_cluster_gives_what_local_processes_give(
    training: Dask, cohort: Cohort, expected: dict[str, Any], tmp_path: Path, capfd: Any
) -> None:
    found = everything(Executor(address=training.address), tmp_path, cohort)
    assert found == expected
    assert len(found) == 16 + 2 + 3
    assert "a study: 100%| 16/16 trials, in" in capfd.readouterr().err


def test_features_are_computed_there_and_come_home(training: Dask, tmp_path: Path) -> None:
    inputs = keras.Input((6,), name="features")
    hidden = keras.layers.Dense(4, activation="tanh")(inputs)
    saving.save(keras.Model(inputs, hidden, name="backbone"), tmp_path / "a.keras")
    one = make_cohort(tmp_path, Arm(hidden=()), trials=1)
    asked = replace(one, sources=(Pretrained.of(tmp_path / "a.keras"),), on_features=True)
    found = []
    for options in (Executor(workers=1), Executor(address=training.address)):
        folder = tmp_path / str(options.workers)
        with executor.start(options, folder) as workers:
            split = workers.features(replace(asked, phases=()))
            on_them = replace(asked, splits=(split,), batch_size=8)
            results = train(workers, folder, on_them)
            path = folder / "b.keras"
            workers.export(on_them, on_them.trials[0], path)
        found.append((split.digest, results, path.read_bytes()))
    assert found[0] == found[1]


def test_what_a_cluster_trained_is_kept_where_it_was_asked_for(
    training: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = make_cohort(tmp_path, NETWORK, trials=3)
    monkeypatch.setenv("WARMSTART_TRIALS", str(tmp_path / "trials"))
    with executor.start(Executor(address=training.address), tmp_path / "there") as workers:
        found = workers.train([few], "there")
        assert len(workers.trained) == 3
    # its processors are this machine's, so it is found here too
    with executor.start(Executor(workers=1), tmp_path / "here") as workers:
        assert workers.train([few], "here") == found
        assert workers.trained == []


def test_a_worker_dies_and_nothing_is_lost_or_doubled(
    training: Dask, cohort: Cohort, expected: dict[str, Any], tmp_path: Path, capfd: Any
) -> None:
    def run() -> dict[str, Any]:
        with executor.start(Executor(address=training.address), tmp_path) as workers:
            return train(workers, tmp_path, cohort)

    def send_each() -> None:
        """As trials do that take as long as the time between two deliveries."""
        dask_worker.SEND_SECONDS = 0.0

    with (
        ThreadPoolExecutor(1) as thread,
        Client(training.address, set_as_default=False) as client,
    ):
        client.run(send_each)
        done = thread.submit(run)

        def in_progress() -> tuple[str, list[Path]] | None:
            """A worker that has sent home some files of its piece, and not the others; those."""
            assert not done.done(), done.result()
            workers = client.scheduler_info(n_workers=-1)["workers"]
            for worker, tasks in client.processing().items():
                for task in tasks:
                    sent = client.get_metadata([task], [])
                    home = [path for name in sent if (path := tmp_path / name).exists()]
                    if 0 < len(home) < 7:
                        return workers[worker]["name"], home
            return None

        victim, home = until(in_progress, "a trial in progress")
        training.kill(victim)
        written = {path: path.stat().st_mtime_ns for path in home}
        found = done.result(60)
    training.add_worker(victim)  # for the other tests
    training.wait_for_workers()
    assert {path: path.stat().st_mtime_ns for path in home} == written  # not trained again
    assert found == {key: expected[key] for key in found}
    assert len(found) == 16
    assert "a study: 100%| 16/16 trials, in" in capfd.readouterr().err


def test_a_cluster_that_lost_all_its_workers_goes_on_with_new_ones(
    cohort: Cohort, tmp_path: Path
) -> None:
    def length(cohort: Cohort, folder: Path, progress: Any) -> int:
        return len(cohort.splits[0].file.read_bytes())

    with dask(tmp_path) as there:
        there.add_worker("plain")
        with cluster.connect(there.address, {}, tmp_path, "jax") as place:
            workers = executor.Workers(place, tmp_path)
            (before,) = workers._run(length, [cohort])
            there.kill("plain")
            there.add_worker("tagged")
            assert workers._run(length, [cohort]) == [before]
    assert before == cohort.splits[0].file.stat().st_size


def who() -> Callable[..., str]:
    """Work that tells its worker's name. A function inside another one travels by content."""

    def name(cohort: Cohort, folder: Path, progress: Any) -> str:
        return get_worker().name

    return name


def test_tagged_work_runs_on_tagged_workers_only(
    idle: Dask, cohort: Cohort, tmp_path: Path
) -> None:
    def names(resources: dict[str, float]) -> tuple[int, set[str]]:
        """Number of workers, and the names of those that did 8 pieces of work."""
        with cluster.connect(idle.address, resources, tmp_path, "jax") as place:
            found = executor.Workers(place, tmp_path)._run(who(), [cohort] * 8)
            return place.count, set(found)

    assert names({"GPU": 1}) == (1, {"tagged"})
    assert names({}) == (2, {"plain", "tagged"})


def test_work_that_nobody_waits_for_ends(idle: Dask, cohort: Cohort, tmp_path: Path) -> None:
    started = tmp_path / "started"

    def endless(cohort: Cohort, folder: Path, progress: Callable[[int], None]) -> None:
        started.touch()
        while True:
            progress(1)

    with (
        cluster.connect(idle.address, {"GPU": 1}, tmp_path, "jax") as place,
        ThreadPoolExecutor(1) as thread,
    ):
        run = thread.submit(executor.Workers(place, tmp_path)._run, endless, [cohort])
        until(started.exists, "the endless work")
        place.stop()
        assert isinstance(run.exception(60), CancelledError)
    with cluster.connect(idle.address, {"GPU": 1}, tmp_path, "jax") as place:
        assert executor.Workers(place, tmp_path)._run(who(), [cohort]) == ["tagged"]


def test_a_file_that_is_gone_ends_the_run(idle: Dask, cohort: Cohort, tmp_path: Path) -> None:
    gone = replace(cohort, splits=(Split(tmp_path / "gone.npz", "gone"),))
    with (
        pytest.raises(FileNotFoundError, match=r"gone\.npz"),
        cluster.connect(idle.address, {}, tmp_path, "jax") as place,
    ):
        executor.Workers(place, tmp_path)._run(who(), [gone, cohort])
