"""Worker processes: the same results whatever their number."""

from dataclasses import replace
from pathlib import Path

import keras
import pytest

from small_task import make_task
from warmstart.arms import Initializer, Network
from warmstart.errors import InputError
from warmstart.training import executor
from warmstart.training.trials import Cohort, Phase, Trial


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    task = make_task()
    task.write(tmp_path / "task.npz")
    return Cohort(
        network=Network(hidden=(8,)).resolve(task.features),
        phases=(Phase(epochs=2),),
        task=tmp_path / "task.npz",
        task_digest=task.digest,
        batch_size=16,
        root_seed=1,
        trials=tuple(
            Trial(
                arm="arm", initializer=Initializer(name="he_normal"), seed=seed, learning_rate=0.1
            )
            for seed in range(4)
        ),
    )


def test_one_and_two_workers_give_the_same(cohort: Cohort, tmp_path: Path, capfd) -> None:
    other = replace(cohort, network=Network(hidden=(4,)).resolve(6))
    found = {}
    for workers in (1, 2):
        with executor.start(workers, tmp_path / str(workers)) as pool:
            results = pool.train([cohort, other], "a study")
            scores = pool.evaluate([cohort])
            pool.export(cohort, cohort.trials[2], tmp_path / f"{workers}.keras")
        found[workers] = {key: result.epochs for key, result in results.items()}, scores
    assert found[1] == found[2]
    assert set(found[1][0]) == {c.key(t) for c in (cohort, other) for t in c.trials}
    assert (tmp_path / "1.keras").read_bytes() == (tmp_path / "2.keras").read_bytes()
    task, model = make_task(), keras.models.load_model(tmp_path / "1.keras")
    expected = model.evaluate(task.x_test, task.y_test, verbose=0)
    assert found[1][1][cohort.key(cohort.trials[2])] == pytest.approx(expected, rel=1e-5)
    err = capfd.readouterr().err
    assert "a study, 8 trials: 100%" in err
    assert "16/16" in err


def test_a_failure_in_a_worker_is_raised(cohort: Cohort, tmp_path: Path) -> None:
    gone = replace(cohort, task=tmp_path / "missing.npz")
    with (
        pytest.raises(InputError, match=r"missing\.npz: expected a task"),
        executor.start(1, tmp_path) as pool,
    ):
        pool.train([gone], "a study")
