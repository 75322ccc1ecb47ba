"""Rules with planted truth."""

import dataclasses
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

import parameters
from fabricated import finished, trial
from warmstart.analysis import chapter, claims, measures
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import summarize
from warmstart.config.params import parse
from warmstart.records import Record

RULE = chapter.Rule("one-over-other", "s", ("one",), ("other",), section="t", study="initializer")
ROOT = Path(__file__).parents[2]
BASE = [0.90, 0.91, 0.93, 0.92, 0.90]
TEST = {"test_accuracy": 0.9, "test_loss": 0.1}


def results_of(records: Sequence[Record], n_test: int = 100, **given: Any) -> Results:
    summary = summarize(
        records, data_name="x", n_test=n_test, chance=0.1, margin=0.01, reference=None
    )
    return Results(summary=summary, records=tuple(records), **{"timings": {}} | given)


def judge(results: Results, **changes: Any) -> claims.Claim:
    rule = dataclasses.replace(RULE, **changes)
    (claim,) = claims.judge({"initializer": results}, [rule])
    return claim


def judged(one: list[float], other: list[float] = BASE) -> claims.Claim:
    return judge(results_of(finished("one", one) + finished("other", other)))


@pytest.mark.parametrize(
    ("one", "verdict", "effect"),
    [
        ([0.95, 0.95, 0.96, 0.97, 0.94], "supported", 0.042),
        ([0.85, 0.87, 0.88, 0.88, 0.84], "contradicted", -0.048),
        ([0.91, 0.90, 0.93, 0.93, 0.89], "undecided", 0.0),
        (BASE, "undecided", 0.0),
    ],
)
def test_a_planted_difference_has_its_verdict(
    one: list[float], verdict: str, effect: float
) -> None:
    claim = judged(one)
    assert (claim.verdict, claim.seeds) == (verdict, 5)
    assert claim.effect == pytest.approx(effect, abs=1e-12)
    assert (claim.takes == "") == (verdict != "undecided")


def test_the_pairs_are_by_seed() -> None:
    """The same accuracies in another order: the mean stays, the certainty goes."""
    better = [a + d for a, d in zip(BASE, [0.01, 0.01, 0.02, 0.01, 0.01], strict=True)]
    sure, shuffled = judged(better), judged(better[2:] + better[:2])
    assert sure.effect == pytest.approx(shuffled.effect)
    assert (sure.verdict, shuffled.verdict) == ("supported", "undecided")


def test_several_arms_are_their_mean_seed_by_seed() -> None:
    """Each of a and b has a wild seed where the other has its opposite: their mean is certain."""
    a = [x + d for x, d in zip(BASE, [0.06, 0.00, 0.06, 0.00, 0.05], strict=True)]
    b = [x + d for x, d in zip(BASE, [0.00, 0.06, 0.00, 0.06, 0.02], strict=True)]
    found = results_of([*finished("a", a), *finished("b", b), *finished("other", BASE)])
    claim = judge(found, arms=("a", "b"))
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(0.031))
    assert judge(found, arms=("a",)).verdict == "undecided"
    swapped = judge(found, arms=("other",), against=("a", "b"))
    assert (swapped.verdict, swapped.effect) == ("contradicted", pytest.approx(-0.031))


def test_what_an_arm_is_held_against_may_come_from_another_study() -> None:
    """`other` is in both studies: in its own it is as good as `one`, in the other one worse."""
    here = results_of(finished("one", BASE) + finished("other", BASE))
    there = results_of(finished("other", [a - 0.02 for a in BASE]))
    rule = dataclasses.replace(RULE, against_study="there")
    (claim,) = claims.judge({"initializer": here, "there": there}, [rule])
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(0.02))
    assert "against other in there" in claim.test
    (missing,) = claims.judge({"initializer": here}, [rule])
    assert missing.takes == "the study there, which was not run: with other"


def test_less_can_be_what_a_rule_expects() -> None:
    found = results_of(finished("one", [a + 0.02 for a in BASE]) + finished("other", BASE))
    assert judge(found, expects="more").verdict == "supported"
    assert judge(found, expects="less").verdict == "contradicted"


