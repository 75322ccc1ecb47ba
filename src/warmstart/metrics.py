"""What a prediction is judged by: the metrics of classes and of numbers, as scikit-learn defines
them, and which of them decides where nobody said.

A metric is one entry of METRICS. Params, records, report and MLflow take its name, its unit and its
direction from there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["binary", "multiclass", "regression"]
"""What is predicted: one of two classes, one of more, a number."""


@dataclass(frozen=True)
class Classified:
    """Predictions of classes, with what several metrics need of them."""

    y: NDArray[np.int32]
    """`(n,)` in `range(classes)`."""
    logits: NDArray[np.float32]
    """`(n, classes)`."""

    # by hand: each process that tests would wait 1.5 s for scikit-learn, and each trial 25 ms
    @cached_property
    def seen(self) -> NDArray[np.int64]:
        """`(classes, classes)`: how often a sample of class i was named j."""
        classes = self.logits.shape[1]
        pairs = np.bincount(self.y * classes + self.logits.argmax(axis=1), minlength=classes**2)
        return pairs.reshape(classes, classes)

    @cached_property
    def recalls(self) -> NDArray[np.float64]:
        """The share that is found of each class, of those that are in `y`."""
        hits, own = np.diag(self.seen), self.seen.sum(axis=1)
        return hits[own > 0] / own[own > 0]

    @property
    def known(self) -> bool:
        """Whether all logits are numbers."""
        return bool(np.isfinite(self.logits).all())

    def chances(self) -> NDArray[np.float64]:
        """`(n, classes)`: the probability of each class."""
        from scipy.special import softmax

        return softmax(self.logits.astype(np.float64), axis=1)


@dataclass(frozen=True)
class Estimated:
    """Predictions of numbers, in the unit of the target."""

    y: NDArray[np.float64]
    guess: NDArray[np.float64]
    """Both `(n,)`."""


@dataclass(frozen=True)
class Metric:
    """One number that says how good predictions are."""

    name: str
    """As `compare.metric` of params.yaml; a record has it as `val_NAME` and `test_NAME`."""
    title: str
    """As sentences have it."""
    kinds: tuple[Kind, ...]
    score: Callable[[Any], float]
    """Of `Classified` or `Estimated`."""
    nothing_learned: str
    """The answer that needs no learning, whose value stands beside every other: a clause such as
    `always predicting the mean`. What it is worth is in `training.chance`."""
    higher_is_better: bool = True
    form: Literal["share", "number", "target"] = "share"
    """Shown in percent, as a plain number, or in the unit of the target."""

    def gain(self, value: float) -> float:
        """`value`, or minus `value` where lower is better: higher gains are better."""
        return value if self.higher_is_better else -value


def _macro_f1(of: Classified) -> float:
    hits, own, named = np.diag(of.seen), of.seen.sum(axis=1), of.seen.sum(axis=0)
    return float(np.mean(2 * hits / np.maximum(own + named, 1)))


def _roc_auc(of: Classified) -> float:
    """Of more than two classes the mean over each against the rest; NaN where one is missing."""
    classes = of.logits.shape[1]
    if len(of.recalls) < classes or not of.known:
        return np.nan
    # of two classes both have the same
    columns, chances = range(1 if classes == 2 else 0, classes), of.chances()
    return float(np.mean([_area(chances[:, c], of.y == c) for c in columns]))


def _area(score: NDArray[np.float64], own: NDArray[np.bool_]) -> float:
    """Under the ROC curve of `score (n,)`: the chance that one of `own (n,)` has a higher score
    than one that is not, ties by halves (Mann and Whitney 1947)."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n = int(own.sum())
    return float((ranks[own].sum() - n * (n + 1) / 2) / (n * (len(own) - n)))


def _log_loss(of: Classified) -> float:
    from scipy.special import log_softmax

    if not of.known:
        return np.inf
    logs = log_softmax(of.logits.astype(np.float64), axis=1)
    return float(-np.mean(logs[np.arange(len(of.y)), of.y]))


def _rmse(of: Estimated) -> float:
    return float(np.mean((of.guess - of.y) ** 2)) ** 0.5


def _mae(of: Estimated) -> float:
    return float(np.mean(np.abs(of.guess - of.y)))


def _r2(of: Estimated) -> float:
    """NaN where `y` is constant."""
    spread = float(np.var(of.y))
    return 1 - float(np.mean((of.guess - of.y) ** 2)) / spread if spread > 0 else np.nan


def _accuracy(of: Classified) -> float:
    return float(np.mean(of.logits.argmax(axis=1) == of.y))


def _balanced_accuracy(of: Classified) -> float:
    return float(np.mean(of.recalls))


_CLASSES: tuple[Kind, ...] = ("binary", "multiclass")
_NUMBERS: tuple[Kind, ...] = ("regression",)
_FREQUENT, _SHARES = (
    "always naming the most frequent class",
    "always giving the shares of the classes",
)
_MEAN = "always predicting the mean"
METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", _CLASSES, _accuracy, _FREQUENT),
        Metric(
            "balanced_accuracy", "balanced accuracy", _CLASSES, _balanced_accuracy,
            "always naming the same class",
        ),
        Metric("macro_f1", "macro F1", _CLASSES, _macro_f1, "guessing"),
        Metric("roc_auc", "ROC AUC", _CLASSES, _roc_auc, "any order of the samples"),
        Metric("log_loss", "log loss", _CLASSES, _log_loss, _SHARES, False, "number"),
        Metric("rmse", "RMSE", _NUMBERS, _rmse, _MEAN, False, "target"),
        Metric("mae", "MAE", _NUMBERS, _mae, _MEAN, False, "target"),
        Metric("r2", "R²", _NUMBERS, _r2, _MEAN, form="number"),
    )
}  # fmt: skip
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
    return _scores(kind_of(logits.shape[1]), Classified(y, logits))


def regression_scores(y: NDArray[np.floating], guess: NDArray[np.floating]) -> dict[str, float]:
    """Every metric of numbers by its name, of `y (n,)` and predictions `guess (n,)`, both in the
    unit of the target. R² is NaN where `y` is constant."""
    return _scores("regression", Estimated(y.astype(np.float64), guess.astype(np.float64)))


def _scores(kind: Kind, predicted: Classified | Estimated) -> dict[str, float]:
    return {name: m.score(predicted) for name, m in METRICS.items() if kind in m.kinds}
