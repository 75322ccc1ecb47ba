"""Networks beside what does without one, from planted truth."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fabricated import classified, finished, predicted
from parameters import params
from warmstart.analysis.advice import advise
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import summarize
from warmstart.analysis.yardsticks import best_network, held_against
from warmstart.records import Record

COMPARE = params().compare
NETWORK = [0.90, 0.91, 0.93, 0.92, 0.90]


def results_of(records: Sequence[Record], chance: float) -> Results:
    summary = summarize(
        records, data_name="x", n_test=100, chance=chance, margin=0.01, reference=None
    )
    return Results(summary=summary, records=tuple(records), timings={})


def study(records: Sequence[Record], chance: float) -> Results:
    """The default network and another, with the settings of the parameters."""
    arms = COMPARE.arms("activation")
    budget = {"epochs": str(COMPARE.epochs), "batch_size": str(COMPARE.batch_size)}
    return results_of(
        [
            replace(r, study="activation", settings=arms[r.arm].resolve(64).settings() | budget)
            for r in records
        ],
        chance,
    )


def advice(networks: Results, yardsticks: Results) -> str:
    found = advise(
        COMPARE,
        [networks],
        shape=(64,),
        classes=2,
        task=Path("full.npz"),
        yardsticks=yardsticks,
    )
    assert found
    return found.text


def yardsticks(linear: Sequence[float], boosting: Sequence[float]) -> Results:
    records = finished("majority", [0.5] * 5) + finished("linear", linear)
    return results_of(records + finished("gradient_boosting", boosting), 0.5)


def test_a_network_that_beats_all_is_recommended_as_ever() -> None:
    networks = study(finished("relu", NETWORK), 0.5)
    worse = yardsticks([a - 0.1 for a in NETWORK], [a - 0.2 for a in NETWORK])
    assert advice(networks, worse).startswith("Use the default, relu (activation)")
    held = held_against(worse, networks, "relu")
    assert [(one.name, one.verdict) for one in held] == [
        ("majority", "better"), ("linear", "better"), ("gradient_boosting", "better"),
    ]  # fmt: skip
    assert [one.difference.mean for one in held] == pytest.approx([0.412, 0.1, 0.2])


def test_what_is_not_beaten_is_said_first() -> None:
    networks = study(finished("relu", NETWORK), 0.5)
    text = advice(networks, yardsticks([a + 0.01 for a in NETWORK], [0.7] * 5))
    assert text.startswith(
        "relu (activation), test accuracy 91.2 % (89.6 to 92.8), is not shown to beat a linear "
        "model, 92.2 % (90.6 to 93.8): the difference over 5 seeds is -1.0 points"
    )
    assert " Among networks: use the default, relu (activation): hidden layers" in text


def test_nothing_is_recommended_without_a_signal() -> None:
    """95 of 100 samples are of one class: balanced accuracy is that of a guess."""
    noise = [0.49, 0.52, 0.5, 0.51, 0.47]
    networks = study(classified("relu", noise) + classified("silu", noise[::-1]), 0.5)
    records = classified("majority", [0.5] * 5) + classified("linear", [0.5, 0.55, 0.44, 0.5, 0.52])
    measured = results_of(records + classified("gradient_boosting", noise), 0.5)
    text = advice(networks, measured)
    assert text.startswith("Nothing here is worth using: ")
    assert "is not shown to beat always naming the most frequent class, 50.0 %" in text
    assert text.endswith("No signal is shown in these data.")
    assert "Use" not in text


def test_a_signal_that_networks_miss_is_named() -> None:
    networks = study(classified("relu", [0.5, 0.5, 0.5, 0.51, 0.5]), 0.5)
    records = classified("majority", [0.5] * 5) + classified("linear", [0.8, 0.79, 0.81, 0.8, 0.78])
    measured = results_of(
        records + classified("gradient_boosting", [0.6, 0.61, 0.59, 0.6, 0.6]), 0.5
    )
    text = advice(networks, measured)
    assert text.startswith("No network here is worth using: relu (activation)")
    assert "A linear model is better than that, 79.6 % (78.2 to 81.0)." in text
    assert "class_weight: balanced" in text


def test_of_errors_less_is_better() -> None:
    networks = study(predicted("relu", [5.0, 5.2, 5.1, 4.9, 5.0]), 20.0)
    records = predicted("mean", [20.0] * 5) + predicted("linear", [8.0, 8.1, 8.0, 7.9, 8.2])
    measured = results_of(records + predicted("gradient_boosting", [4.0, 4.1, 4.2, 4.0, 3.9]), 20.0)
    held = {one.name: one for one in held_against(measured, networks, "relu")}
    assert {name: one.verdict for name, one in held.items()} == {
        "mean": "better", "linear": "better", "gradient_boosting": "worse",
    }  # fmt: skip
    assert held["linear"].difference.mean == pytest.approx(5.04 - 8.04)
    assert "is not shown to beat gradient boosting, 4.04" in advice(networks, measured)


def test_networks_are_paired_over_the_seeds_that_yardsticks_have() -> None:
    """The network has seeds that nobody else has: they decide nothing."""
    networks = study(finished("relu", [*NETWORK, 0.1, 0.1]), 0.5)
    (_, linear, _) = held_against(yardsticks([a - 0.1 for a in NETWORK], NETWORK), networks, "relu")
    assert (linear.seeds, linear.difference.n) == (5, 5)
    assert linear.difference.mean == pytest.approx(0.1)


def test_two_seeds_show_nothing() -> None:
    networks = study(finished("relu", [0.9, 0.91]), 0.5)
    text = advice(networks, yardsticks([0.5, 0.6], [0.5, 0.6]))
    assert "is not shown to beat" in text
    text = advice(networks, yardsticks([0.97, 0.99], [0.5, 0.6]))
    assert "A linear model reaches 98.0 %" in text
    assert text.endswith(
        ", which is not shown to be better over 2 seeds either. No signal is shown in these data."
    )


def test_the_best_network_is_that_of_validation() -> None:
    one = study(finished("relu", NETWORK, val_accuracy=(0.8,)), 0.5)
    other = study(finished("silu", [0.6] * 5, val_accuracy=(0.9,)), 0.5)
    assert best_network([one, other]) == (other, "silu")
    assert best_network([]) is None
