"""What is recommended, from planted truth."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
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
    summary = summarize(records, data_name="x", n_test=100, chance=0.1, margin=0.01, reference=None)
    return Results(summary=summary, records=tuple(records), timings=timings)


def advice(*studies: Results) -> Advice | None:
    return advise(COMPARE, studies, shape=(64,), classes=10, task=Path("data/full.npz"))


def shifted(*by: float) -> list[float]:
    return [round(a + d, 2) for a, d in zip(BASE, by, strict=True)]


def test_what_validation_chooses_and_the_test_confirms_is_recommended() -> None:
    silu = shifted(0.04, 0.05, 0.04, 0.05, 0.04)
    found = advice(results_of({"relu": (0.9, BASE), "silu": (0.95, silu), "elu": (0.92, BASE)}))
    assert found
    assert found.text.startswith("Use silu (activation): hidden layers 100-50-50-50-50, silu, he_n")
    assert "Validation chooses it among 3 networks. Test accuracy 95.6 %" in found.text
    # residuals of the two-way layout: squares of 4.4 - d and 0 0 0, over 8 degrees of freedom;
    # q(0.95; 3, 8) = 4.041
    table = np.array([BASE, silu, BASE])
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    reach = 4.041 * np.sqrt((rest**2).sum() / 8 / 5)
    shown = f"+4.4 points ({100 * (0.044 - reach):+.1f} to {100 * (0.044 + reach):+.1f})"
    assert f"{shown} against the default, relu (activation)." in found.text
    assert found.text.endswith("An epoch of training takes 20.0 ms, the default's 10.0 ms.")
    assert 'Activation("silu")' in found.code


def test_the_test_set_chooses_nothing() -> None:
    """gelu does better in the test, and silu on validation."""
    more, most = shifted(0.04, 0.05, 0.04, 0.05, 0.04), shifted(0.06, 0.05, 0.06, 0.05, 0.06)
    arms = {"relu": (0.9, BASE), "silu": (0.96, more), "gelu": (0.95, most)}
    found = advice(results_of(arms))
    assert found
    assert found.text.startswith("Use silu")


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        (
            (0.02, -0.01, 0.02, 0.0, 0.02),
            "silu (activation), which validation chooses, is open: +1",
        ),
        ((0.0, 0.0, 0.01, 0.0, 0.0), "is practically equal to it (within 1 point): +0.2 points"),
        ((-0.05, -0.04, -0.05, -0.05, -0.05), "which validation chooses, is worse: -4.8 points"),
    ],
)
def test_where_nothing_beats_the_default_it_is_the_advice(
    gains: tuple[float, ...], said: str
) -> None:
    silu = shifted(*gains)
    found = advice(results_of({"relu": (0.9, BASE), "silu": (0.99, silu), "elu": (0.8, BASE)}))
    assert found
    assert found.text.startswith("Use the default, relu (activation)")
    assert said in found.text
    assert 'Activation("relu")' in found.code


def test_the_default_may_be_what_validation_chooses() -> None:
    found = advice(results_of({"relu": (0.9, BASE), "silu": (0.8, BASE)}))
    assert found
    assert "Of 2 networks none does better on validation." in found.text


def test_a_network_of_two_studies_counts_once() -> None:
    one = results_of({"relu": (0.9, BASE), "silu": (0.8, BASE)})
    other = results_of({"none": (0.9, BASE), "norm": (0.8, BASE)}, study="clipping")
    found = advice(one, other)
    assert found
    assert "Of 3 networks none" in found.text  # relu, silu and norm; none is relu once more


def test_a_network_of_two_studies_is_judged_by_all_its_seeds() -> None:
    few = results_of({"relu": (0.9, BASE[:3]), "silu": (0.8, BASE[:3])})
    many = results_of({"none": (0.9, BASE), "norm": (0.8, BASE)}, study="clipping")
    for studies in ((few, many), (many, few)):
        found = advice(*studies)
        assert found
        assert "none (clipping)" in found.text
        assert f"Test accuracy {100 * np.mean(BASE):.1f} %" in found.text


def test_a_study_that_shows_the_default_to_be_worse_is_named() -> None:
    """Among all networks the noise of the one that validation chooses hides it."""
    silu, noisy = shifted(0.03, 0.03, 0.03, 0.03, 0.03), shifted(0.05, -0.08, 0.05, -0.09, 0.05)
    within = results_of({"relu": (0.9, BASE), "silu": (0.94, silu)})
    other = results_of({"none": (0.9, BASE), "norm": (0.95, noisy)}, study="clipping")
    found = advice(within, other)
    assert found
    assert found.headline.endswith(
        "of 3 networks none is shown to be better, though among the arms of its own study silu "
        "(activation) is."
    )
    assert "among the arms of its own study: silu (activation)." in found.text
    alone = advice(other)
    assert alone
    assert "though" not in alone.headline


@pytest.mark.parametrize("changed", [{"epochs": "6"}, {"batch_size": "8"}, {"hidden": "7"}])
def test_what_was_run_otherwise_is_left_out(changed: dict[str, str]) -> None:
    better = shifted(0.04, 0.05, 0.04, 0.05, 0.04)
    other = results_of({"none": (0.9, BASE), "norm": (0.99, better)}, study="clipping", **changed)
    assert advice(other) is None
    found = advice(results_of({"relu": (0.9, BASE), "silu": (0.8, BASE)}), other)
    assert found
    assert "Of 2 networks none does better" in found.text


def test_skip_connections_are_described_and_no_other_run_stands_for_them() -> None:
    content = COMPARE.model_dump(exclude_unset=True, mode="json")
    arms = content["studies"]["activation"]["arms"]
    arms["silu"] = {"activation": "silu", "skip_connections": True}
    compare = type(COMPARE).model_validate_json(json.dumps(content))
    better = shifted(0.04, 0.05, 0.04, 0.05, 0.04)
    tried = {"relu": (0.9, BASE), "silu": (0.95, better)}

    def given(studies: Results) -> str:
        found = advise(compare, [studies], shape=(64,), classes=10, task=Path("data/full.npz"))
        assert found
        return found.text + found.code

    with_skips = results_of(tried, skip_connections="true")
    without = results_of(tried)
    text = given(with_skips)
    assert text.startswith(
        "Use silu (activation): hidden layers 100-50-50-50-50, silu, he_normal, "
    )
    assert "skip connections, sgd at a learning rate" in text
    assert "keras.layers.Add()([x, start])" in text
    assert given(without).startswith("Use the default, relu (activation)")
    assert advice(with_skips) is None  # what ran with them does not stand for what has none


def test_normalizations_and_schedules_are_described() -> None:
    better = shifted(0.04, 0.05, 0.04, 0.05, 0.04)
    content = COMPARE.model_dump(exclude_unset=True, mode="json")
    added = {"group_norm": {"after": {"groups": 5}}, "schedule": "cosine", "optimizer": "muon"}
    content["studies"]["activation"]["arms"]["silu"] = {"activation": "silu"} | added
    compare = type(COMPARE).model_validate_json(json.dumps(content))
    texts = {"group_norm": "after(groups=5)", "schedule": "cosine", "optimizer": "muon"}
    tried = results_of({"relu": (0.9, BASE), "silu": (0.95, better)}, **texts)
    found = advise(compare, [tried], shape=(64,), classes=10, task=Path("data/full.npz"))
    assert found
    assert "silu, he_normal, group norm after(groups=5), muon at a learning" in found.text
    assert ", schedule cosine. " in found.text
    assert 'exclude_layers=["logits"]' in found.code
    assert "CosineDecay(0.1, steps)" in found.code
    assert "GroupNormalization(5)" in found.code


def test_without_the_default_among_the_arms_the_best_on_validation_is_named() -> None:
    found = advice(results_of({"elu": (0.9, [0.99] * 5), "silu": (0.95, BASE)}))
    assert found
    assert found.text.startswith("Use silu (activation)")
    assert "how much better this is was not measured" in found.text
