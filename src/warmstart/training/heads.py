"""Heads on a network's features that scikit-learn fits as a whole: no epochs, no learning rate.

Each is fitted with every strength of a grid; validation chooses among them, by the metric, then by
the lower log loss, then the first of the grid.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from warmstart.metrics import METRICS, classification_scores

PENALTIES = tuple(10.0**power for power in range(-5, 4))
"""C of the logistic regression, strongest penalty first. Kornblith, Shlens and Le 2019 ("Do better
ImageNet models transfer better?") choose the same way, from a wider and finer grid."""
NEIGHBOURS = (1, 3, 5, 7, 9, 15, 25)
"""Odd, so that two classes do not tie."""
STEPS = 1_000
"""Of the solver, at most."""

Features = NDArray[np.floating]
"""`(n, features)`."""
Labels = NDArray[np.int32]
"""`(n,)` in `range(classes)`, in training each at least once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """A head that was fitted and chosen."""

    chosen: dict[str, float]
    """Its strength: `C`, or `neighbours`."""
    logits: Callable[[Features], NDArray[np.float32]]
    """Features `(n, features)` -> `(n, classes)`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear(Head):
    """One that a Dense layer can be."""

    kernel: NDArray[np.float32]
    """`(features, classes)`."""
    bias: NDArray[np.float32]
    """`(classes,)`."""


Own = TypeVar("Own", bound=Head)


def linear(
    features: Features,
    y: Labels,
    features_validation: Features,
    y_validation: Labels,
    *,
    metric: str = "accuracy",
    class_weight: Literal["none", "balanced"] = "none",
) -> Linear:
    """Logistic regression with an L2 penalty, which minimizes ‖W‖²/2 + C · sum of cross-entropies.

    Of two classes the second has the logit, and the first 0.
    """
    from sklearn.linear_model import LogisticRegression

    weights = None if class_weight == "none" else class_weight

    def fitted(penalty: float) -> Linear:
        model = LogisticRegression(C=penalty, max_iter=STEPS, class_weight=weights)
        model.fit(features.astype(np.float64), y)
        kernel, bias = model.coef_.T, model.intercept_
        if kernel.shape[1] == 1:
            kernel, bias = np.hstack([0 * kernel, kernel]), np.array([0, *bias])
        kernel, bias = kernel.astype(np.float32), bias.astype(np.float32)
        return Linear(
            chosen={"C": penalty},
            logits=lambda features: features.astype(np.float32) @ kernel + bias,
            kernel=kernel,
            bias=bias,
        )

    with warnings.catch_warnings():
        # with next to no penalty separable classes have no optimum: validation sees what comes out
        warnings.filterwarnings("ignore", module="sklearn", category=UserWarning)
        return _best(map(fitted, PENALTIES), features_validation, y_validation, metric)


def nearest(
    features: Features,
    y: Labels,
    features_validation: Features,
    y_validation: Labels,
    *,
    metric: str = "accuracy",
) -> Head:
    """The k nearest of the training samples vote, by Euclidean distance.

    The probability of a class with v votes is (v + 1) / (k + classes), Laplace's rule: 0 would make
    the log loss infinite.
    """
    from sklearn.neighbors import KNeighborsClassifier

    def fitted(neighbours: int) -> Head:
        model = KNeighborsClassifier(n_neighbors=neighbours).fit(features, y)

        def logits(features: Features) -> NDArray[np.float32]:
            votes = np.rint(model.predict_proba(features) * neighbours)
            return np.log((votes + 1) / (neighbours + votes.shape[1])).astype(np.float32)

        return Head(chosen={"neighbours": neighbours}, logits=logits)

    grid = [count for count in NEIGHBOURS if count <= len(y)]
    return _best(map(fitted, grid), features_validation, y_validation, metric)


def _best(heads: Iterable[Own], features: Features, y: Labels, metric: str) -> Own:
    def merit(head: Head) -> tuple[float, float]:
        scores = classification_scores(y, head.logits(features))
        gain = METRICS[metric].gain(scores[metric])
        return gain if np.isfinite(gain) else -np.inf, -scores["log_loss"]

    return max(heads, key=merit)
