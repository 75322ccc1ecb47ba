"""Metrics against values by hand and by their definitions."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics

from warmstart.data.task import Task
from warmstart.metrics import METRICS, automatic, classification_scores, regression_scores


def test_two_classes_by_hand() -> None:
    y = np.array([0, 0, 0, 1], np.int32)
    logits = np.array([[2, 0], [2, 0], [0, 1], [0, 3]], np.float32)
    scores = classification_scores(y, logits)
    assert scores["accuracy"] == 3 / 4
    assert scores["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert scores["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert scores["roc_auc"] == 1  # the one of class 1 is the most certain
    chances = 1 / (1 + np.exp([-2, -2, 1, -3]))  # of the right class
    assert scores["log_loss"] == pytest.approx(-np.log(chances).mean(), rel=1e-6)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("decimals", [0, 3])
def test_they_are_scikit_learns(classes: int, decimals: int) -> None:
    """With ties, classes of all sizes, and one that is never named."""
    random = np.random.default_rng(classes)
    y = np.minimum(random.geometric(0.4, 150) - 1, classes - 1).astype(np.int32)
    logits = (2 * random.normal(size=(150, classes))).round(decimals).astype(np.float32)
    logits[:, -1] -= 20
    chances, guess = softmax(logits.astype(float), axis=1), logits.argmax(axis=1)
    own = chances[:, 1] if classes == 2 else chances
    assert classification_scores(y, logits) == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(y, guess),
            "balanced_accuracy": metrics.balanced_accuracy_score(y, guess),
            "macro_f1": metrics.f1_score(y, guess, average="macro", zero_division=0),
            "roc_auc": metrics.roc_auc_score(y, own, multi_class="ovr"),
            "log_loss": metrics.log_loss(y, chances),
        },
        rel=1e-9,
    )


def test_areas_are_means_over_each_class_against_the_rest() -> None:
    random = np.random.default_rng(3)
    y, logits = random.integers(0, 3, 90).astype(np.int32), random.normal(size=(90, 3))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    def area(label: int) -> float:
        ours, theirs = chances[y == label, label], chances[y != label, label]
        return float((ours[:, None] > theirs).mean())

    found = classification_scores(y, logits.astype(np.float32))["roc_auc"]
    assert found == pytest.approx(np.mean([area(label) for label in range(3)]), abs=1e-6)


def test_outputs_that_are_no_numbers_and_classes_that_are_missing() -> None:
    y = np.array([0, 1, 1], np.int32)
    scores = classification_scores(y, np.full((3, 2), np.nan, np.float32))
    assert scores["log_loss"] == np.inf
    assert np.isnan(scores["roc_auc"])
    scores = classification_scores(y, np.eye(3, dtype=np.float32)[y])
    assert scores["accuracy"] == scores["balanced_accuracy"] == 1
    assert np.isnan(scores["roc_auc"])


def test_numbers_by_hand() -> None:
    scores = regression_scores(np.array([0.0, 2.0]), np.array([1.0, 4.0], np.float32))
    assert scores == {"rmse": pytest.approx(2.5**0.5), "mae": 1.5, "r2": 1 - 2.5}
    assert np.isnan(regression_scores(np.ones(2), np.ones(2))["r2"])


def test_every_metric_is_named_where_it_is_measured() -> None:
    classes = classification_scores(np.array([0, 1], np.int32), np.eye(2, dtype=np.float32))
    numbers = regression_scores(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert {*classes, *numbers} == set(METRICS)
    assert {name for name, metric in METRICS.items() if "regression" in metric.kinds} == {*numbers}
    assert METRICS["rmse"].gain(2.0) == -2.0
    assert METRICS["r2"].gain(0.5) == 0.5


@pytest.mark.parametrize(
    ("counts", "metric"),
    [((75, 25), "balanced_accuracy"), ((74, 26), "accuracy"), ((178, 177, 183), "accuracy")],
)
def test_imbalance_is_judged_by_balanced_accuracy(counts: tuple[int, ...], metric: str) -> None:
    assert automatic(counts) == metric
    assert automatic(()) == "rmse"


def test_a_regression_is_written_with_the_scale_of_its_target(tmp_path) -> None:
    x, y = np.ones((2, 3), np.float32), np.array([-1, 1], np.float32)
    arrays = {f"{kind}_{part}": {"x": x, "y": y}[kind]
              for part in ("train", "validation", "test") for kind in "xy"}  # fmt: skip
    task = Task.of(name="full", class_names=(), target=(5.0, 2.0), **arrays)
    task.write(tmp_path / "full.npz")
    read = Task.read(tmp_path / "full.npz")
    assert read.target == (5.0, 2.0)
    assert read.digest == task.digest
    assert (read.kind, read.outputs) == ("regression", 1)
    assert read.raw_target(read.y_train).tolist() == [3.0, 7.0]
    assert Task.of(name="full", class_names=(), target=(0.0, 2.0), **arrays).digest != task.digest
