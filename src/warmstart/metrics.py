"""What a prediction is judged by: the metrics of classes and of numbers, as scikit-learn defines
them, and which of them decides where nobody said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["binary", "multiclass", "regression"]
"""What is predicted: one of two classes, one of more, a number."""


@dataclass(frozen=True)
class Metric:
    """One number that says how good predictions are."""

    name: str
    """As `compare.metric` of params.yaml; a record has it as `val_NAME` and `test_NAME`."""
    title: str
    """As sentences have it."""
    kinds: tuple[Kind, ...]
    higher_is_better: bool = True
    form: Literal["share", "number", "target"] = "share"
    """Shown in percent, as a plain number, or in the unit of the target."""

    def gain(self, value: float) -> float:
        """`value`, or minus `value` where lower is better: higher gains are better."""
        return value if self.higher_is_better else -value


_CLASSES: tuple[Kind, ...] = ("binary", "multiclass")
_NUMBERS: tuple[Kind, ...] = ("regression",)
METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", _CLASSES),
        Metric("balanced_accuracy", "balanced accuracy", _CLASSES),
        Metric("macro_f1", "macro F1", _CLASSES),
        Metric("roc_auc", "ROC AUC", _CLASSES),
        Metric("log_loss", "log loss", _CLASSES, higher_is_better=False, form="number"),
        Metric("rmse", "RMSE", _NUMBERS, higher_is_better=False, form="target"),
        Metric("mae", "MAE", _NUMBERS, higher_is_better=False, form="target"),
        Metric("r2", "R²", _NUMBERS, form="number"),
    )
}
IMBALANCED = 3.0
"""From so many samples of the most frequent class for each of the rarest on, classes are
imbalanced: always naming the most frequent of two is then right three times of four."""


def kind_of(classes: int) -> Kind:
    """What is predicted where there are so many classes; 0: numbers."""
    return {0: "regression", 2: "binary"}.get(classes, "multiclass")  # type: ignore[return-value]


def automatic(counts: Sequence[int]) -> str:
    """The metric that decides where nobody said: RMSE for numbers, accuracy for classes, balanced
    accuracy for imbalanced ones.

    Args:
        counts: samples of each class; empty for numbers.
    """
    if not counts:
        return "rmse"
    return "balanced_accuracy" if max(counts) >= IMBALANCED * min(counts) else "accuracy"


def classification_scores(y: NDArray[np.int32], logits: NDArray[np.float32]) -> dict[str, float]:
    """Every metric of classes by its name. ROC AUC of more than two classes is the mean over each
    class against the rest; it is NaN where a class is missing in `y`, as is macro F1's and balanced
    accuracy's share of a class that is missing left out.

    Args:
        y: `(n,)` in `range(classes)`.
        logits: `(n, classes)`.
    """
    # by hand: each process that tests would wait 1.5 s for scikit-learn, and each trial 25 ms
    from scipy.special import log_softmax, softmax

    classes = logits.shape[1]
    guess, logs = logits.argmax(axis=1), log_softmax(logits.astype(np.float64), axis=1)
    seen = np.bincount(y * classes + guess, minlength=classes**2).reshape(classes, classes)
    hits, own, named = np.diag(seen), seen.sum(axis=1), seen.sum(axis=0)
    known, there = np.isfinite(logits).all(), own > 0
    auc = np.nan
    if there.all() and known:
        # of two classes both have the same
        columns = range(1 if classes == 2 else 0, classes)
        chances = softmax(logits.astype(np.float64), axis=1)
        auc = float(np.mean([_area(chances[:, c], y == c) for c in columns]))
    return {
        "accuracy": float(np.mean(guess == y)),
        "balanced_accuracy": float(np.mean(hits[there] / own[there])),
        "macro_f1": float(np.mean(2 * hits / np.maximum(own + named, 1))),
        "roc_auc": auc,
        "log_loss": float(-np.mean(logs[np.arange(len(y)), y])) if known else np.inf,
    }


def _area(score: NDArray[np.float64], own: NDArray[np.bool_]) -> float:
    """Under the ROC curve of `score (n,)`: the chance that one of `own (n,)` has a higher score
    than one that is not, ties by halves (Mann and Whitney 1947)."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n = int(own.sum())
    return float((ranks[own].sum() - n * (n + 1) / 2) / (n * (len(own) - n)))


def regression_scores(y: NDArray[np.floating], guess: NDArray[np.floating]) -> dict[str, float]:
    """Every metric of numbers by its name, of `y (n,)` and predictions `guess (n,)`, both in the
    unit of the target. R² is NaN where `y` is constant."""
    y, guess = y.astype(np.float64), guess.astype(np.float64)
    squared = float(np.mean((guess - y) ** 2))
    spread = float(np.var(y))
    return {
        "rmse": squared**0.5,
        "mae": float(np.mean(np.abs(guess - y))),
        "r2": 1 - squared / spread if spread > 0 else np.nan,
    }