def test_what_was_not_run_says_what_it_takes() -> None:
    (claim,) = claims.judge({}, [RULE])
    assert (claim.verdict, claim.effect, claim.interval, claim.seeds) == (
        "undecided",
        None,
        None,
        0,
    )
    assert claim.takes == "the study initializer, which was not run: with one, other"
    lone = results_of(finished("one", BASE))
    assert judge(lone).takes == "arms that initializer did not have: other"
    assert (
        "timings of initializer"
        in judge(
            results_of(finished("one", BASE) + finished("other", BASE)), measure=measures.SECONDS
        ).takes
    )
    two = judged([0.99, 0.99], [0.5, 0.5])
    assert (two.verdict, two.takes) == ("undecided", "3 seeds")


def test_what_is_undecided_says_how_many_seeds_it_takes() -> None:
    # differences 2, -1, 2, 0, 2 samples: effect 0.707, level 0.05: G*Power asks for 18
    nearly = [a + d for a, d in zip(BASE, [0.02, -0.01, 0.02, 0.0, 0.02], strict=True)]
    assert judged(nearly).takes == "18 seeds"
    assert judged(BASE).takes == "no difference"


def test_a_rule_may_speak_of_large_data_only() -> None:
    found = {
        "initializer": results_of(
            finished("one", [a + 0.02 for a in BASE]) + finished("other", BASE)
        )
    }
    large = dataclasses.replace(RULE, fewest=10_000)
    (small_data,) = claims.judge(found, [large], training_samples=1079)
    assert small_data.verdict == "undecided"
    assert small_data.takes == "a training set of 10,000 or more samples; this one has 1,079"
    assert claims.judge(found, [large], training_samples=10_000)[0].verdict == "supported"
    small = dataclasses.replace(RULE, most=10_000)
    assert claims.judge(found, [small], training_samples=10_000)[0].seeds == 0


def test_many_rules_are_corrected_for_their_number() -> None:
    """p = 0.01 to 0.05 alone, no longer when it is one of ten."""
    one = [a + d for a, d in zip(BASE, [0.01, 0.02, 0.00, 0.03, 0.02], strict=True)]
    found = {"initializer": results_of(finished("one", one) + finished("other", BASE))}
    (alone,) = claims.judge(found, [RULE])
    among = claims.judge(found, [RULE] * 10)
    assert alone.verdict == "supported"
    assert {claim.verdict for claim in among} == {"undecided"}


@pytest.mark.parametrize(("samples", "verdict"), [(1, "undecided"), (2, "supported")])
def test_seeds_that_agree_are_no_proof_of_certainty(samples: int, verdict: str) -> None:
    """One sample in each of five seeds: t = √5, p = 0.089; two: t = 2√5, p = 0.011. Their
    accuracies as 32-bit numbers differ by 1e-8 around it, which looked like p = 4e-21."""
    right = [323, 330, 341, 335, 327]
    one, other = (
        [float(np.float32(count / 359)) for count in counts]
        for counts in ([count + samples for count in right], right)
    )
    claim = judge(results_of(finished("one", one) + finished("other", other), n_test=359))
    assert claim.verdict == verdict
    assert claim.effect == pytest.approx(samples / 359, abs=1e-12)
    assert claim.p_value == pytest.approx(0.089 if samples == 1 else 0.011, abs=5e-4)


def test_epochs_to_the_target_count_who_never_gets_there_as_too_late() -> None:
    """Target 0.95 × 0.9 = 0.855: one takes 2 epochs in every seed, other 3 or more than 4."""
    records = [
        trial("one", seed, val_accuracy=[0.5, 0.88, 0.9, 0.9], test=TEST) for seed in range(5)
    ] + [
        trial("other", seed, val_accuracy=[0.5, 0.6, top, top], test=TEST)
        for seed, top in enumerate([0.9, 0.9, 0.9, 0.8, 0.9])
    ]
    claim = judge(results_of(records), measure=measures.EPOCHS, expects="less")
    assert claim.effect == pytest.approx(-(1 + 1 + 1 + 3 + 1) / 5)
    assert claim.shown.startswith("-1.4 epochs (")


