"""The numbers of `dvc exp show`, from planted truth."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from fabricated import finished, predicted, trial
from warmstart.analysis.headlines import headlines
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import summarize
from warmstart.records import Record

NETWORK = [0.90, 0.91, 0.93, 0.92, 0.90]


def results_of(records: Sequence[Record], chance: float, reference: str | None = None) -> Results:
    known = {"data_name": "x", "n_test": 1000, "chance": chance, "margin": 0.01}
    summary = summarize(records, reference=reference, **known)  # type: ignore[arg-type]
    return Results(summary=summary, records=tuple(records), timings={})


def better(values: Sequence[float], by: float) -> list[float]:
    return [round(value + by, 3) for value in values]


def test_they_say_what_was_reached_what_it_brought_and_what_it_took() -> None:
    """Of three arms the best on validation is named, though the test prefers another; one of the
    others is worse, the other open."""
    unsteady = [0.99, 0.85, 0.99, 0.80, 0.99]
    study = results_of(
        finished("good", NETWORK, val_accuracy=(0.5, 0.95), val_loss=(0.6, 0.3))
        + finished("worse", better(NETWORK, -0.2), val_accuracy=(0.5, 0.7))
        + finished("open", unsteady, val_accuracy=(0.5, 0.9))
        + [trial("worse", learning_rate=0.2, val_accuracy=(0.5,))],
        0.1,
    )
    others = finished("majority", [0.5] * 5) + finished("linear", better(NETWORK, -0.03))
    transfer = results_of(
        finished("scratch", NETWORK, stage="transfer")
        + finished("on_a", better(NETWORK, 0.04), stage="transfer", val_accuracy=(0.97,)),
        0.5,
        reference="scratch",
    )
    found = headlines([study], transfer, results_of(others, 0.5))
    assert list(found) == [
        "accuracy", "low", "high", "gain", "b_accuracy", "b_gain", "decided", "epochs",
    ]  # fmt: skip
    # t of 4 degrees of freedom 2.776, deviation 0.01304 over √5
    assert [found[name] for name in ("accuracy", "low", "high")] == pytest.approx(
        [0.912, 0.8958, 0.9282], abs=1e-4
    )
    assert [found[name] for name in ("gain", "b_accuracy", "b_gain")] == pytest.approx(
        [0.03, 0.952, 0.04]
    )
    assert found["decided"] == 0.6667
    assert found["epochs"] == 5 * 2 + 10 + 1 + 10


def test_less_error_is_a_gain() -> None:
    errors = [4.4, 4.5, 4.3, 4.4, 4.4]
    study = results_of(predicted("relu", errors), 20.0)
    others = results_of(
        predicted("mean", [20.0] * 5) + predicted("linear", better(errors, 0.8)), 20.0
    )
    found = headlines([study], None, others)
    assert found["rmse"] == pytest.approx(4.4)
    assert found["gain"] == pytest.approx(0.8)


def test_what_was_not_run_has_no_number() -> None:
    assert headlines([], None, None) == {"epochs": 0}


def test_a_network_that_always_diverged_reached_no_number() -> None:
    lost = [
        replace(record, test=dict.fromkeys(record.test, math.nan), outcome="diverged")
        for record in predicted("lost", [4.0, 5.0])
    ]
    assert "rmse" not in headlines([results_of(lost, 20.0)], None, None)
