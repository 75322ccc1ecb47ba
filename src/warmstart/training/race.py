"""Learning rates of one arm and seed race: after some epochs the worse half stops.

Successive halving with one rung (Jamieson and Talwalkar 2016, "Non-stochastic best arm
identification and hyperparameter optimization"). On digits, after a sixth of the epochs, it chose
the rate that all epochs would have chosen for 99 of 100 arms and seeds (260 of them, five rates),
lost 0.005 points of validation accuracy and took 67 % of the epochs. A second rung that leaves two
rates lost 0.1 points.
"""

import math
from collections.abc import Mapping

from warmstart.metrics import Kind
from warmstart.training.outcomes import Result, Standing, epoch_metrics
from warmstart.training.trials import Cohort, Trial, races
from warmstart.training.watch import GOOD

Merit = tuple[float, ...]
"""What decides at the rung, lower is better: minus the validation accuracy where that is the
metric of the study, then the validation loss, which every epoch knows."""
FEWEST = 3
"""Rates from which on there is a race: one of two would stop a run with half a chance to win."""


def rung(cohort: Cohort) -> int:
    """After how many epochs the worse half stops: a sixth of the last phase. Before it accuracies
    say nothing of the end: a frozen network is overtaken by those that thaw."""
    return cohort.last_phase + max(1, cohort.phases[-1].epochs // 6)


def losers(
    cohort: Cohort,
    kind: Kind,
    early: Mapping[Trial, Standing],
    results: Mapping[Trial, Result | None],
) -> set[Trial]:
    """Those of `early`, all at the rung, that lose a race: against each other, and against trials
    that were finished before.

    Args:
        kind: of what is predicted.
        results: of every trial of `cohort`; None: it is not finished.
    """
    at, names = rung(cohort), epoch_metrics(kind)
    merits: dict[Trial, Merit] = {}
    for trial in cohort.trials:
        if result := results[trial]:
            values = {metric: curve[:at][-1] for metric, curve in result.epochs.items()}
            good = result.outcome != "diverged" or len(result.epochs["loss"]) > at
        elif trial in early:
            row = early[trial].rows[:at][-1][0]
            values, good = dict(zip(names, row.tolist(), strict=False)), bool(row[GOOD])
        else:
            continue
        merits[trial] = merit(cohort.metric, values if good else None)
    return {
        trial
        for rivals in races(trial for trial in merits if trial.rivals)
        for trial in dropped({rival: merits[rival] for rival in rivals})
        if trial in early
    }


def merit(metric: str, values: Mapping[str, float] | None) -> Merit:
    """That of a trial with these `values` of its epoch; None: it diverged."""
    loss = values["val_loss"] if values else math.inf
    if metric != "accuracy":
        return (loss,)
    return -values["val_accuracy"] if values else 0.0, loss


def dropped(merits: Mapping[Trial, Merit]) -> list[Trial]:
    """The trials of one race that stop; ties go to the lower rate."""
    order = sorted(merits, key=lambda trial: (*merits[trial], trial.learning_rate))
    return order[-(-len(order) // 2) :]
