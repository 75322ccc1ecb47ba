"""Curves and numbers of results as points of MLflow's metrics, and the keys that they have."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from warmstart.analysis.summary import ArmSummary, Contrast, Interval
from warmstart.records import Record
from warmstart.tracking.runs import Point

_LONGEST = 200  # letters: MLflow takes 250, in which there is more than the name


def metric_keys(names: Iterable[str]) -> dict[str, str]:
    """What MLflow takes for each of `names` in the key of a metric: other letters become spaces,
    and one that is too long, or would be another's, ends in a digest of the name."""
    plain = {name: re.sub(r"[^\w.\- :]", " ", name).strip(" .") for name in names}
    counts = Counter(key.casefold() for key in plain.values())
    good = {
        n for n, key in plain.items() if 0 < len(key) <= _LONGEST and counts[key.casefold()] < 2
    }
    return {
        name: key
        if name in good
        else f"{key[:_LONGEST]} {hashlib.sha256(name.encode()).hexdigest()[:8]}".strip()
        for name, key in plain.items()
    }


def mean_curves(chosen: Sequence[Record]) -> tuple[Point, ...]:
    """`mean/METRIC` per epoch, over the seeds that did not diverge.

    The same seeds in every epoch: a mean over whichever are still alive would jump when one
    leaves. The slash makes MLflow draw these charts in a section of their own.
    """
    completed = [record.epochs for record in chosen if record.outcome == "completed"]
    if not completed:
        return ()
    return curves(
        {
            f"mean/{metric}": np.mean([epochs[metric] for epochs in completed], axis=0).tolist()
            for metric in completed[0]
        }
    )


def curves(epochs: Mapping[str, Sequence[float]]) -> tuple[Point, ...]:
    """A point per epoch, from 1 on, where it is finite."""
    return tuple(
        (metric, value, epoch)
        for metric, values in epochs.items()
        for epoch, value in enumerate(values, start=1)
        if math.isfinite(value)
    )


def scalars(values: Mapping[str, float | None], step: int) -> tuple[Point, ...]:
    """One point each at `step`, where it is known and finite."""
    return tuple(
        (metric, float(value), step)
        for metric, value in values.items()
        if value is not None and math.isfinite(value)
    )


def numbers(found: ArmSummary | Contrast, metric: str) -> dict[str, float | None]:
    """Fields that are numbers, but for the learning rate, which is a parameter; of an interval its
    mean under the field's name, and `_low`, `_high`, `_sd`. What is of the metric that decides has
    its name: `test_accuracy`, `val_accuracy`, `best_val_accuracy`, `accuracy_difference`."""
    names = {
        "test": f"test_{metric}",
        "validation": f"val_{metric}",
        "best_validation": f"best_val_{metric}",
        "difference": f"{metric}_difference",
    }
    fields = {names.get(name, name): value for name, value in vars(found).items()}
    if isinstance(found, ArmSummary):
        fields |= {f"test_{name}": value for name, value in found.others.items()}
    values: dict[str, float | None] = {}
    for name, value in fields.items():
        if isinstance(value, Interval):
            values |= {name: value.known, f"{name}_low": value.low}
            values |= {f"{name}_high": value.high, f"{name}_sd": value.sd}
        elif isinstance(value, int | float) and name != "learning_rate":
            values[name] = value
    return values


def short(value: float | None) -> float | None:
    """Four decimals; two digits of what is smaller, six of what is larger. MLflow's table shows all
    that it is given and has no room for more; the summaries below `reports` have the rest."""
    if value is None:
        return None
    form = ".6g" if abs(value) >= 100 else ".4f" if abs(value) >= 0.001 else ".2g"
    return float(format(value, form))
