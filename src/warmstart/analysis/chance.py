"""What the best constant answer reaches in each metric: always the most frequent class, the shares
of the classes, or the mean. What is no better has learned nothing that shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from warmstart.metrics import METRICS


@dataclass(frozen=True, kw_only=True)
class TestPart:
    """What a constant answer depends on."""

    __test__ = False  # pytest takes it for one of its own

    n: int
    """Samples."""
    counts: tuple[int, ...] = ()
    """Of each class; empty where numbers are predicted."""
    deviation: float = 1.0
    """Of the target where numbers are predicted, in its own unit."""


CONSTANT = {
    "accuracy": "always naming the most frequent class",
    "balanced_accuracy": "always naming the most frequent class",
    "macro_f1": "always naming the most frequent class",
    "roc_auc": "giving all samples the same chances",
    "log_loss": "always giving the shares of the classes",
    "rmse": "always predicting the mean",
    "mae": "always predicting the mean",
    "r2": "always predicting the mean",
}
"""Metric -> the best constant answer."""


def chance(metric: str, part: TestPart) -> float:
    """The metric of the best constant answer on `part`.

    Of MAE it is the deviation, which the mean never exceeds: the mean absolute error itself would
    take the target's own values.
    """
    share = max(part.counts, default=0) / part.n
    shares = np.array([count for count in part.counts if count]) / part.n
    return {
        "accuracy": share,
        "balanced_accuracy": 1 / max(len(part.counts), 1),
        "macro_f1": 2 * share / (1 + share) / max(len(part.counts), 1),
        "roc_auc": 0.5,
        "log_loss": float(-(shares * np.log(shares)).sum()),
        "rmse": part.deviation,
        "mae": part.deviation,
        "r2": 0.0,
    }[metric]


def luck(metric: str, part: TestPart) -> float:
    """How far a metric may come by chance alone: two standard errors of the constant answer beyond
    `chance`, where its test is a count of samples; of the other metrics `chance` itself."""
    level = chance(metric, part)
    return level + METRICS[metric].gain(2 * _error(metric, level, part.counts, part.n))


def _error(metric: str, level: float, counts: Sequence[int], n: int) -> float:
    if metric == "accuracy":
        return math.sqrt(level * (1 - level) / n)
    there = [count for count in counts if count]
    if metric == "balanced_accuracy":
        # the recall of each class is a share of its own samples
        return math.sqrt(sum(level * (1 - level) / count for count in there)) / max(len(there), 1)
    if metric == "roc_auc" and len(there) > 1:
        # Mann and Whitney (1947), of the rarest class against the rest, the widest of them
        rare = min(there)
        return math.sqrt((n + 1) / (12 * rare * (n - rare)))
    return 0.0
