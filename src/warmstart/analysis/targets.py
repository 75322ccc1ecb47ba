"""How many epochs a trial takes to be nearly as good as the best arm ends up."""

from collections.abc import Iterable

from warmstart.records import Record
from warmstart.training.selection import last_epoch, mean

TARGET_SHARE = 0.95


def target_accuracy(arms: Iterable[Iterable[Record]]) -> float:
    """Validation accuracy to be reached: TARGET_SHARE of the best arm's in the last epoch, mean
    over seeds. Relative to the study, so that it means the same on easy and on hard data.

    Args:
        arms: of each arm, its trials at the chosen learning rate.
    """
    return TARGET_SHARE * max(mean(last_epoch(trial)[0] for trial in trials) for trials in arms)


def epochs_to_target(record: Record, target: float) -> float | None:
    """Epochs until the validation accuracy is `target` for the first time, on the straight line
    between the epochs around it (before the first, accuracy counts as 0); None where it never is,
    or the trial diverged later on."""
    if record.outcome == "diverged":
        return None
    before = 0.0
    for epoch, accuracy in enumerate(record.epochs["val_accuracy"]):
        if accuracy >= target:
            return epoch + (target - before) / (accuracy - before or 1)
        before = accuracy
    return None
