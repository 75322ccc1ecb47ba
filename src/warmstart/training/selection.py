"""What validation data choose: each arm's learning rate, and the trial whose network is kept.

Judging has no part in it, and the test set has no say.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from warmstart.training.trials import Outcome


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


def rate_scores(trials: Iterable[Trained]) -> dict[str, dict[float, tuple[float, float]]]:
    """arm -> learning rate -> (validation accuracy, validation loss), means over seeds.

    They are those of the last epoch, not the best one: picking an epoch by hindsight would favour
    noisy arms. A diverged trial scores accuracy 0 and an infinite loss. Arms in order of
    appearance, rates ascending.
    """
    by_rate: dict[str, dict[float, list[tuple[float, float]]]] = {}
    for trial in trials:
        scores = by_rate.setdefault(trial.arm, defaultdict(list))
        scores[trial.learning_rate].append(last_epoch(trial))
    return {
        arm: {
            # rounded, so that equal scores stay equal whatever the order of the seeds
            rate: (round(mean(a for a, _ in pairs), 12), round(mean(b for _, b in pairs), 12))
            for rate, pairs in sorted(rates.items())
        }
        for arm, rates in by_rate.items()
    }


def choose_learning_rates(trials: Iterable[Trained]) -> dict[str, float]:
    """arm -> the learning rate with the highest validation accuracy (`rate_scores`).

    Ties go to the lower validation loss, then to the lower rate.
    """
    return {
        arm: min(rates, key=lambda rate: (-rates[rate][0], rates[rate][1], rate))
        for arm, rates in rate_scores(trials).items()
    }


def beyond_the_edge(trials: Sequence[Trained]) -> dict[str, float]:
    """arm -> one more learning rate to try, for each arm whose best one is an end of its grid.

    It lies as far beyond the end as that from its neighbour, as a ratio; to 3 digits.
    """
    further = {}
    for arm, best in choose_learning_rates(trials).items():
        grid = sorted({trial.learning_rate for trial in trials if trial.arm == arm})
        if len(grid) > 1 and best in (grid[0], grid[-1]):
            neighbour = grid[1] if best == grid[0] else grid[-2]
            further[arm] = float(f"{best * best / neighbour:.3g}")
    return further


def best_of(chosen: Sequence[Trained], seeds: Collection[int]) -> int:
    """Position of the trial to keep: of the arm with the best mean validation accuracy, that of
    `seeds` with the best; lower validation loss breaks ties. One that did not diverge, if any."""
    last = [(accuracy, -loss) for accuracy, loss in map(last_epoch, chosen)]
    of_arm: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for trial, score in zip(chosen, last, strict=True):
        of_arm[trial.arm].append(score)
    means = {
        arm: (mean(accuracy for accuracy, _ in scores), mean(loss for _, loss in scores))
        for arm, scores in of_arm.items()
    }
    return max(
        (i for i, trial in enumerate(chosen) if trial.seed in seeds),
        key=lambda i: (last[i][0] > 0, means[chosen[i].arm], last[i]),
    )


def last_epoch(trial: Trained) -> tuple[float, float]:
    """Validation accuracy and loss of the last epoch; 0 and infinity if it diverged."""
    accuracy, loss = trial.epochs["val_accuracy"][-1], trial.epochs["val_loss"][-1]
    diverged = trial.outcome == "diverged" or not math.isfinite(accuracy)
    return (0.0, math.inf) if diverged else (accuracy, loss if math.isfinite(loss) else math.inf)


def mean(values: Iterable[float]) -> float:
    """The same for every order of `values`."""
    numbers = list(values)
    return math.fsum(numbers) / len(numbers)
