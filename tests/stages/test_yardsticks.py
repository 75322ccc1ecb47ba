"""What does without a network, on the splits that networks see."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from parameters import params
from warmstart.data.dataset import Dataset
from warmstart.data.split import resplit
from warmstart.data.task import PARTS
from warmstart.data.view import View
from warmstart.records import read_records
from warmstart.stages.yardsticks import measured, yardsticks

PARAMS = params()


def view(y: np.ndarray, x: np.ndarray, names: tuple[str, ...]) -> View:
    """A fifth each validates and tests."""
    dataset = Dataset(
        name="made up",
        x=x,
        y=y,
        class_names=names,
        feature_shape=(x.shape[1],),
        source="",
        licence="",
        digest="e" * 64,
    )
    ends = [int(0.6 * len(y)), int(0.8 * len(y))]
    rows = np.split(np.arange(len(y)), ends)
    classes = y if names else np.zeros(len(y), int)
    wanted = np.array([np.bincount(classes[own], minlength=max(1, len(names))) for own in rows])
    return View.of("full", dataset, dict(zip(PARTS, rows, strict=True)), wanted)


def classes(rare: int, signal: float) -> View:
    """300 samples, so many of them of the second class, whose first feature is higher."""
    draw = np.random.default_rng(3)
    y = draw.permutation((np.arange(300) < rare).astype(np.int32))
    x = draw.normal(size=(300, 4)).astype(np.float32)
    x[:, 0] += signal * y
    return view(y, x, ("no", "yes"))


def scores_of(records: tuple, arm: str, metric: str) -> list[float]:
    return [r.test[f"test_{metric}"] for r in records if r.arm == arm]


def test_they_are_measured_on_the_splits_of_the_seeds() -> None:
    whole = classes(150, 1.5)
    found = measured(whole, seeds=3, splits="resampled", root_seed=5, metric="accuracy")
    assert [(r.arm, r.seed) for r in found] == [
        (arm, seed) for seed in range(3) for arm in ("majority", "linear", "gradient_boosting")
    ]
    assert all(r.chosen and r.metric == "accuracy" and r.stage == "yardsticks" for r in found)
    assert {r.data_digest for r in found} == {whole.task.digest}
    for seed, accuracy in enumerate(scores_of(found, "linear", "accuracy")):
        task = resplit(whole, seed, 5, "resampled").task
        model = LogisticRegression().fit(task.x_train, task.y_train)
        assert accuracy == pytest.approx(model.score(task.x_test, task.y_test))
    (record, *_) = found
    task = whole.task
    most = np.bincount(task.y_train).argmax()
    assert record.test["test_accuracy"] == pytest.approx(np.mean(task.y_test == most))
    assert record.epochs.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert record.epochs["val_accuracy"][0] == pytest.approx(np.mean(task.y_validation == most))


def test_they_are_the_same_whenever_they_are_measured() -> None:
    given = {"seeds": 2, "splits": "resampled", "root_seed": 5, "metric": "accuracy"}
    one, two = (measured(classes(150, 1.0), **given) for _ in range(2))  # type: ignore[arg-type]
    assert [r.digest for r in one] == [r.digest for r in two]


THREADS = """\
import sys
from pathlib import Path
from threadpoolctl import threadpool_info
from warmstart.data.view import View
from warmstart.stages import yardsticks
threads, score = set(), yardsticks._scores
def scores(*given):
    threads.update((pool["user_api"], pool["num_threads"]) for pool in threadpool_info())
    return score(*given)
yardsticks._scores = scores
yardsticks.measured(
    View.read(Path(sys.argv[1]), "full"), seeds=1, splits="fixed", root_seed=5, metric="accuracy"
)
print(sorted(threads))
"""


def test_they_are_measured_in_one_thread(tmp_path: Path) -> None:
    """In a process that has nothing of scikit-learn yet, as that of the stage."""
    classes(150, 1.0).write(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", THREADS, tmp_path],
        env=os.environ | {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[('blas', 1), ('openmp', 1)]\n", done.stderr


def test_where_classes_are_imbalanced_they_are_weighted() -> None:
    """A signal in 5 % of the samples, which nobody finds who counts all samples alike."""
    whole = classes(15, 1.5)
    given = {"seeds": 1, "splits": "fixed", "root_seed": 5}
    plain = measured(whole, metric="accuracy", **given)  # type: ignore[arg-type]
    balanced = measured(whole, metric="balanced_accuracy", **given)  # type: ignore[arg-type]
    assert scores_of(balanced, "majority", "balanced_accuracy") == [0.5]
    (one,), (other,) = (scores_of(r, "linear", "balanced_accuracy") for r in (plain, balanced))
    assert other > one + 0.1
    settings = {r.arm: r.settings.get("class_weight") for r in balanced}
    assert settings == {"majority": None, "linear": "balanced", "gradient_boosting": "balanced"}
    assert not any("class_weight" in r.settings for r in plain)


def test_numbers_are_predicted_in_their_own_unit() -> None:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(200, 3)).astype(np.float32)
    y = 100 + 20 * (x[:, 0] + 0.1 * draw.normal(size=200))
    whole = view(y, x, ())
    found = measured(whole, seeds=2, splits="fixed", root_seed=5, metric="rmse")
    assert [r.arm for r in found if r.seed == 1] == ["mean", "linear", "gradient_boosting"]
    task = whole.task
    deviation = task.target[1]
    away = np.sqrt(np.mean((y[160:] - y[:120].mean()) ** 2))
    assert scores_of(found, "mean", "rmse") == pytest.approx([away] * 2, rel=1e-6)
    assert scores_of(found, "linear", "rmse")[0] == pytest.approx(2, rel=0.2)  # the noise
    (first, *_) = found
    assert first.epochs.keys() == {"loss", "mae", "val_loss", "val_mae"}
    standardized = first.epochs["val_loss"][0] ** 0.5
    assert first.validation["val_rmse"] == pytest.approx(deviation * standardized)


def test_the_stage_writes_the_seeds_of_the_first_round(tmp_path: Path) -> None:
    whole = classes(150, 1.0)
    whole.write(tmp_path / "data")
    yardsticks(PARAMS, tmp_path / "data", tmp_path / "out")
    found = read_records(tmp_path / "out/records.parquet")
    assert len(found) == 3 * PARAMS.compare.seeds
    assert {r.metric for r in found} == {"accuracy"}
    expected = measured(
        whole,
        seeds=PARAMS.compare.seeds,
        splits=PARAMS.data.splits,
        root_seed=PARAMS.seed,
        metric="accuracy",
    )
    assert [r.digest for r in found] == [r.digest for r in expected]
