"""What validation data choose: each arm's learning rate, and the trial whose network is kept."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from warmstart.records import Record


def rate_scores(records: Sequence[Record]) -> dict[str, dict[float, tuple[float, float]]]:
    """arm -> learning rate -> (validation accuracy, validation loss), means over seeds.

    Of the last epoch, not the best one: picking an epoch by hindsight would favour noisy arms.
    A diverged trial scores accuracy 0 and an infinite loss. Arms in order of appearance, rates
    ascending.
    """
    trials: dict[str, dict[float, list[tuple[float, float]]]] = {}
    for record in records:
        scores = trials.setdefault(record.arm, defaultdict(list))
        scores[record.learning_rate].append(last_epoch(record))
    return {
        arm: {
            # rounded, so that equal scores stay equal whatever the order of the seeds
            rate: (round(mean(a for a, _ in pairs), 12), round(mean(b for _, b in pairs), 12))
            for rate, pairs in sorted(rates.items())
        }
        for arm, rates in trials.items()
    }


def choose_learning_rates(records: Sequence[Record]) -> dict[str, float]:
    """arm -> the learning rate with the highest validation accuracy (`rate_scores`).

    Ties go to the lower validation loss, then to the lower rate. Test data are not looked at.
    """
    return {
        arm: min(rates, key=lambda rate: (-rates[rate][0], rates[rate][1], rate))
        for arm, rates in rate_scores(records).items()
    }


def beyond_the_edge(records: Sequence[Record]) -> dict[str, float]:
    """arm -> one more learning rate to try, for each arm whose best one is an end of its grid.

    It lies as far beyond the end as that from its neighbour, as a ratio; to 3 digits.
    """
    found = {}
    for arm, best in choose_learning_rates(records).items():
        grid = sorted({record.learning_rate for record in records if record.arm == arm})
        if len(grid) > 1 and best in (grid[0], grid[-1]):
            neighbour = grid[1] if best == grid[0] else grid[-2]
            found[arm] = float(f"{best * best / neighbour:.3g}")
    return found


def best_of(chosen: Sequence[Record]) -> int:
    """Position of the trial to keep: of the arm with the best mean validation accuracy, the seed
    with the best; lower validation loss breaks ties. The test set has no say."""
    last = [(accuracy, -loss) for accuracy, loss in map(last_epoch, chosen)]
    of_arm: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for record, score in zip(chosen, last, strict=True):
        of_arm[record.arm].append(score)
    means = {
        arm: (mean(accuracy for accuracy, _ in scores), mean(loss for _, loss in scores))
        for arm, scores in of_arm.items()
    }
    return max(range(len(chosen)), key=lambda i: (means[chosen[i].arm], last[i]))


def best_record(records: Sequence[Record]) -> Record:
    """`best_of` those of `records` that were chosen."""
    chosen = [record for record in records if record.chosen]
    return chosen[best_of(chosen)]


def last_epoch(record: Record) -> tuple[float, float]:
    """Validation accuracy and loss of the last epoch; 0 and infinity if it diverged."""
    accuracy, loss = record.epochs["val_accuracy"][-1], record.epochs["val_loss"][-1]
    diverged = record.outcome == "diverged" or not math.isfinite(accuracy)
    return (0.0, math.inf) if diverged else (accuracy, loss if math.isfinite(loss) else math.inf)


def mean(values: Iterable[float]) -> float:
    """The same for every order of `values`."""
    numbers = list(values)
    return math.fsum(numbers) / len(numbers)
