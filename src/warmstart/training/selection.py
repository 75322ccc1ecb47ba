"""What validation data choose: each arm's learning rate, and the trial whose network is kept.

By the gain of the study's metric after the last epoch: the metric, or minus it where lower is
better. Judging has no part in it, and the test set has no say.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from warmstart.contrasts import Contrasts, out_of_line
from warmstart.metrics import METRICS
from warmstart.training.chance import Chance
from warmstart.training.outcomes import Outcome


class Trained(Protocol):
    """A trained trial, as a record has it."""

    @property
    def arm(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def epochs(self) -> Mapping[str, Sequence[float]]: ...
    @property
    def metric(self) -> str: ...
    @property
    def validation(self) -> Mapping[str, float]: ...


def rate_scores(trials: Iterable[Trained]) -> dict[str, dict[float, tuple[float, float]]]:
    """arm -> learning rate -> (gain, loss) on validation, means over the seeds that were trained to
    the end.

    They are those of the last epoch, not the best one: picking an epoch by hindsight would favour
    noisy arms. A diverged trial counts as `last_epoch` says. Arms in order of appearance, rates
    ascending.
    """
    by_rate: dict[str, dict[float, list[tuple[float, float]]]] = {}
    for trial in trials:
        scores = by_rate.setdefault(trial.arm, defaultdict(list))
        if trial.outcome != "dropped":
            scores[trial.learning_rate].append(last_epoch(trial))
    return {
        arm: {
            rate: (mean(a for a, _ in pairs), mean(b for _, b in pairs))
            for rate, pairs in sorted(rates.items())
        }
        for arm, rates in by_rate.items()
    }


def choose_learning_rates(trials: Iterable[Trained]) -> dict[tuple[str, int], float]:
    """(arm, seed) -> the learning rate with the highest gain on validation in the last epoch.

    Each seed chooses on its own validation samples, so that the luck of the choice is in what seeds
    differ by. Ties go to the lower validation loss, then to the lower rate.
    """
    best: dict[tuple[str, int], tuple[float, float, float]] = {}
    for trial in trials:
        if trial.outcome == "dropped":
            continue
        gain, loss = last_epoch(trial)
        score = (-gain, loss, trial.learning_rate)
        place = (trial.arm, trial.seed)
        best[place] = min(best.get(place, score), score)
    return {place: rate for place, (_, _, rate) in best.items()}


def beyond_the_edge(trials: Sequence[Trained]) -> dict[tuple[str, int], float]:
    """(arm, seed) -> one more learning rate to try, where the best one is an end of the grid.

    It lies as far beyond the end as that from its neighbour, as a ratio; to 3 digits.
    """
    grids: dict[tuple[str, int], set[float]] = defaultdict(set)
    for trial in trials:
        grids[trial.arm, trial.seed].add(trial.learning_rate)
    further = {}
    for place, best in choose_learning_rates(trials).items():
        grid = sorted(grids[place])
        if len(grid) > 1 and best in (grid[0], grid[-1]):
            neighbour = grid[1] if best == grid[0] else grid[-2]
            further[place] = float(f"{best * best / neighbour:.3g}")
    return further


def best_arm(chosen: Iterable[Trained]) -> str:
    """The arm whose chosen trials have the highest mean gain on validation; lower mean validation
    loss, then order of appearance, break ties."""
    means = _means(chosen)
    return max(means, key=lambda arm: means[arm])


def _means(chosen: Iterable[Trained]) -> dict[str, tuple[float, float]]:
    """arm -> mean gain and minus loss on validation, rounded: equals whatever the order."""
    of_arm: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for trial in chosen:
        of_arm[trial.arm].append(last_epoch(trial))
    return {
        arm: (round(mean(a for a, _ in scores), 12), -round(mean(b for _, b in scores), 12))
        for arm, scores in of_arm.items()
    }


def contenders(
    chosen: Sequence[Trained],
    *,
    reference: str | None,
    margin: float,
    chance: Chance,
    resolution: float,
    level: float,
) -> list[str]:
    """The arms that more seeds are for, by validation: those not shown to be worse than the
    reference, as long as the verdict on one of them is open. The test set has no part in it.

    Args:
        chosen: trials at their chosen rates.
        reference: what arms are held against; None: the best on validation.
        margin: as in `Difference.verdict`.
        chance: on the validation samples of a trial.
        resolution: as in `Contrasts`.
        level: of this round (`level_of`).
    """
    values: dict[str, dict[int, float]] = defaultdict(dict)
    failed: Counter[str] = Counter()
    for trial in chosen:
        gain, _ = last_epoch(trial)
        # no mean takes an infinite loss: a network that diverged is worth a constant prediction
        values[trial.arm][trial.seed] = gain if math.isfinite(gain) else chance.gain
        failed[trial.arm] += chance.holds(gain)
    against = reference or best_arm(chosen)
    table = Contrasts(values, aside=out_of_line(values, failed), resolution=resolution, level=level)
    verdicts = {
        arm: seen.verdict(margin) if (seen := table.between(arm, against)) else "open"
        for arm in values
        if arm != against
    }
    if "open" not in verdicts.values():
        return []
    return [arm for arm in values if verdicts.get(arm) != "worse"]


def best_of(chosen: Sequence[Trained], seeds: Collection[int]) -> int:
    """Position of the trial to keep: of the arm with the highest mean gain on validation, that of
    `seeds` with the highest; lower validation loss breaks ties. One that did not diverge, if any.
    """
    last = [(gain, -loss) for gain, loss in map(last_epoch, chosen)]
    means = _means(chosen)
    return max(
        (i for i, trial in enumerate(chosen) if trial.seed in seeds),
        key=lambda i: (not is_lost(chosen[i]), means[chosen[i].arm], last[i]),
    )


def last_epoch(trial: Trained) -> tuple[float, float]:
    """Gain and loss of the last epoch on validation. If it diverged the worst that there is: 0
    where the metric is a share, else minus infinity, and an infinite loss."""
    metric, loss = METRICS[trial.metric], trial.epochs["val_loss"][-1]
    if is_lost(trial):
        return (0.0 if metric.form == "share" else -math.inf), math.inf
    return metric.gain(value(trial)), loss if math.isfinite(loss) else math.inf


def value(trial: Trained) -> float:
    """The metric of `trial` on validation after the last epoch; NaN if it diverged."""
    name = f"val_{trial.metric}"
    return trial.validation[name] if name in trial.validation else trial.epochs[name][-1]


def is_lost(trial: Trained) -> bool:
    """Whether it diverged, or its metric is no number."""
    return trial.outcome == "diverged" or not math.isfinite(value(trial))


def mean(values: Iterable[float]) -> float:
    """The same for every order of `values`."""
    numbers = list(values)
    return math.fsum(numbers) / len(numbers)
