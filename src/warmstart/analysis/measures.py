"""What a rule can be about: numbers of one arm, seed by seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from warmstart.analysis.results import Results
from warmstart.analysis.targets import epochs_to_target
from warmstart.training.selection import last_epoch

FAINTEST = -16.0
"""In powers of ten, what stands for no gradient at all: the resolution of a float64."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number per seed of an arm, at its chosen learning rate."""

    text: str
    """What is measured, after "less" or "more"."""
    unit: str
    scale: float
    """What a value is multiplied with to be in `unit`."""
    source: Literal["records", "timings", "diagnostics"]
    by_seed: Callable[[Results, str], dict[int, float]]
    """Results and arm -> seed -> value; empty where the source is missing."""
    resolution: Callable[[Results], float]
    """The smallest difference that can be seen: see `paired_p_value`."""

    def show(self, value: float) -> str:
        """`value` in `unit`, without it."""
        return f"{self.scale * value:+.3g}" if self.unit != "points" else f"{100 * value:+.1f}"


def _one_sample(results: Results) -> float:
    return 1 / results.summary.n_test


def _test_accuracy(results: Results, arm: str) -> dict[int, float]:
    """Counted in samples: accuracies are 32-bit numbers, whose differences vary by 1e-8."""
    n = results.summary.n_test
    return {r.seed: round(r.test["test_accuracy"] * n) / n for r in results.chosen(arm)}


def _epochs_to_target(results: Results, arm: str) -> dict[int, float]:
    """A seed that never gets there counts as one epoch more than the longest trial: too few."""
    trials = results.chosen(arm)
    beyond = 1 + max(len(record.epochs["val_accuracy"]) for record in results.records)
    target = results.summary.target_accuracy
    return {r.seed: float(epochs_to_target(r, target) or beyond) for r in trials}


def _overfitting(results: Results, arm: str) -> dict[int, float]:
    return {
        r.seed: r.epochs["accuracy"][-1] - r.epochs["val_accuracy"][-1]
        for r in results.chosen(arm)
        if r.outcome == "completed"
    }


def _at_highest_rate(results: Results, arm: str) -> dict[int, float]:
    trials = [r for r in results.records if r.arm == arm]
    highest = max((r.learning_rate for r in trials), default=0.0)
    return {r.seed: last_epoch(r)[0] for r in trials if r.learning_rate == highest}


def _look(results: Results, arm: str, epoch: Literal["first", "last"]) -> pd.DataFrame:
    """The rows of the hidden layers in the first or last look at each seed; maybe empty."""
    rows = results.diagnostics
    if rows is None:
        return pd.DataFrame(columns=["seed"])
    rows = rows[rows["arm"] == arm]
    heads = rows.groupby("seed")["layer"].transform("max")
    rows = rows[(rows["layer"] > 0) & (rows["layer"] < heads)]
    looks = rows.groupby("seed")["epoch"].transform("min" if epoch == "first" else "max")
    return rows[rows["epoch"] == looks].sort_values(["seed", "layer"])


def _gradient_decay(results: Results, arm: str) -> dict[int, float]:
    found = {}
    for seed, rows in _look(results, arm, "first").groupby("seed"):
        first, last = rows["output_gradient"].iloc[0], rows["output_gradient"].iloc[-1]
        if math.isfinite(first) and math.isfinite(last) and last > 0:
            found[int(str(seed))] = max(FAINTEST, math.log10(first / last) if first else FAINTEST)
    return found


def _drift(results: Results, arm: str) -> dict[int, float]:
    found = {}
    for seed, rows in _look(results, arm, "last").groupby("seed"):
        last = rows["activation_deviation"].iloc[-1]
        if math.isfinite(last):
            found[int(str(seed))] = abs(max(FAINTEST, math.log10(last) if last else FAINTEST))
    return found


def _mean_of(
    column: str, epoch: Literal["first", "last"]
) -> Callable[[Results, str], dict[int, float]]:
    """Mean over the hidden layers in one look, where they have the number."""

    def by_seed(results: Results, arm: str) -> dict[int, float]:
        rows = _look(results, arm, epoch)
        if rows.empty:
            return {}
        means = rows.groupby("seed")[column].mean().dropna()
        return {int(str(seed)): float(value) for seed, value in means.items()}

    return by_seed


def _anything(_: Results) -> float:
    return float(np.finfo(np.float32).eps)


ACCURACY = Measure(
    text="test accuracy",
    unit="points",
    scale=100,
    source="records",
    by_seed=_test_accuracy,
    resolution=_one_sample,
)
EPOCHS = Measure(
    text="epochs to the target accuracy",
    unit="epochs",
    scale=1,
    source="records",
    by_seed=_epochs_to_target,
    resolution=lambda _: 1.0,
)
OVERFITTING = Measure(
    text="overfitting (training minus validation accuracy, last epoch)",
    unit="points",
    scale=100,
    source="records",
    by_seed=_overfitting,
    resolution=_one_sample,
)
HIGHEST_RATE = Measure(
    text="validation accuracy at the highest learning rate",
    unit="points",
    scale=100,
    source="records",
    by_seed=_at_highest_rate,
    resolution=_one_sample,
)
SECONDS = Measure(
    text="time per epoch",
    unit="ms",
    scale=1000,
    source="timings",
    by_seed=Results.seconds_by_seed,
    resolution=_anything,
)
GRADIENT_DECAY = Measure(
    text="gradient in the first hidden layer against the last, at initialization",
    unit="powers of ten",
    scale=1,
    source="diagnostics",
    by_seed=_gradient_decay,
    resolution=_anything,
)
DRIFT = Measure(
    text="distance of the last hidden layer's deviation from 1, after training",
    unit="powers of ten",
    scale=1,
    source="diagnostics",
    by_seed=_drift,
    resolution=_anything,
)
DEAD = Measure(
    text="share of dead units, after training",
    unit="points",
    scale=100,
    source="diagnostics",
    by_seed=_mean_of("dead", "last"),
    resolution=_anything,
)
CLIP_COSINE = Measure(
    # where gradients are large, and the networks of all arms still the same
    text="cosine between the raw and the clipped gradient, at initialization",
    unit="",
    scale=1,
    source="diagnostics",
    by_seed=_mean_of("clip_cosine", "first"),
    resolution=_anything,
)
