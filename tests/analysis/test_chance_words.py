"""What learning nothing is worth, against scikit-learn's own scores of constant answers."""

import numpy as np
import pytest
from sklearn import metrics

from warmstart.analysis.chance import TestPart, chance, level, luck

COUNTS = (90, 30, 30)
Y = np.repeat([0, 1, 2], COUNTS)
PART = TestPart(n=150, counts=COUNTS)


def test_of_classes_it_is_what_a_constant_answer_scores() -> None:
    constant = np.zeros(150, int)
    shares = np.tile(np.array(COUNTS) / 150, (150, 1))
    for name, expected in {
        "accuracy": metrics.accuracy_score(Y, constant),
        "balanced_accuracy": metrics.balanced_accuracy_score(Y, constant),
        "roc_auc": metrics.roc_auc_score(Y, shares, multi_class="ovr"),
        "log_loss": metrics.log_loss(Y, shares),
    }.items():
        assert level(name, chance(name, PART)) == pytest.approx(expected), name


def test_of_numbers_it_is_what_the_mean_scores() -> None:
    part = TestPart(n=200, deviation=7.0)
    assert level("rmse", chance("rmse", part)) == 7
    assert level("r2", chance("r2", part)) == 0
    # RMSE of normal values varies by σ / √(2n)
    draws = np.random.default_rng(0).normal(0, 7, (4000, 200))
    spread = np.sqrt((draws**2).mean(axis=1)).std()
    assert 7 - luck("rmse", chance("rmse", part)) == pytest.approx(2 * spread, rel=0.05)


def test_luck_lies_two_standard_errors_on_the_good_side() -> None:
    """Recalls of guesses, class by class, and the loss of constant shares, which has no luck."""
    draws = np.random.default_rng(0).integers(0, 3, (2000, 150))
    scores = np.mean([(draws[:, c == Y] == c).mean(axis=1) for c in range(3)], axis=0)
    above = luck("balanced_accuracy", chance("balanced_accuracy", PART)) - 1 / 3
    assert above == pytest.approx(2 * scores.std(), rel=0.05)
    known = chance("log_loss", PART)
    assert luck("log_loss", known) == level("log_loss", known)