def test_overfitting_is_the_gap_of_the_last_epoch() -> None:
    def with_gap(arm: str, seed: int, gap: float) -> Record:
        record = trial(arm, seed, val_accuracy=[0.2, 0.8], test=TEST)
        epochs = record.epochs | {"accuracy": (0.9, 0.8 + gap)}
        return dataclasses.replace(record, epochs=epochs)

    gaps = [0.10, 0.11, 0.12, 0.10]
    records = [with_gap("one", s, g - 0.05 - 0.01 * (s % 2)) for s, g in enumerate(gaps)]
    records += [with_gap("other", s, g) for s, g in enumerate(gaps)]
    claim = judge(results_of(records), measure=measures.OVERFITTING, expects="less")
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(-0.055))


def test_the_highest_rate_counts_whether_or_not_it_was_chosen() -> None:
    nan = math.nan
    records = []
    for seed in range(5):
        records += [
            trial("one", seed, 0.1, test=TEST),
            trial("one", seed, 1.0, val_accuracy=[0.9 + seed / 100]),
            trial("other", seed, 0.1, test=TEST),
            trial(
                "other", seed, 1.0, val_accuracy=[0.9, nan], val_loss=[1, nan], outcome="diverged"
            ),
        ]
    claim = judge(results_of(records), measure=measures.HIGHEST_RATE)
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(0.92))


def test_seconds_come_from_the_timings() -> None:
    timings = {
        "arms": {
            arm: {"by_seed": {str(s): base + 0.001 * s * s for s in range(5)}}
            for arm, base in (("one", 0.010), ("other", 0.014))
        }
    }
    timings["arms"]["other"]["by_seed"]["0"] += 0.001
    records = finished("one", BASE) + finished("other", BASE)
    claim = judge(results_of(records, timings=timings), measure=measures.SECONDS, expects="less")
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(-0.0042))
    assert claim.shown.startswith("-4.2 ms (")


def looked_into(arm: str, seed: int, **columns: Sequence[float]) -> list[dict[str, Any]]:
    """Two looks (epochs 0 and 4) at layers 1, 2, 3 and the head; columns give epoch 0 and then 4,
    layer by layer, without the head."""
    return [
        {"arm": arm, "seed": seed, "epoch": epoch, "layer": layer}
        | {
            name: math.nan if layer == 4 else values[3 * (epoch // 4) + layer - 1]
            for name, values in columns.items()
        }
        for epoch in (0, 4)
        for layer in (1, 2, 3, 4)
    ]


def test_gradients_are_those_of_the_first_hidden_layer_against_the_last_at_initialization() -> None:
    rows = [
        row
        for seed in range(4)
        for row in looked_into(
            "one", seed, output_gradient=[10.0 ** -(4 + seed / 10), 1e-3, 1e-1, 1, 1, 1]
        )
    ]
    found = results_of(finished("one", BASE[:4]), diagnostics=pd.DataFrame(rows))
    given: dict[str, Any] = {"measure": measures.GRADIENT_DECAY, "against": (), "expects": "less"}
    claim = judge(found, threshold=-2.0, **given)
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(-3.15))
    assert judge(found, threshold=-3.1, **given).verdict == "undecided"
    assert judge(found, threshold=-9.0, **given).verdict == "contradicted"


def test_dead_units_and_drift_are_those_of_the_last_look() -> None:
    rows = []
    for seed in range(4):
        dead = [0.9, 0.9, 0.9, 0.1, 0.2, 0.3 + seed / 100]
        deviation = [1.0, 1.0, 1.0, 1.0, 1.0, 10.0 ** (-0.4 - seed / 100)]
        rows += looked_into("one", seed, dead=dead, activation_deviation=deviation)
        none, one = [0.0] * 6, [1.0] * 6
        rows += looked_into("other", seed, dead=none, activation_deviation=one)
    records = finished("one", BASE[:4]) + finished("other", BASE[:4])
    found = results_of(records, diagnostics=pd.DataFrame(rows))
    assert judge(found, measure=measures.DEAD).effect == pytest.approx(0.205)
    drift = judge(found, measure=measures.DRIFT)
    assert (drift.verdict, drift.effect) == ("supported", pytest.approx(0.415))


def test_clipping_is_looked_at_where_it_starts() -> None:
    rows = []
    for seed in range(4):
        rows += looked_into("one", seed, clip_cosine=[0.9 + seed / 100] * 3 + [1.0] * 3)
    found = results_of(finished("one", BASE[:4]), diagnostics=pd.DataFrame(rows))
    given: dict[str, Any] = {"measure": measures.CLIP_COSINE, "against": (), "expects": "less"}
    claim = judge(found, threshold=1.0, **given)
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(0.915))


