import pytest

from fabricated import trial
from warmstart.analysis.targets import epochs_to_target, target_value


def test_the_target_is_95_percent_of_the_best_arm_in_the_last_epoch() -> None:
    a = [trial("a", 0, val_accuracy=[0.99, 0.8]), trial("a", 1, val_accuracy=[0.1, 0.6])]
    b = [trial("b", 0, val_accuracy=[0.2, 0.9]), trial("b", 1, val_accuracy=[0.2, 0.7])]
    assert target_value([a, b]) == pytest.approx(0.95 * 0.8)


def test_between_two_epochs_lies_a_straight_line() -> None:
    """Up to the first epoch from 0: half of 0.5 is reached after half of it."""
    record = trial("a", val_accuracy=[0.5, 0.8, 0.7, 0.9])
    targets = (0.25, 0.5, 0.6, 0.8, 0.85)
    reached = [epochs_to_target(record, target) for target in targets]
    assert reached == pytest.approx([0.5, 1, 1 + 1 / 3, 2, 3.75])
    assert epochs_to_target(record, 0.91) is None
    assert epochs_to_target(trial("a", val_accuracy=[0.0, 0.1]), 0.0) == 0


def test_a_trial_that_diverges_has_reached_nothing() -> None:
    record = trial("a", val_accuracy=[0.9, 0.95, float("nan")], outcome="diverged")
    assert epochs_to_target(record, 0.9) is None
