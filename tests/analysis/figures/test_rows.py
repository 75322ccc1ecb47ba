import math

import pytest
from made_up import ERRORS, looked_into, results

from fabricated import finished, predicted, trial
from warmstart.analysis.figures.looks import palette
from warmstart.analysis.figures.rows import error, rows
from warmstart.analysis.results import Results
from warmstart.metrics import METRICS


def of(found: Results) -> dict:
    arms = [*found.arms, "profile"]
    return rows(found, palette({"s": arms})["s"], {})


@pytest.mark.parametrize(
    ("metric", "value", "place"),
    [
        ("accuracy", 0.98, 0.02),
        ("accuracy", 1.0, 0.001),  # the smallest error worth showing
        ("r2", 0.9, 0.1),
        ("r2", 1.0, 1e-6),
        ("rmse", 3.5, 3.5),
        ("log_loss", 0.25, 0.25),
        ("log_loss", 0.0, 1e-6),
    ],
)
def test_places_are_errors(metric: str, value: float, place: float) -> None:
    assert error(METRICS[metric], value, 0.001) == pytest.approx(place)


def test_the_ranking_has_the_numbers_of_the_summary() -> None:
    found = results()
    ranking = {row["arm"]: row for row in of(found)["ranking"]}
    assert list(ranking) == list(found.summary.arms)
    for arm, row in ranking.items():
        test = found.summary.arms[arm].test
        assert (row["value"], row["low"], row["high"]) == (test.mean, test.low, test.high)
        assert row["place"] == pytest.approx(1 - test.mean, rel=1e-4)
        assert row["place_high"] < row["place"] < row["place_low"]
        assert row["near_high"] - row["near_low"] == pytest.approx(0.02, rel=1e-3)
        assert row["shown"].startswith(f"{100 * test.mean:.1f} %")
    assert ranking[found.summary.reference]["verdict"] == "reference"
    assert ranking["bad"]["verdict"] == "worse"


def test_an_error_is_its_own_place_in_its_unit() -> None:
    records = [
        record
        for arm, errors in {"a": [4.0, 5.0, 6.0], "b": [8.0, 8.5, 9.0]}.items()
        for record in predicted(arm, errors)
    ]
    row = next(row for row in of(results(records))["ranking"] if row["arm"] == "a")
    assert (row["value"], row["place"]) == (5.0, 5.0)
    assert (row["measure"], row["unit"], row["best"]) == ("RMSE of price", "", 0)
    assert row["place_low"] < 5 < row["place_high"]


def test_an_interval_beyond_no_error_ends_at_a_tenth() -> None:
    """The t interval of 1, 1 and 10 reaches below 0."""
    records = predicted("a", [1.0, 1.0, 10.0]) + predicted("b", [5.0, 5.5, 6.0])
    row = next(row for row in of(results(records))["ranking"] if row["arm"] == "a")
    assert row["low"] < 0
    assert row["place_low"] == pytest.approx(row["place"] / 10)


def test_a_curve_ends_where_a_seed_diverged() -> None:
    whole = finished("fine", [0.9, 0.92])
    broken = [
        trial("lost", seed, val_accuracy=accuracy, test={"test_loss": 1, "test_accuracy": 0.5})
        for seed, accuracy in enumerate([(0.5, 0.6, 0.7), (0.4, 0.5, math.nan)])
    ]
    broken[1] = trial(
        "lost",
        1,
        val_accuracy=(0.4, 0.5, math.nan),
        outcome="diverged",
        test={"test_loss": 1, "test_accuracy": 0.5},
    )
    curve = [row for row in of(results(whole + broken))["learning_curves"] if row["arm"] == "lost"]
    assert [(row["epoch"], row["diverged"]) for row in curve] == [(1, False), (2, True)]
    assert [row["value"] for row in curve] == pytest.approx([0.45, 0.55])


def test_times_are_epochs_by_the_pace_of_the_arm() -> None:
    drawn = of(results())
    assert [row["seconds"] for row in drawn["times"]] == [
        row["epoch"] * 0.5 for row in drawn["learning_curves"]
    ]


def test_the_rate_that_most_seeds_chose_is_marked_once_per_arm() -> None:
    drawn = of(results())["learning_rates"]
    chosen = {row["arm"]: row["learning_rate"] for row in drawn if row["chosen"]}
    assert chosen == {"good": 0.1, "near": 0.1, "bad": 0.1, "diverging": 0.3}
    assert len(drawn) == len(ERRORS) * 5


def test_layers_of_one_seed_at_both_ends_without_the_head() -> None:
    layers = of(results(diagnostics=looked_into()))["layers"]
    seen = [(r["arm"], r["quantity"], r["look"], r["layer"], r["value"]) for r in layers]
    assert ("good", "activations", "after training", 3, 3.0) in seen
    assert ("profile", "gradients", "at initialization", 3, 0.001) in seen
    assert {row["depth"] for row in layers} == {3}
    # three layers at three ends, without layer 2's gradient of 0, which no logarithm has
    assert len(layers) == len(seen) == 3 * 3 + 2 * 3
