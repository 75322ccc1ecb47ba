"""What a record reached in the metric that decides."""

import math
from dataclasses import replace

import pytest

from fabricated import classified, finished, predicted, trial
from warmstart.analysis import scores
from warmstart.analysis.scores import curve, followed, gains, validated

NAN = math.nan


def test_errors_of_numbers_are_followed_in_the_unit_of_the_target() -> None:
    """A deviation of 20: the standardized loss of 0.0625 is an RMSE of 5."""
    (record,) = predicted("a", [5.0])
    assert record.epochs["val_loss"] == pytest.approx((0.25, 0.0625))
    assert curve(record) == pytest.approx((10, 5))
    mae = replace(record, metric="mae")
    assert curve(mae) == pytest.approx((8, 4))
    r2 = replace(record, metric="r2")
    assert curve(r2) == pytest.approx((0.75, 0.9375))
    assert [validated(r) for r in (record, mae, r2)] == pytest.approx([5, 4, 0.9375])
    assert [scores.tested(r) for r in (record, mae, r2)] == pytest.approx([5, 4, 0.9375])


def test_where_no_epoch_has_the_metric_the_loss_is_followed() -> None:
    (record,) = classified("a", [0.8])
    assert (validated(record), scores.tested(record)) == (0.8, 0.8)
    assert curve(record) == (0.6, 0.4)
    assert [followed(name).title for name in ("balanced_accuracy", "roc_auc", "log_loss")] == [
        "loss"
    ] * 3
    assert followed("balanced_accuracy").metric.higher_is_better is False
    assert followed("accuracy").title == "accuracy"


def test_what_diverged_is_as_bad_as_can_be() -> None:
    lost = trial("a", val_accuracy=(0.9, NAN), val_loss=(1, NAN), outcome="diverged")
    assert validated(lost) == 0
    assert validated(replace(lost, metric="rmse", validation={"val_rmse": NAN})) == math.inf
    assert validated(replace(lost, metric="r2", validation={"val_r2": NAN})) == -math.inf


def test_a_test_without_a_number_counts_as_learning_nothing() -> None:
    good, lost = predicted("a", [5.0, 6.0])
    lost = replace(lost, test=lost.test | {"test_rmse": NAN})
    assert gains({"a": [good, lost]}, 100, 20.0) == {"a": {0: -5, 1: -20}}
    third = finished("a", [0.333])
    assert gains({"a": third}, 3, 0.5) == {"a": {0: 1 / 3}}  # a whole sample of three
