"""The metric that decides: resolved once, in every record, chosen by, and tested with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from in_process import workers
from prepared import view_of

from small_task import make_numbers, make_task
from warmstart.config.checking import check
from warmstart.config.params import Compare, Executor
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.files import read_sealed
from warmstart.metrics import METRICS
from warmstart.records import read_records
from warmstart.runtime import pool
from warmstart.stages.compare import make_study
from warmstart.stages.run import run
from warmstart.stages.study import Study
from warmstart.training.selection import last_epoch, value

BASIC: dict[str, Any] = {
    "seeds": 3,
    "learning_rates": [0.01, 0.1, 0.3],
    "epochs": 2,
    "batch_size": 16,
    "base": {"hidden": [5]},
    "studies": {"one": {"arms": {"relu": {}, "tanh": {"activation": "tanh"}}}},
}


def made(folder: Path, task: Task, **changed: Any) -> Study:
    options, problems = check(BASIC | changed, Compare)
    assert options, problems
    task.write(folder / "full.npz")
    return make_study(
        options,
        "one",
        data_name="d",
        file=folder / "full.npz",
        whole=view_of(task),
        splits="fixed",
        root_seed=42,
        folder=folder / "scratch",
    )


def imbalanced() -> Task:
    """70 samples of three classes and 40 + 40 more, of class 0 nearly all."""
    task = make_task(samples=300)
    arrays = {}
    for part in ("train", "validation", "test"):
        x, y = (getattr(task, f"{k}_{part}") for k in "xy")
        kept = np.flatnonzero((y == 0) | (np.arange(len(y)) % 4 == 0))
        arrays |= {f"x_{part}": x[kept], f"y_{part}": y[kept]}
    return Task.of(name="full", class_names=task.class_names, **arrays)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def start(_: Executor, folder: Path) -> Iterator[Any]:
        folder.mkdir(parents=True, exist_ok=True)
        yield workers(folder)

    monkeypatch.setattr(pool, "start", start)


def test_auto_is_accuracy_or_for_imbalanced_classes_balanced_accuracy(tmp_path: Path) -> None:
    assert made(tmp_path, make_task()).metric == "accuracy"
    assert made(tmp_path, imbalanced()).metric == "balanced_accuracy"
    assert made(tmp_path, imbalanced(), metric="log_loss").metric == "log_loss"
    assert made(tmp_path, make_numbers()).metric == "rmse"
    with pytest.raises(InputError, match=r"compare.metric: expected auto or one of rmse, mae, r2"):
        made(tmp_path, make_numbers(), metric="accuracy")


def test_the_margin_is_in_the_targets_own_deviation(tmp_path: Path) -> None:
    of_numbers = {m: made(tmp_path, make_numbers(), metric=m).margin for m in ("rmse", "mae", "r2")}
    assert of_numbers == {"rmse": 0.4, "mae": 0.4, "r2": 0.01}  # of a deviation of 40
    assert made(tmp_path, make_task(), metric="roc_auc", equivalence=0.02).margin == 0.02
    assert made(tmp_path, make_task(), metric="log_loss").margin == 0.01


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("metric", ["rmse", "balanced_accuracy", "roc_auc", "log_loss"])
def test_every_record_has_it_and_rates_are_chosen_by_it(tmp_path: Path, metric: str) -> None:
    task = make_numbers() if metric == "rmse" else imbalanced()
    study = made(tmp_path, task, metric=metric)
    records = run(
        {tmp_path / "out": study}, Executor(), tmp_path / "one.keras", folder=tmp_path / "scratch"
    )
    assert {record.metric for record in records} == {metric}
    for arm, seed in {(record.arm, record.seed) for record in records}:
        own = [r for r in records if (r.arm, r.seed) == (arm, seed)]
        (best,) = [r for r in own if r.chosen]
        left = [r for r in own if r.outcome != "dropped"]
        gain = METRICS[metric].gain
        assert gain(value(best)) == max(gain(value(r)) for r in left) == last_epoch(best)[0]
        kinds = METRICS[metric].kinds
        tested = {f"test_{m.name}" for m in METRICS.values() if m.kinds == kinds}
        assert best.test.keys() == {"test_loss"} | tested
        if metric == "log_loss":
            assert best.test["test_log_loss"] == pytest.approx(best.test["test_loss"], rel=1e-5)
            assert value(best) == best.epochs["val_loss"][-1]
    assert {r.outcome for r in records} >= {"completed", "dropped"}
    kept = read_sealed(tmp_path / "out/kept.json")
    assert kept["validation_samples"] == len(task.y_validation)
    if metric == "rmse":  # of which the kept trial's metric is made
        errors = np.frombuffer(bytes.fromhex(kept["validation_errors"]), "<f4")
        (own,) = [r for r in records if r.digest == kept["record"]]
        assert np.sqrt(np.mean(errors.astype(float) ** 2)) == pytest.approx(value(own), rel=1e-4)
    assert (kept["validation_hits"] == "") == (metric == "rmse")
    again = read_records(tmp_path / "out" / "records.parquet")
    assert repr(again) == repr(records)  # there may be NaNs
    assert [r.digest for r in again] == [r.digest for r in records]
    columns = pq.read_table(tmp_path / "out" / "records.parquet").column_names
    assert ("val_mae" in columns) == (metric == "rmse") == ("accuracy" not in columns)


def test_each_metric_is_another_key_but_accuracy_is_that_of_before(tmp_path: Path) -> None:
    keys = []
    for metric in ("accuracy", "roc_auc", "log_loss"):
        study = made(tmp_path, make_task(), metric=metric)
        keys.append(study.key(study.grid(["relu"], [0])[0]))
    assert len(set(keys)) == 3
    study = made(tmp_path, make_task())
    trial = study.grid(["relu"], [0])[0]
    assert keys[0] == study.arms["relu"].cohort.key(trial)


@pytest.mark.usefixtures("here")
def test_on_validation_it_is_that_of_the_trained_network(tmp_path: Path) -> None:
    """Reference: scikit-learn on what the kept model puts out."""
    import keras
    from scipy.special import softmax
    from sklearn.metrics import roc_auc_score

    task = imbalanced()
    study = made(tmp_path, task, metric="roc_auc")
    records = run(
        {tmp_path / "out": study}, Executor(), tmp_path / "one.keras", folder=tmp_path / "scratch"
    )
    model = keras.models.load_model(tmp_path / "one.keras")
    chances = softmax(model.predict(task.x_validation, verbose=0).astype(float), axis=1)
    area = roc_auc_score(task.y_validation, chances, multi_class="ovr")
    assert pytest.approx(area, abs=1e-6) in [value(r) for r in records if r.chosen]
