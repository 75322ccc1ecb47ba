"""What a rule can be about: numbers of one arm, seed by seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from warmstart.analysis.results import Results
from warmstart.analysis.scores import curve, followed, gains, validated
from warmstart.analysis.targets import epochs_to_target
from warmstart.analysis.words import wording
from warmstart.metrics import METRICS
from warmstart.training.chance import resolution

FAINTEST = -16.0
"""In powers of ten, what stands for no gradient at all: the resolution of a float64."""
NOTICEABLE = 1.5
"""A ratio of times up to this decides nothing. Arms are trained one after the other, not in turn:
with other work on the machine, arms that do the same were measured 1.25 times apart, and a ratio of
two programs moved by 1.4."""


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
    has_margin: bool = False
    """Whether it is the metric that decides: arms can then be practically equal in it."""
    ignored: float = 0.0
    """A difference up to this is not told from none."""
    lower_is_better: bool = False
    """Of a metric that decides: `by_seed` then gives gains, minus its values."""

    def own(self, gain: float) -> float:
        """What `by_seed` gives, or a difference of that, as a value of the measure."""
        return 0.0 - gain if self.lower_is_better else gain

    def show(self, value: float) -> str:
        """`value`, a share, a plain number or a ratio's logarithm, in `unit`, whose name is left
        out."""
        if self.unit == "points":
            return f"{100 * value:+.1f}"
        return f"{math.exp(value):.2f}" if self.unit == "times" else f"{value:+.3g}"


def judged(measure: Measure, results: Results) -> Measure:
    """`measure` in the words of the metric by which `results` are judged: where a measure says
    accuracy it means that metric, or what is followed of it from epoch to epoch."""
    said = wording(results.summary)
    if not measure.has_margin:
        text = measure.text.replace("accuracy", followed(said.metric.name).title)
        return replace(measure, text=text)
    return replace(
        measure,
        text=measure.text.replace("accuracy", said.title),
        unit="points" if said.metric.form == "share" else "",
        lower_is_better=not said.metric.higher_is_better,
    )


def _step(results: Results) -> float:
    """One sample, of accuracies."""
    summary = results.summary
    return resolution(summary.metric, summary.n_test)


def _one_epoch(_: Results) -> float:
    return 1.0


def _rounding(_: Results) -> float:
    return float(np.finfo(np.float32).eps)


def _tested(results: Results, arm: str) -> dict[int, float]:
    """Gains; accuracies counted in samples: they are 32-bit numbers, whose differences vary by
    1e-8."""
    summary = results.summary
    return dict(gains({arm: results.chosen(arm)}, summary.n_test, summary.chance)[arm])


def _epochs_to_target(results: Results, arm: str) -> dict[int, float]:
    """A seed that never gets there counts as one epoch more than the longest trial: too few."""
    beyond = 1 + max(len(curve(record)) for record in results.records)
    target = results.summary.target
    reached = {r.seed: epochs_to_target(r, target) for r in results.chosen(arm)}
    return {seed: float(beyond if e is None else e) for seed, e in reached.items()}


def _overfitting(results: Results, arm: str) -> dict[int, float]:
    """Both losses are those of the same weights, after the last epoch, in inference mode. (The
    training loss of the records is a mean over the epoch, in training mode.)"""
    trained = _looks(results, arm, "training_loss", "last")
    return {
        r.seed: r.epochs["val_loss"][-1] - float(trained[r.seed].iloc[0])
        for r in results.chosen(arm)
        if r.outcome != "diverged" and r.seed in trained
    }


def _at_highest_rate(results: Results, arm: str) -> dict[int, float]:
    """At the highest learning rate that all arms of the study were trained at, after as many epochs
    as all had there; a trial that diverged counts as 0. Of another metric than accuracy only the
    last epoch is known: trials that the race dropped have none, and one that diverged counts as a
    constant answer does."""
    rates: dict[str, set[float]] = {}
    for record in results.records:
        rates.setdefault(record.arm, set()).add(record.learning_rate)
    common = set.intersection(*rates.values())
    if not common:
        return {}
    trials = [r for r in results.records if r.learning_rate == max(common)]
    if results.summary.metric != "accuracy":
        metric, chance = METRICS[results.summary.metric], results.summary.chance
        reached = {
            r.seed: validated(r) if r.outcome == "completed" else chance
            for r in trials
            if r.arm == arm and r.outcome != "dropped"
        }
        return {seed: metric.gain(value) for seed, value in reached.items()}
    whole = [len(r.epochs["val_accuracy"]) for r in trials if r.outcome != "diverged"]
    last = min(whole, default=1) - 1
    return {
        r.seed: 0.0 if r.outcome == "diverged" else r.epochs["val_accuracy"][last]
        for r in trials
        if r.arm == arm
    }


def _log_seconds(results: Results, arm: str) -> dict[int, float]:
    """Logarithms, whose differences are ratios."""
    return {seed: math.log(taken) for seed, taken in results.seconds_by_seed(arm).items()}


def _log_seconds_to_target(results: Results, arm: str) -> dict[int, float]:
    epochs, seconds = _epochs_to_target(results, arm), _log_seconds(results, arm)
    return {seed: math.log(epochs[seed]) + seconds[seed] for seed in epochs.keys() & seconds.keys()}


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


def _growth(results: Results, arm: str, column: str) -> dict[int, float]:
    """First hidden layer over the last at initialization, in powers of ten."""
    looks = _looks(results, arm, column, "first")
    ends = {seed: (float(look.iloc[0]), float(look.iloc[-1])) for seed, look in looks.items()}
    return {
        seed: _power_of_ten(first / last)
        for seed, (first, last) in ends.items()
        if math.isfinite(first) and math.isfinite(last) and last > 0
    }


def _gradient_decay(results: Results, arm: str) -> dict[int, float]:
    return _growth(results, arm, "output_gradient")


def _variance_change(results: Results, arm: str) -> dict[int, float]:
    """The larger of both."""
    forward = _growth(results, arm, "activation_deviation")
    backward = _growth(results, arm, "output_gradient")
    return {s: max(abs(forward[s]), abs(backward[s])) for s in forward.keys() & backward.keys()}


def _drift(results: Results, arm: str) -> dict[int, float]:
    looks = _looks(results, arm, "activation_deviation", "last")
    last = {seed: float(look.iloc[-1]) for seed, look in looks.items()}
    return {seed: abs(_power_of_ten(d)) for seed, d in last.items() if math.isfinite(d)}


def _means(looks: dict[int, "pd.Series[float]"]) -> dict[int, float]:
    """Over the layers that have the number."""
    means = {seed: float(look.mean()) for seed, look in looks.items()}
    return {seed: value for seed, value in means.items() if math.isfinite(value)}


def _one_sided(results: Results, arm: str) -> dict[int, float]:
    return _means(_looks(results, arm, "one_sided", "last"))


def _centre(results: Results, arm: str) -> dict[int, float]:
    """In deviations, since activations also grow."""
    means = _looks(results, arm, "activation_mean", "last")
    deviations = _looks(results, arm, "activation_deviation", "last")
    return _means({seed: (mean / deviations[seed]).abs() for seed, mean in means.items()})


def _clip_cosine(results: Results, arm: str) -> dict[int, float]:
    """In the first look: gradients are large there, and the networks of all arms still the same."""
    return _means(_looks(results, arm, "clip_cosine", "first"))


TEST = Measure("test accuracy", "points", "records", _tested, _step, has_margin=True)
"""Accuracy, or whatever metric decides: see `judged`."""
HIGHEST_RATE = Measure(
    "validation accuracy at the highest learning rate that all arms were trained at",
    "points",
    "records",
    _at_highest_rate,
    _step,
    has_margin=True,
)
EPOCHS = Measure(
    "epochs to the target accuracy", "epochs", "records", _epochs_to_target, _one_epoch
)
SECONDS = Measure(
    "time per epoch",
    "times",
    "timings",
    _log_seconds,
    _rounding,
    ignored=math.log(NOTICEABLE),
)
SECONDS_TO_TARGET = Measure(
    "time to the target accuracy",
    "times",
    "timings",
    _log_seconds_to_target,
    _rounding,
    ignored=math.log(NOTICEABLE),
)
OVERFITTING = Measure(
    "overfitting (validation minus training loss in inference mode, after training)",
    "nats",
    "diagnostics",
    _overfitting,
    _rounding,
)
GRADIENT_DECAY = Measure(
    "gradient in the first hidden layer against the last, at initialization",
    "powers of ten",
    "diagnostics",
    _gradient_decay,
    _rounding,
)
VARIANCE_CHANGE = Measure(
    "change of deviation between first and last hidden layer, at initialization",
    "powers of ten",
    "diagnostics",
    _variance_change,
    _rounding,
)
DRIFT = Measure(
    "distance of the last hidden layer's deviation from 1, after training",
    "powers of ten",
    "diagnostics",
    _drift,
    _rounding,
)
CENTRE = Measure(
    "distance of the mean activation from 0, after training",
    "deviations",
    "diagnostics",
    _centre,
    _rounding,
)
ONE_SIDED = Measure(
    "share of units that are never positive, after training",
    "points",
    "diagnostics",
    _one_sided,
    _rounding,
)
CLIP_COSINE = Measure(
    "cosine between the raw and the clipped gradient, at initialization",
    "",
    "diagnostics",
    _clip_cosine,
    _rounding,
)
