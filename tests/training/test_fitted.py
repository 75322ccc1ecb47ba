"""A head that is fitted on what a network gives: on the labels of its seed, tested, saved."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from small_task import export, make_task
from warmstart.config.arm import Arm
from warmstart.data.draw import draw
from warmstart.networks import building, saving
from warmstart.runtime.store import Store
from warmstart.seeds import generator
from warmstart.training import heads, worker
from warmstart.training.trials import Cohort, Phase, Pretrained, Split, Trial

TASK, NETWORK, LABELS = make_task(), Arm(hidden=(8, 5), batch_norm="after").resolve(6), 24
COPIED = tuple(f"{kind}_{n}" for n in (1, 2) for kind in ("hidden", "activation", "batch_norm"))


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Three seeds, two models A."""
    folder = tmp_path_factory.mktemp("fitted")
    TASK.write(folder / "task.npz")
    for number in range(2):
        model = building.compile_for_use(building.build(NETWORK, 6, 5, seed=number))
        saving.save(model, folder / f"{number}.keras")
    return Cohort(
        structure=NETWORK.structure(),
        phases=(Phase(epochs=1),),
        splits=(Split(folder / "task.npz", TASK.digest),),
        batch_size=16,
        root_seed=1,
        sources=tuple(Pretrained.of(folder / f"{number}.keras") for number in range(2)),
        copied=COPIED,
        not_copied=("logits",),
        fitted="linear",
        metric="macro_f1",
        trials=tuple(
            Trial(arm="arm", network=NETWORK, seed=seed, learning_rate=0.0, labels=LABELS)
            for seed in range(3)
        ),
    )


def features(cohort: Cohort, trial: Trial) -> dict[str, np.ndarray]:
    """What the trial's own model A gives below its head, layer by layer."""
    source = cohort.source(trial)
    assert source
    found = {}
    for part in ("train", "validation", "test"):
        x = getattr(TASK, f"x_{part}")
        for layer in keras.models.load_model(source.file).layers[:-1]:
            x = layer(x)
        found[part] = np.array(x)
    return found


@pytest.mark.parametrize("fitted", ["linear", "knn"])
def test_it_is_fitted_on_the_labels_of_its_seed(
    linear: Cohort, fitted: str, tmp_path: Path
) -> None:
    cohort = replace(linear, fitted=fitted)  # type: ignore[arg-type]
    results = worker.train(cohort, Store(tmp_path), lambda epochs: None)
    scores = worker.evaluate(cohort, Store(tmp_path), lambda epochs: None)
    fit = heads.linear if fitted == "linear" else heads.nearest
    for trial, result, score in zip(cohort.trials, results, scores, strict=True):
        x, y = features(cohort, trial), TASK.y_train
        rows = draw(y, LABELS, generator(1, "labels", trial.seed))
        known = x["train"][rows], y[rows], x["validation"], TASK.y_validation
        head = fit(*known, metric="macro_f1")
        assert result.validation.items() >= head.chosen.items()
        assert result.samples == LABELS
        hits = head.logits(x["validation"]).argmax(axis=1) == TASK.y_validation
        assert result.epochs["val_accuracy"] == pytest.approx((hits.mean(),))
        assert 0 < result.validation["val_macro_f1"] <= 1
        hits = head.logits(x["test"]).argmax(axis=1) == TASK.y_test
        assert score["test_accuracy"] == pytest.approx(hits.mean())
    assert len({str(result.epochs) for result in results}) == 3


def test_the_linear_one_is_saved_as_a_network(linear: Cohort, tmp_path: Path) -> None:
    worker.train(linear, Store(tmp_path), lambda epochs: None)
    scores = worker.evaluate(linear, Store(tmp_path), lambda epochs: None)
    for trial, score in zip(linear.trials, scores, strict=True):
        export(linear, trial, tmp_path, tmp_path / "b.keras")
        saved = keras.models.load_model(tmp_path / "b.keras")
        loss, accuracy = saved.evaluate(TASK.x_test, TASK.y_test, verbose=0)
        assert (loss, accuracy) == pytest.approx(
            (score["test_loss"], score["test_accuracy"]), rel=1e-5
        )
        assert float(saved.optimizer.learning_rate) > 0


def test_nothing_is_fitted_twice(linear: Cohort, tmp_path: Path) -> None:
    passed: list[int] = []
    first = worker.train(linear, Store(tmp_path), passed.append)
    assert worker.train(linear, Store(tmp_path), lambda epochs: None) == first
    assert sum(passed) == 3
