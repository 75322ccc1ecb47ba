"""What is recommended, from planted truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fabricated import finished
from parameters import params
from warmstart.analysis.advice import Advice, advise
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import summarize

COMPARE = params().compare
BASE = [0.90, 0.91, 0.93, 0.92, 0.90]


def results_of(
    arms: Mapping[str, tuple[float, Sequence[float]]], study: str = "activation", **changed: str
) -> Results:
    """`arms`: name -> validation accuracy and test accuracies by seed, settings as in params.yaml
    but for what is `changed`. An epoch takes 10 ms, of the second arm 20 ms."""
    records = []
    for name, (validated, accuracies) in arms.items():
        settings = COMPARE.arms(study)[name].resolve(64).settings() | {
            "epochs": str(COMPARE.epochs),
            "batch_size": str(COMPARE.batch_size),
        }
        given: dict[str, Any] = {"settings": settings | changed, "val_accuracy": (validated,)}
        records += finished(name, accuracies, study=study, **given)
    timings = {"arms": {a: {"seconds_per_epoch": 0.01 * (i + 1)} for i, a in enumerate(arms)}}
    summary = summarize(records, data_name="x", n_test=100, reference=None)
    return Results(summary=summary, records=tuple(records), timings=timings)


def advice(*studies: Results) -> Advice | None:
    return advise(COMPARE, studies, features=64, classes=10, task=Path("data/full.npz"))


def shifted(*by: float) -> list[float]:
    return [round(a + d, 2) for a, d in zip(BASE, by, strict=True)]


def test_what_beats_the_default_beyond_doubt_is_recommended() -> None:
    silu = shifted(0.04, 0.05, 0.04, 0.05, 0.04)
    found = advice(results_of({"relu": (0.9, BASE), "silu": (0.95, silu), "elu": (0.99, BASE)}))
    assert found
    assert found.text.startswith("Use silu (activation): hidden layers 100-50-50-50-50, silu, he_n")
    assert "+4.4 points (+3.7 to +5.1) against the default, relu (activation)" in found.text
    # differences 4, 5, 4, 5, 4 of 100: t = 4.4 / (0.548 / √5) = 17.96, p = 5.66e-5, times 2 arms
    assert "p = 0.00011, corrected for 2 alternatives, 5 seeds" in found.text
    assert found.text.endswith("An epoch of training takes 20.0 ms, the default's 10.0 ms.")
    assert 'Activation("silu")' in found.code


def test_validation_chooses_among_those_that_are_certain() -> None:
    more, most = shifted(0.04, 0.05, 0.04, 0.05, 0.04), shifted(0.06, 0.05, 0.06, 0.05, 0.06)
    arms = {"relu": (0.9, BASE), "silu": (0.96, more), "gelu": (0.95, most)}
    found = advice(results_of(arms))
    assert found
    assert found.text.startswith("Use silu")


def test_where_nothing_beats_the_default_it_is_the_advice() -> None:
    # 2, -1, 2, 0, 2 of 100: effect 0.707, for which G*Power asks for 22 seeds at a level of 0.025
    silu = shifted(0.02, -0.01, 0.02, 0.0, 0.02)
    found = advice(results_of({"relu": (0.9, BASE), "silu": (0.99, silu), "elu": (0.8, BASE)}))
    assert found
    assert found.text.startswith("Use the default, relu (activation)")
    assert "None of 2 alternatives beats it beyond doubt on 5 seeds" in found.text
    assert "silu (activation): +1.0 points" in found.text
    assert "would take 22 seeds" in found.text
    assert 'Activation("relu")' in found.code


def test_a_network_of_two_studies_counts_once() -> None:
    one = results_of({"relu": (0.9, BASE), "silu": (0.8, BASE)})
    other = results_of({"none": (0.9, BASE), "norm": (0.8, BASE)}, study="clipping")
    found = advice(one, other)
    assert found
    assert "None of 2 alternatives" in found.text  # silu and norm; none is relu once more


@pytest.mark.parametrize("changed", [{"epochs": "6"}, {"batch_size": "8"}, {"hidden": "7"}])
def test_what_was_run_otherwise_is_left_out(changed: dict[str, str]) -> None:
    better = shifted(0.04, 0.05, 0.04, 0.05, 0.04)
    other = results_of({"none": (0.9, BASE), "norm": (0.99, better)}, study="clipping", **changed)
    assert advice(other) is None
    found = advice(results_of({"relu": (0.9, BASE), "silu": (0.8, BASE)}), other)
    assert found
    assert "The one alternative does not beat it beyond doubt on 5 seeds. silu (act" in found.text


def test_without_the_default_among_the_arms_the_best_on_validation_is_named() -> None:
    found = advice(results_of({"elu": (0.9, [0.99] * 5), "silu": (0.95, BASE)}))
    assert found
    assert found.text.startswith("Use silu (activation)")
    assert "how much better this is was not measured" in found.text
