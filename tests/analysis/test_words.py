"""Values and differences in the metric's own direction and unit."""

import pytest

from warmstart.analysis.summary import Interval
from warmstart.analysis.words import Wording, errors
from warmstart.metrics import METRICS


def interval(mean: float, low: float | None = None, high: float | None = None) -> Interval:
    return Interval(mean=mean, low=low, high=high, sd=None, n=5)


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("accuracy", interval(0.971, 0.9634, 0.979), "97.1 % (96.3 to 97.9)"),
        ("roc_auc", interval(0.5), "50.0 %"),
        ("log_loss", interval(0.1, 0.08, 0.12), "0.100 (0.080 to 0.120)"),
        ("r2", interval(-0.02, -0.1, 0.06), "-0.020 (-0.100 to 0.060)"),
        ("rmse", interval(4.1234, 4.0, 4.25), "4.12 (4.00 to 4.25)"),
        ("rmse", interval(123456.7, 120000.4, 126913), "123,457 (120,000 to 126,913)"),
        ("mae", interval(0.012345), "0.0123"),
        ("rmse", Interval(mean=0.0, low=None, high=None, sd=None, n=0), "–"),
    ],
)
def test_values(metric: str, value: Interval, said: str) -> None:
    assert Wording(METRICS[metric]).mean(value) == said


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("accuracy", interval(0.012, 0.003, 0.021), "+1.2 points (+0.3 to +2.1)"),
        ("log_loss", interval(-0.05, -0.06, -0.04), "-0.050 (-0.060 to -0.040)"),
        ("rmse", interval(-0.4, -0.61, -0.19), "-0.400 (-0.610 to -0.190)"),
        ("rmse", interval(1500.0, -20.0, 3020.0), "+1,500 (-20 to +3,020)"),
        ("mae", interval(0.0), "+0.00"),
    ],
)
def test_differences(metric: str, value: Interval, said: str) -> None:
    assert Wording(METRICS[metric]).difference(value) == said


def test_margins_and_titles() -> None:
    assert Wording(METRICS["accuracy"]).within(0.01) == "within 1 point"
    assert Wording(METRICS["roc_auc"]).within(0.02) == "within 2 points"
    assert Wording(METRICS["rmse"], "price").within(0.768) == "within 0.768"
    assert Wording(METRICS["rmse"], "price").title == "RMSE of price"
    assert Wording(METRICS["r2"], "price").title == "R²"
    assert Wording(METRICS["rmse"]).nothing(20.04) == "always predicting the mean gives 20.0"


def test_factors_of_errors() -> None:
    assert errors(interval(2.0, 1.5, 2.6)) == "2.00 times fewer errors (1.50 to 2.60)"
    assert errors(interval(0.5, 0.4, 0.8), "rmse") == "an error 2.00 times larger (1.25 to 2.50)"
