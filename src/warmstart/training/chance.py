"""What a metric is worth that a network gets which has learned nothing, and how far luck takes it.

| metric | a network that has learned nothing |
| --- | --- |
| accuracy | always names the most frequent class |
| balanced accuracy, macro F1 | guesses: 1 / classes, which no share of guesses exceeds on average |
| ROC AUC | puts samples in any order: ½ |
| log loss | gives every sample the shares of the classes: their entropy |
| RMSE, R² | gives every sample the mean |
| MAE | gives every sample the median |
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.metrics import METRICS


class Chance(NamedTuple):
    """Of one metric on some samples."""

    gain: float
    """Of a network that has learned nothing (`Metric.gain`)."""
    error: float
    """Its standard error over the draw of the samples."""

    def holds(self, gain: float) -> bool:
        """Whether `gain` lies less than two standard errors above chance."""
        return gain <= self.gain + 2 * self.error


def chance(metric: str, y: NDArray) -> Chance:
    """That of `metric` on samples with the targets `y (n,)`: labels, of which each class has one or
    more, or numbers in the target's own unit."""
    if "regression" in METRICS[metric].kinds:
        return _of_numbers(metric, y.astype(np.float64))
    counts = np.unique(y, return_counts=True)[1]
    n, classes, shares = len(y), len(counts), counts / len(y)
    if metric == "accuracy":
        return of_accuracy(counts.max() / counts.sum(), n)
    if metric == "log_loss":
        losses = -np.log(shares)
        entropy = float(shares @ losses)
        spread = max(0.0, float(shares @ losses**2) - entropy**2)
        return Chance(-entropy, math.sqrt(spread / n))
    if metric == "roc_auc":
        # Mann and Whitney 1947, of each class against the rest; of two classes both are the same
        errors = np.sqrt((n + 1) / (12 * counts * (n - counts)))
        return Chance(0.5, float(errors.mean()))
    each = 1 / classes
    return Chance(each, math.sqrt(each * (1 - each) * float((1 / counts).sum())) / classes)


def of_accuracy(share: float, samples: int) -> Chance:
    """That of naming a class to which this share of so many samples belongs."""
    return Chance(share, math.sqrt(share * (1 - share) / samples))


def _of_numbers(metric: str, y: NDArray[np.float64]) -> Chance:
    n = len(y)
    if metric == "mae":
        away = np.abs(y - np.median(y))
        return Chance(-float(away.mean()), float(away.std()) / math.sqrt(n))
    squared = (y - y.mean()) ** 2
    mean, error = float(squared.mean()), float(squared.std()) / math.sqrt(n)
    if mean == 0:
        return Chance(0.0, 0.0)
    # small errors of x go over into √x and x / mean by their derivatives
    return (
        Chance(0.0, error / mean) if metric == "r2" else Chance(-(mean**0.5), error / 2 / mean**0.5)
    )


def resolution(metric: str, samples: int) -> float:
    """The step of a `metric` on so many samples, as in `Contrasts`: of a share a sample's, of
    numbers next to none."""
    return 1 / samples if METRICS[metric].form == "share" else 1e-12
