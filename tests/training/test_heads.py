"""Heads on features against arithmetic by hand, and what validation chooses."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from warmstart.metrics import classification_scores
from warmstart.training import heads

DRAW = np.random.default_rng(2)


def samples(n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(n, dtype=np.int32) % classes
    return (DRAW.normal(size=(n, 4)) + np.eye(4)[y] * 1.5).astype(np.float32), y


@pytest.mark.parametrize("classes", [2, 3])
def test_the_linear_head_minimizes_what_it_says(
    classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SciPy, over one kernel column less: a softmax does not change with what all columns
    share, and the penalty leaves it no part for three classes or more."""
    (x, y), known = samples(40, classes), samples(30, classes)
    monkeypatch.setattr(heads, "PENALTIES", (0.3,))
    found = heads.linear(x, y, *known)

    def loss(flat: np.ndarray) -> float:
        if classes == 2:  # one column, the logit of the second class
            kernel, bias = flat[:4, None], flat[4:]
            logits = np.hstack([np.zeros((40, 1)), x @ kernel + bias])
        else:
            kernel, bias = flat[: 4 * classes].reshape(4, classes), flat[4 * classes :]
            logits = x @ kernel + bias
        entropy = (logsumexp(logits, axis=1) - logits[np.arange(40), y]).sum()
        return float((kernel**2).sum() / 2 + 0.3 * entropy)

    size = 5 if classes == 2 else 5 * classes
    best = minimize(loss, np.zeros(size), options={"gtol": 1e-6}).x
    kernel = best[:4, None] if classes == 2 else best[: 4 * classes].reshape(4, classes)
    mine = found.kernel[:, 1:] if classes == 2 else found.kernel
    np.testing.assert_allclose(mine, kernel, atol=2e-3)
    np.testing.assert_allclose(found.logits(x), x @ found.kernel + found.bias, rtol=1e-6)
    assert found.chosen == {"C": 0.3}


def test_the_nearest_vote_as_by_hand() -> None:
    (x, y), (xv, yv), (xt, _) = samples(21, 3), samples(30, 3), samples(10, 3)
    found = heads.nearest(x, y, xv, yv)
    k = int(found.chosen["neighbours"])
    votes = np.eye(3)[y[np.argsort(cdist(xt, x), axis=1)[:, :k]]].sum(axis=1)
    np.testing.assert_allclose(np.exp(found.logits(xt)), (votes + 1) / (k + 3), rtol=1e-5)
    assert k <= 21


@pytest.mark.parametrize(("fit", "name"), [(heads.linear, "C"), (heads.nearest, "neighbours")])
@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_validation_chooses_by_the_metric(
    fit: object, name: str, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (x, y), (xv, yv) = samples(40, 3), samples(60, 3)
    grid = heads.PENALTIES if name == "C" else heads.NEIGHBOURS
    reached = {}
    for strength in grid:
        with monkeypatch.context() as one:
            one.setattr(heads, "PENALTIES", (strength,))
            one.setattr(heads, "NEIGHBOURS", (strength,))
            scores = classification_scores(yv, fit(x, y, xv, yv).logits(xv))  # type: ignore[operator]
        reached[strength] = (
            -scores["accuracy"] if metric == "accuracy" else scores["log_loss"],
            scores["log_loss"],
        )
    found = fit(x, y, xv, yv, metric=metric)  # type: ignore[operator]
    assert found.chosen == {name: min(grid, key=reached.__getitem__)}
    assert len(set(reached.values())) > 1


def test_few_samples_leave_few_neighbours() -> None:
    (x, y), known = samples(2, 2), samples(10, 2)
    assert heads.nearest(x, y, *known).chosen == {"neighbours": 1}


def test_balanced_classes_count_alike() -> None:
    x = DRAW.normal(size=(100, 2)).astype(np.float32)
    y = (np.arange(100) < 10).astype(np.int32)
    x[:, 0] += y
    plain, balanced = (
        heads.linear(x, y, x, y, metric="balanced_accuracy", class_weight=weight)  # type: ignore[arg-type]
        for weight in ("none", "balanced")
    )
    recall = [(head.logits(x).argmax(axis=1) == y)[y == 1].mean() for head in (plain, balanced)]
    assert recall[1] > recall[0]