def test_a_layer_that_gets_no_gradient_is_a_number_too() -> None:
    rows = looked_into("one", 0, output_gradient=[0.0, 1, 1, 1, 1, 1])
    rows += looked_into("one", 1, output_gradient=[math.nan, 1, 1, 1, 1, 1])
    found = results_of(finished("one", BASE[:2]), diagnostics=pd.DataFrame(rows))
    assert measures.GRADIENT_DECAY.by_seed(found, "one") == {0: measures.FAINTEST}


def test_the_contracts_keys() -> None:
    (row,) = claims.as_json(claims.judge({}, [RULE]))
    assert set(row) >= {"id", "statement", "section", "verdict", "effect", "interval", "seeds"}
    assert len({rule.id for rule in chapter.RULES}) == len(chapter.RULES) >= 30


def test_every_rule_names_arms_of_the_studies_there_are() -> None:
    """Those of params.yaml, and those that docs/studies.md has ready."""
    yaml = YAML(typ="safe", pure=True)
    content = parameters.content()
    section = (ROOT / "docs/studies.md").read_text().split("## Studies for more of the rules")[1]
    ready = yaml.load(re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)[0])
    content["compare"]["studies"] |= ready
    compare = parse(content).compare
    for rule in chapter.RULES:
        assert rule.study in compare.studies or rule.study == "transfer", rule.id
        if rule.study in compare.studies:
            assert {*rule.arms, *rule.against} <= set(compare.arms(rule.study)), rule.id


def verdict(id: str, results: Results) -> str:
    """What the chapter's rule `id` comes to on the results of its study alone."""
    (rule,) = (rule for rule in chapter.RULES if rule.id == id)
    (claim,) = claims.judge({rule.study: results}, [rule])
    return claim.verdict


def test_selu_is_expected_to_beat_elu() -> None:
    better = finished("selu", [a + 0.05 for a in BASE]) + finished("elu", BASE)
    worse = finished("selu", [a - 0.05 for a in BASE]) + finished("elu", BASE)
    assert verdict("selu-over-elu", results_of(better)) == "supported"
    assert verdict("selu-over-elu", results_of(worse)) == "contradicted"


@pytest.mark.parametrize(
    ("arm", "other", "expected"),
    [("relu", "leaky_relu", "supported"), ("leaky_relu", "relu", "contradicted")],
)
def test_relu_is_expected_to_have_the_dead_units(arm: str, other: str, expected: str) -> None:
    rows = []
    for seed in range(5):
        rows += looked_into(arm, seed, dead=[0.0] * 3 + [0.3 + seed / 100] * 3)
        rows += looked_into(other, seed, dead=[0.0] * 6)
    records = finished("relu", BASE) + finished("leaky_relu", BASE)
    assert verdict("relu-dies", results_of(records, diagnostics=pd.DataFrame(rows))) == expected


@pytest.mark.parametrize(("before", "expected"), [(0.014, "supported"), (0.006, "contradicted")])
def test_batch_norm_is_expected_to_take_more_time(before: float, expected: str) -> None:
    arms = {"before": before, "none": 0.010}
    timings = {
        "arms": {
            arm: {"by_seed": {str(s): seconds + (arm == "none") * 1e-4 * s for s in range(5)}}
            for arm, seconds in arms.items()
        }
    }
    records = finished("before", BASE) + finished("none", BASE)
    assert verdict("batch-norm-cost", results_of(records, timings=timings)) == expected


@pytest.mark.parametrize(
    ("power", "expected"), [(-3, "supported"), (-1, "contradicted"), (1, "contradicted")]
)
def test_sigmoid_gradients_vanish_where_they_fall_a_hundredfold(power: int, expected: str) -> None:
    """A tenth of the gradient in the first layer is not yet vanishing."""
    rows = []
    for seed in range(5):
        gradients = [10.0 ** (power + seed / 100), 1, 1] * 2
        rows += looked_into("sigmoid", seed, output_gradient=gradients)
    given = results_of(finished("sigmoid", BASE), diagnostics=pd.DataFrame(rows))
    assert verdict("sigmoid-vanishes", given) == expected
