"""How many epochs a trial takes to be nearly as good as the best arm ends up."""

import math
from collections.abc import Iterable, Sequence

from warmstart.analysis.scores import curve, followed
from warmstart.records import Record
from warmstart.training.selection import mean

TARGET_SHARE = 0.95


def target_value(arms: Iterable[Sequence[Record]]) -> float:
    """Value on validation to be reached, of what is followed: TARGET_SHARE of the best arm's in the
    last epoch, mean over seeds; where lower is better, the best arm's over TARGET_SHARE. Relative
    to the study, so that it means the same on easy and on hard data. Trials that diverged count as
    0 where higher is better; where lower is, an arm with such a trial sets no target.

    Args:
        arms: of each arm, its trials at the chosen learning rate.
    """
    trials_by_arm = list(arms)
    metric = followed(trials_by_arm[0][0].metric).metric

    def last(trial: Record) -> float:
        if trial.outcome != "diverged" and math.isfinite(value := curve(trial)[-1]):
            return value
        return 0.0 if metric.higher_is_better else math.inf

    means = [mean(map(last, trials)) for trials in trials_by_arm]
    best = max(means, key=metric.gain)
    if not metric.higher_is_better:
        return best / TARGET_SHARE if math.isfinite(best) else 0.0
    return min(best, TARGET_SHARE * best)  # R² may be negative, and 95 % of that is more


def epochs_to_target(record: Record, target: float) -> float | None:
    """Epochs until `target` is reached on validation for the first time, on the straight line
    between the epochs around it (before the first, what is better when high counts as 0, and the
    rest as not known: such a target is reached after one epoch at the earliest); None where it
    never is, the trial diverged later on, or it took no steps (its learning rate is 0)."""
    if record.outcome == "diverged" or not record.learning_rate:
        return None
    metric = followed(record.metric).metric
    before = 0.0 if metric.higher_is_better else None
    for epoch, value in enumerate(curve(record)):
        if metric.gain(value) >= metric.gain(target):
            if before is None:
                return 1.0
            return epoch + (target - before) / (value - before or 1)
        before = value
    return None
