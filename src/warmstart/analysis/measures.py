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


@dataclass(frozen=True)
class Measure:
    """One number per seed of an arm, at its chosen learning rate."""

    text: str
    """What is measured, after "less" or "more"."""
    unit: str
    source: Literal["records", "timings", "diagnostics"]
    by_seed: Callable[[Results, str], dict[int, float]]
    """Results and arm -> seed -> value; empty where the source is missing."""
    resolution: Callable[[Results], float]
    """The smallest difference that can be seen: see `paired_p_value`."""

    def show(self, value: float) -> str:
        """`value`, a share, seconds or a plain number, in `unit`, whose name is left out."""
        if self.unit == "points":
            return f"{100 * value:+.1f}"
        return f"{1000 * value if self.unit == 'ms' else value:+.3g}"


def _one_sample(results: Results) -> float:
    return 1 / results.summary.n_test


def _one_epoch(_: Results) -> float:
    return 1.0


def _rounding(_: Results) -> float:
    return float(np.finfo(np.float32).eps)


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


def _looks(
    results: Results, arm: str, column: str, when: Literal["first", "last"]
) -> dict[int, "pd.Series[float]"]:
    """Seed -> `column` of each hidden layer, in their order, in the first or last look."""
    rows = results.diagnostics
    if rows is None:
        return {}
    rows = rows[rows["arm"] == arm].sort_values(["seed", "layer"])
    heads = rows.groupby("seed")["layer"].transform("max")
    rows = rows[(rows["layer"] > 0) & (rows["layer"] < heads)]
    looks = rows.groupby("seed")["epoch"].transform("min" if when == "first" else "max")
    return {int(str(s)): look for s, look in rows[rows["epoch"] == looks].groupby("seed")[column]}


def _power_of_ten(ratio: float) -> float:
    return max(FAINTEST, math.log10(ratio)) if ratio else FAINTEST


def _gradient_decay(results: Results, arm: str) -> dict[int, float]:
    looks = _looks(results, arm, "output_gradient", "first")
    ends = {seed: (float(look.iloc[0]), float(look.iloc[-1])) for seed, look in looks.items()}
    return {
        seed: _power_of_ten(first / last)
        for seed, (first, last) in ends.items()
        if math.isfinite(first) and math.isfinite(last) and last > 0
    }


def _drift(results: Results, arm: str) -> dict[int, float]:
    looks = _looks(results, arm, "activation_deviation", "last")
    last = {seed: float(look.iloc[-1]) for seed, look in looks.items()}
    return {seed: abs(_power_of_ten(d)) for seed, d in last.items() if math.isfinite(d)}


def _means(looks: dict[int, "pd.Series[float]"]) -> dict[int, float]:
    """Over the layers that have the number."""
    means = {seed: float(look.mean()) for seed, look in looks.items()}
    return {seed: value for seed, value in means.items() if not math.isnan(value)}


def _dead(results: Results, arm: str) -> dict[int, float]:
    return _means(_looks(results, arm, "dead", "last"))


def _clip_cosine(results: Results, arm: str) -> dict[int, float]:
    """In the first look: gradients are large there, and the networks of all arms still the same."""
    return _means(_looks(results, arm, "clip_cosine", "first"))


ACCURACY = Measure("test accuracy", "points", "records", _test_accuracy, _one_sample)
EPOCHS = Measure(
    "epochs to the target accuracy", "epochs", "records", _epochs_to_target, _one_epoch
)
OVERFITTING = Measure(
    "overfitting (training minus validation accuracy, last epoch)",
    "points",
    "records",
    _overfitting,
    _one_sample,
)
HIGHEST_RATE = Measure(
    "validation accuracy at the highest learning rate",
    "points",
    "records",
    _at_highest_rate,
    _one_sample,
)
SECONDS = Measure("time per epoch", "ms", "timings", Results.seconds_by_seed, _rounding)
GRADIENT_DECAY = Measure(
    "gradient in the first hidden layer against the last, at initialization",
    "powers of ten",
    "diagnostics",
    _gradient_decay,
    _rounding,
)
DRIFT = Measure(
    "distance of the last hidden layer's deviation from 1, after training",
    "powers of ten",
    "diagnostics",
    _drift,
    _rounding,
)
DEAD = Measure("share of dead units, after training", "points", "diagnostics", _dead, _rounding)
CLIP_COSINE = Measure(
    "cosine between the raw and the clipped gradient, at initialization",
    "",
    "diagnostics",
    _clip_cosine,
    _rounding,
)
