"""What a network is worth that has learned nothing, against networks that have learned nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from warmstart.metrics import METRICS, classification_scores, regression_scores
from warmstart.training.chance import chance

SHARES = {"two": (0.85, 0.15), "three": (0.6, 0.25, 0.15)}


def named(guess: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes, dtype="float32")[guess]


NOTHING: dict[str, Callable[[np.random.Generator, int, np.ndarray], np.ndarray]] = {
    "accuracy": lambda draw, n, p: named(np.zeros(n, int), len(p)),
    "balanced_accuracy": lambda draw, n, p: named(draw.integers(0, len(p), n), len(p)),
    "macro_f1": lambda draw, n, p: named(draw.choice(len(p), n, p=p), len(p)),
    "roc_auc": lambda draw, n, p: draw.normal(size=(n, len(p))).astype("float32"),
    "log_loss": lambda draw, n, p: np.tile(np.log(p), (n, 1)).astype("float32"),
}
"""Logits of a network that has learned nothing, by the metric to which that matters."""


@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("metric", NOTHING)
def test_a_classifier_that_has_learned_nothing_is_at_chance(metric: str, shares: str) -> None:
    """Its mean over 200 draws is chance, its spread the error; 2 errors above are 2 of 100."""
    draw, p, n = np.random.default_rng(3), np.array(SHARES[shares]), 300
    gains, errors, means, held = [], [], [], []
    for _ in range(200):
        y = draw.choice(len(p), n, p=p).astype("int32")
        score = classification_scores(y, NOTHING[metric](draw, n, p))[metric]
        gain, known = METRICS[metric].gain(score), chance(metric, y)
        gains.append(gain)
        means.append(known.gain)
        errors.append(known.error)
        held.append(known.holds(gain))
    # macro F1 is no mean over samples: near enough
    assert np.mean(gains) == pytest.approx(np.mean(means), abs=0.01)
    assert np.mean(held) > 0.93
    if metric in ("balanced_accuracy", "roc_auc"):
        # of three classes the three areas of a ROC curve hang together
        assert np.std(gains) == pytest.approx(np.mean(errors), rel=0.35)


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_a_constant_is_at_chance_and_what_explains_a_fifth_is_not(metric: str) -> None:
    draw = np.random.default_rng(3)
    y = 300 + 40 * draw.gamma(2.0, size=400)
    known = chance(metric, y)
    constant = {"rmse": y.mean(), "mae": np.median(y), "r2": y.mean()}[metric]
    gain = METRICS[metric].gain

    def scored(guess: Any) -> float:
        return gain(regression_scores(y, guess)[metric])

    assert scored(np.full(400, constant)) == pytest.approx(known.gain, abs=1e-9)
    assert known.holds(scored(np.full(400, constant)))
    assert known.holds(scored(np.full(400, y.mean() + 80.0)))
    assert not known.holds(scored(y.mean() + 0.5 * (y - y.mean())))


def test_the_error_of_an_rmse_is_that_of_other_draws() -> None:
    draw = np.random.default_rng(3)
    samples = [draw.normal(300, 40, 200) for _ in range(500)]
    spread = np.std([y.std() for y in samples])
    assert np.mean([chance("rmse", y).error for y in samples]) == pytest.approx(spread, rel=0.1)
    shares = [chance("r2", y).error / (chance("rmse", y).error / y.std()) for y in samples]
    assert np.allclose(shares, 2)


def test_accuracy_by_hand() -> None:
    """Of 100 samples at 0.8 two standard errors are 0.08."""
    known = chance("accuracy", np.repeat([0, 1], [80, 20]))
    assert known == (0.8, pytest.approx(0.04))
    assert known.holds(0.88)
    assert not known.holds(0.881)
    assert chance("r2", np.full(5, 3.0)) == (0, 0)
