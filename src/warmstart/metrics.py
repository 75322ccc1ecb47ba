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
    # scikit-learn takes a second to import
    from scipy.special import softmax
    from sklearn import metrics

    classes = np.arange(logits.shape[1])
    guess, chances = logits.argmax(axis=1), softmax(logits.astype(np.float64), axis=1)
    there = np.unique(y)
    recalls = metrics.recall_score(y, guess, labels=there, average=None, zero_division=0)
    auc = np.nan
    if len(there) == len(classes) and np.isfinite(chances).all():
        own = chances[:, 1] if len(classes) == 2 else chances
        auc = metrics.roc_auc_score(y, own, multi_class="ovr", labels=classes)
    return {
        "accuracy": float(np.mean(guess == y)),
        "balanced_accuracy": float(np.mean(recalls)),
        "macro_f1": float(
            metrics.f1_score(y, guess, labels=classes, average="macro", zero_division=0)
        ),
        "roc_auc": float(auc),
        "log_loss": float(metrics.log_loss(y, chances, labels=classes))
        if np.isfinite(chances).all()
        else np.inf,
    }


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
