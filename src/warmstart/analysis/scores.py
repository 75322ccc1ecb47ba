"""What a record reached in the metric that decides: in the test, after the last epoch and after
each epoch before it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from warmstart.contrasts import Values
from warmstart.metrics import METRICS, Metric
from warmstart.records import Record
from warmstart.training.selection import last_epoch


def metric_of(record: Record) -> Metric:
    """The metric that decides."""
    return METRICS[record.metric]


def tested(record: Record) -> float:
    """In the test, in the unit of the metric; NaN where it was not tested."""
    return record.test.get(f"test_{record.metric}", math.nan)


def validated(record: Record) -> float:
    """On validation after the last epoch. A trial that diverged has 0 where the metric is a share,
    else the infinity on the bad side."""
    gain, _ = last_epoch(record)
    return metric_of(record).gain(gain)


@dataclass(frozen=True)
class Followed:
    """What stands for the metric that decides from epoch to epoch. Training measures loss and
    accuracy, or mean absolute error, after each epoch, and the metric itself after the last one."""

    metric: Metric
    """In whose unit and direction it is."""
    title: str
    """After "validation"."""


def followed(name: str) -> Followed:
    """The metric `name` itself where an epoch's loss or accuracy gives it, else the loss."""
    metric = METRICS[name]
    if name == "accuracy" or "regression" in metric.kinds:
        return Followed(metric, metric.title)
    return Followed(METRICS["log_loss"], "loss")


def curve(record: Record) -> tuple[float, ...]:
    """On validation after each epoch, as `followed` says; NaN where it diverged."""
    epochs, loss = record.epochs, record.epochs["val_loss"]
    last = record.validation.get(f"val_{record.metric}")
    if record.metric == "accuracy":
        return tuple(epochs["val_accuracy"])
    if record.metric == "mae":
        return _scaled(epochs["val_mae"], last)
    if record.metric == "rmse":
        return _scaled([math.sqrt(value) for value in loss], last)
    if record.metric == "r2":  # of the same samples, 1 - R² is in proportion to the loss
        return tuple(1 - rest for rest in _scaled(loss, None if last is None else 1 - last))
    return tuple(loss)


def _scaled(values: Sequence[float], last: float | None) -> tuple[float, ...]:
    """From the unit of the standardized target, which epochs are measured in, to that of `last`,
    the last of them; as they are where that is not known."""
    known = last is not None and math.isfinite(last) and values[-1] > 0
    return tuple(value * last / values[-1] for value in values) if known and last else tuple(values)


def gains(chosen: Mapping[str, Sequence[Record]], n_test: int, chance: float) -> Values:
    """arm -> seed -> gain of the test.

    Accuracies are whole counts of `n_test` samples, so that equal differences are equal numbers. A
    network that diverged may have no finite value: it says nothing, and counts as `chance`, what
    the best constant answer reaches.
    """
    return {
        arm: {t.seed: _gain(t, n_test, chance) for t in trials} for arm, trials in chosen.items()
    }


def _gain(trial: Record, n_test: int, chance: float) -> float:
    value = tested(trial)
    if trial.metric == "accuracy":
        return round(value * n_test) / n_test
    return metric_of(trial).gain(value if math.isfinite(value) else chance)
