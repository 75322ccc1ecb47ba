"""What learning nothing is worth in the test, by the card of the data: judging reads no samples."""

import math
from dataclasses import dataclass

import numpy as np

from warmstart.metrics import METRICS
from warmstart.training.chance import Chance
from warmstart.training.chance import chance as of_samples


@dataclass(frozen=True, kw_only=True)
class TestPart:
    """The test samples of a task."""

    __test__ = False  # pytest takes it for one of its own

    n: int
    counts: tuple[int, ...] = ()
    """Of each class; empty where numbers are predicted."""
    deviation: float = 1.0
    """Of the target where numbers are predicted, in its own unit."""


def chance(metric: str, part: TestPart) -> Chance:
    """As `training.chance.chance`. Where numbers are predicted the card knows their deviation and
    no more: errors are those of normal values, and of MAE, which needs the values themselves, the
    deviation is what it never exceeds."""
    if part.counts:
        known = of_samples(metric, np.repeat(np.arange(len(part.counts)), part.counts))
        # test parts are stratified: shares of the classes have this loss in each of them
        return known._replace(error=0.0) if metric == "log_loss" else known
    if metric == "r2":
        return Chance(0.0, math.sqrt(2 / part.n))
    return Chance(-part.deviation, part.deviation / math.sqrt(2 * part.n))


def level(metric: str, known: Chance) -> float:
    """Chance as a value of `metric`."""
    return METRICS[metric].gain(known.gain)


def luck(metric: str, known: Chance) -> float:
    """How far chance alone may come: two standard errors, as `Chance.holds` has it."""
    return METRICS[metric].gain(known.gain + 2 * known.error)
