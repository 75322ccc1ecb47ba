"""Rules with planted truth."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

import parameters
from fabricated import finished, trial
from warmstart.analysis import chapter, claims, evidence, measures
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import summarize
from warmstart.records import Record

RULE = chapter.Rule("one-over-other", "s", ("one",), ("other",), section="t", study="initializer")
STRICT = 1e-4
"""A margin within which nothing of a hundred test samples can be shown to lie."""
BASE = [0.90, 0.91, 0.93, 0.92, 0.90]
TEST = {"test_accuracy": 0.9, "test_loss": 0.1}


def results_of(
    records: Sequence[Record], n_test: int = 100, chance: float = 0.1, **given: Any
) -> Results:
    summary = summarize(
        records, data_name="x", n_test=n_test, chance=chance, margin=0.01, reference=None
    )
    return Results(summary=summary, records=tuple(records), **{"timings": {}} | given)


def judge(results: Results, margin: float = STRICT, **changes: Any) -> claims.Claim:
    rule = dataclasses.replace(RULE, **changes)
    (claim,) = claims.judge({"initializer": results}, [rule], margin=margin)
    return claim


def judged(one: list[float], other: list[float] = BASE) -> claims.Claim:
    return judge(results_of(finished("one", one) + finished("other", other)))


@pytest.mark.parametrize(
    ("one", "verdict", "effect"),
    [
        ([0.95, 0.95, 0.96, 0.97, 0.94], "supported", 0.042),
        ([0.85, 0.87, 0.88, 0.88, 0.84], "contradicted", -0.048),
        ([0.91, 0.90, 0.93, 0.93, 0.89], "open", 0.0),
        (BASE, "open", 0.0),
    ],
)
def test_a_planted_difference_has_its_verdict(
    one: list[float], verdict: str, effect: float
) -> None:
    claim = judged(one)
    assert (claim.verdict, claim.seeds) == (verdict, 5)
    assert claim.effect == pytest.approx(effect, abs=1e-12)
    assert claim.missing == ""


def test_the_pairs_are_by_seed() -> None:
    """The same accuracies in another order: the mean stays, its error grows."""
    better = [a + d for a, d in zip(BASE, [0.01, 0.01, 0.02, 0.01, 0.01], strict=True)]
    paired, shuffled = judged(better), judged(better[2:] + better[:2])
    assert paired.effect == pytest.approx(shuffled.effect)
    assert (paired.verdict, shuffled.verdict) == ("supported", "open")


def test_several_arms_are_their_mean_seed_by_seed() -> None:
    """Each of a and b has a wild seed where the other has its opposite: their mean has none."""
    a = [x + d for x, d in zip(BASE, [0.06, 0.00, 0.06, 0.00, 0.05], strict=True)]
    b = [x + d for x, d in zip(BASE, [0.00, 0.06, 0.00, 0.06, 0.02], strict=True)]
    found = results_of([*finished("a", a), *finished("b", b), *finished("other", BASE)])
    claim = judge(found, arms=("a", "b"))
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(0.031))
    assert judge(found, arms=("a",)).verdict == "open"
    swapped = judge(found, arms=("other",), against=("a", "b"))
    assert (swapped.verdict, swapped.effect) == ("contradicted", pytest.approx(-0.031))


def test_what_an_arm_is_held_against_may_come_from_another_study() -> None:
    """`other` is in both studies: in its own it is as good as `one`, in the other one worse."""
    here = results_of(finished("one", BASE) + finished("other", BASE))
    there = results_of(finished("other", [a - 0.02 for a in BASE]))
    rule = dataclasses.replace(RULE, against_study="there")
    (claim,) = claims.judge({"initializer": here, "there": there}, [rule], margin=STRICT)
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(0.02))
    assert "against other in there" in claim.test
    (alone,) = claims.judge({"initializer": here}, [rule], margin=STRICT)
    assert alone.missing == "the study there, which was not run: with other"


def test_less_can_be_what_a_rule_expects() -> None:
    found = results_of(finished("one", [a + 0.02 for a in BASE]) + finished("other", BASE))
    assert judge(found, expects="more").verdict == "supported"
    assert judge(found, expects="less").verdict == "contradicted"


def test_what_was_not_run_says_what_is_missing() -> None:
    (claim,) = claims.judge({}, [RULE], margin=STRICT)
    assert (claim.verdict, claim.effect, claim.interval, claim.seeds) == ("open", None, None, 0)
    assert claim.missing == "the study initializer, which was not run: with one, other"
    lone = results_of(finished("one", BASE))
    assert judge(lone).missing == "arms that initializer did not have: other"
    both = results_of(finished("one", BASE) + finished("other", BASE))
    assert "timings of initializer" in judge(both, measure=measures.SECONDS).missing
    each = judge(both, measure=measures.SECONDS, each=True)
    assert "timings of initializer" in each.missing
    two = judged([0.99, 0.99], [0.5, 0.5])
    assert (two.verdict, two.missing) == ("open", "seeds: 3 or more")


# differences in samples of a hundred; the deviation of (0, 1, 0, 1, 0) is 0.548, so the 90 %
# interval reaches 2.132 × 0.548 / √5 = 0.522 to both sides of 0.4
@pytest.mark.parametrize(
    ("differences", "margin", "verdict"),
    [
        ((0, 1, 0, 1, 0), 0.0093, "practically equal"),
        ((0, 1, 0, 1, 0), 0.0091, "open"),
        ((0, -1, 0, -1, 0), 0.0093, "practically equal"),
        ((2, 3, 2, 3, 2), 0.01, "supported"),
        ((2, 3, 2, 3, 2), 0.03, "practically equal"),  # though it may be told from 0
        ((2, 3, 2, 3, 2), 0.0291, "supported"),
        ((2, 2, 2, 2, 2), 0.03, "practically equal"),  # as if the deviation were one sample
        ((2, 2, 2, 2, 2), 0.029, "supported"),
    ],
)
def test_arms_are_practically_equal_where_the_90_percent_interval_lies_in_the_margin(
    differences: Sequence[int], margin: float, verdict: str
) -> None:
    one = [a + d / 100 for a, d in zip(BASE, differences, strict=True)]
    found = results_of(finished("one", one) + finished("other", BASE))
    assert judge(found, margin).verdict == verdict


@pytest.mark.parametrize(("chance", "verdict"), [(0.895, "open"), (0.89, "practically equal")])
def test_arms_that_learn_nothing_are_not_equal(chance: float, verdict: str) -> None:
    """On a thousand samples 0.912 is 1.8 standard errors above 0.895, and 2.2 above 0.89."""
    records = finished("one", BASE) + finished("other", BASE)
    found = {"initializer": results_of(records, 1000, chance)}
    (claim,) = claims.judge(found, [RULE], margin=0.02)
    assert claim.verdict == verdict


def test_only_accuracies_have_a_margin() -> None:
    found = timed({"one": 0.0101, "other": 0.0100})
    assert judge(found, margin=0.5, measure=measures.SECONDS).verdict == "open"


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [(0.00, "supported"), (-0.01, "supported"), (-0.02, "open"), (-0.04, "contradicted")],
)
def test_no_less_is_held_against_the_margin_below(shift: float, verdict: str) -> None:
    """Non-inferiority: the margin is 2 points, the effect is shown as it is."""
    noise = [0.0, 0.002, -0.002, 0.001, -0.001]
    one = [a + shift + n for a, n in zip(BASE, noise, strict=True)]
    found = results_of(finished("one", one) + finished("other", BASE), n_test=1000)
    claim = judge(found, 0.02, expects="no less")
    assert (claim.verdict, claim.effect) == (verdict, pytest.approx(shift, abs=1e-12))
    assert "other minus 2 points" in claim.test


def test_a_rule_may_speak_of_large_data_only() -> None:
    found = {
        "initializer": results_of(
            finished("one", [a + 0.02 for a in BASE]) + finished("other", BASE)
        )
    }
    large = dataclasses.replace(RULE, fewest=10_000)
    (small_data,) = claims.judge(found, [large], margin=STRICT, training_samples=1079)
    assert small_data.verdict == "open"
    assert small_data.missing == "a training set of 10,000 or more samples; this one has 1,079"
    enough: dict[str, Any] = {"margin": STRICT, "training_samples": 10_000}
    assert claims.judge(found, [large], **enough)[0].verdict == "supported"
    small = dataclasses.replace(RULE, most=10_000)
    assert claims.judge(found, [small], **enough)[0].seeds == 0


def test_many_rules_are_corrected_for_their_number() -> None:
    """p = 0.01 to 0.05 alone, no longer when it is one of ten."""
    one = [a + d for a, d in zip(BASE, [0.01, 0.02, 0.00, 0.03, 0.02], strict=True)]
    found = {"initializer": results_of(finished("one", one) + finished("other", BASE))}
    (alone,) = claims.judge(found, [RULE], margin=STRICT)
    among = claims.judge(found, [RULE] * 10, margin=STRICT)
    assert alone.verdict == "supported"
    assert {claim.verdict for claim in among} == {"open"}
    sanity = dataclasses.replace(RULE, sanity=True)
    first, *checks = claims.judge(found, [RULE, *[sanity] * 9], margin=STRICT)
    assert first.p_value == alone.p_value
    assert {(check.verdict, check.p_value) for check in checks} == {("supported", alone.p_value)}


@pytest.mark.parametrize(("samples", "verdict"), [(1, "open"), (2, "supported")])
def test_seeds_that_agree_are_given_the_deviation_of_one_sample(samples: int, verdict: str) -> None:
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
    """Target 0.95 × 0.9 = 0.855. One reaches it 0.355/0.38 of the way from epoch 1 to 2, other
    0.255/0.3 from 2 to 3; who never does counts 5."""
    records = [
        trial("one", seed, val_accuracy=[0.5, 0.88, 0.9, 0.9], test=TEST) for seed in range(5)
    ] + [
        trial("other", seed, val_accuracy=[0.5, 0.6, top, top], test=TEST)
        for seed, top in enumerate([0.9, 0.9, 0.9, 0.8, 0.9])
    ]
    claim = judge(results_of(records), measure=measures.EPOCHS, expects="less")
    one, other = 1 + 0.355 / 0.38, 2 + 0.255 / 0.3
    assert claim.effect == pytest.approx(one - (4 * other + 5) / 5)
    assert claim.shown.startswith("-1.35 epochs (")


def test_overfitting_is_the_gap_of_losses_in_inference_mode() -> None:
    """The training loss of the records, of another mode and of earlier weights, has no say."""
    records, rows = [], []
    for arm, gaps in (("one", [0.05, 0.06, 0.07, 0.05]), ("other", [0.10, 0.11, 0.12, 0.11])):
        for seed, gap in enumerate(gaps):
            records.append(
                trial(arm, seed, val_accuracy=[0.5, 0.8], val_loss=[0.9, 0.3], test=TEST)
            )
            rows += looked_into(arm, seed, training_loss=[2.3] * 3 + [0.3 - gap] * 3)
    found = results_of(records, diagnostics=pd.DataFrame(rows))
    claim = judge(found, measure=measures.OVERFITTING, expects="less")
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(-0.0525))


def test_arms_are_compared_at_the_highest_rate_that_all_of_them_had() -> None:
    """One's grid was extended to 3; other was stopped after an epoch there, or diverged."""
    nan = math.nan
    records = []
    for seed in range(5):
        records += [
            trial("one", seed, 0.1, test=TEST),
            trial("one", seed, 1.0, val_accuracy=[0.8 + seed / 100, 0.99]),
            trial("one", seed, 3.0, val_accuracy=[0.1, 0.1]),
            trial("other", seed, 0.1, test=TEST),
        ]
        records.append(
            trial("other", seed, 1.0, val_accuracy=[0.3])
            if seed == 4
            else trial(
                "other", seed, 1.0, val_accuracy=[0.9, nan], val_loss=[1, nan], outcome="diverged"
            )
        )
    claim = judge(results_of(records), measure=measures.HIGHEST_RATE)
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(0.82 - 0.3 / 5))


def timed(
    arms: Mapping[str, float], load: Sequence[float] = (1.0, 1.02, 1.0, 1.03, 1.01)
) -> Results:
    """Arms that take so many seconds per epoch, each seed under a load that all feel; besides, each
    arm is slower by up to 4 %, in turn."""
    timings = {
        arm: {
            "by_seed": {
                str(seed): seconds * factor * (1 + 0.01 * ((seed + place) % 5))
                for seed, factor in enumerate(load)
            }
        }
        for place, (arm, seconds) in enumerate(arms.items())
    }
    records = [record for arm in arms for record in finished(arm, BASE)]
    return results_of(records, timings={"arms": timings})


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (0.005, "supported"),
        (0.0075, "open"),
        (0.014, "open"),
        (0.0151, "open"),  # not by more than the seeds differ
        (0.020, "contradicted"),
    ],
)
def test_times_are_ratios_and_half_as_much_again_decides_nothing(one: float, verdict: str) -> None:
    claim = judge(timed({"one": one, "other": 0.010}), measure=measures.SECONDS, expects="less")
    assert claim.verdict == verdict
    assert claim.effect == pytest.approx(math.log(one / 0.010), abs=1e-9)
    assert claim.shown.startswith(f"{one / 0.010:.2f} times (")


def test_against_each_the_nearest_rival_decides() -> None:
    given: dict[str, Any] = {
        "measure": measures.SECONDS,
        "expects": "less",
        "against": ("other", "third"),
        "each": True,
    }
    fast = judge(timed({"one": 0.004, "other": 0.010, "third": 0.012}), **given)
    assert (fast.verdict, fast.effect) == ("supported", pytest.approx(math.log(0.4), abs=1e-9))
    assert "other, third; the nearest verdict is that on other" in fast.test
    # against their mean it would be the fastest by a factor of 4
    slow = judge(timed({"one": 0.010, "other": 0.160, "third": 0.010}), **given)
    assert (slow.verdict, slow.p_value) == ("open", 1.0)
    beaten = judge(timed({"one": 0.010, "other": 0.160, "third": 0.004}), **given)
    assert beaten.verdict == "contradicted"
    alone = judge(timed({"one": 0.010, "third": 0.004}), **given | {"against": ("third",)})
    assert beaten.p_value is not None
    assert alone.p_value is not None
    assert 1e-7 < alone.p_value < beaten.p_value < 0.01  # Bonferroni


def test_time_to_the_target_is_epochs_times_seconds() -> None:
    found = timed({"one": 0.010, "other": 0.010})
    records = [
        trial(arm, seed, val_accuracy=accuracy, test=TEST)
        for arm, accuracy in (("one", [0.95, 1.0]), ("other", [0.0, 0.0, 0.95, 1.0]))
        for seed in range(5)
    ]
    found = results_of(records, timings=found.timings)
    claim = judge(found, measure=measures.SECONDS_TO_TARGET, expects="less")
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(math.log(1 / 3), abs=1e-9))


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
    assert judge(found, threshold=-3.1, **given).verdict == "open"
    assert judge(found, threshold=-9.0, **given).verdict == "contradicted"


def test_one_sided_units_drift_and_centre_are_those_of_the_last_look() -> None:
    rows = []
    for seed in range(4):
        last = {
            "one_sided": [0.1, 0.2, 0.3 + seed / 100],
            "activation_deviation": [2.0, 1.0, 10.0 ** (-0.4 - seed / 100)],
            "activation_mean": [-0.6, 0.3, 0.0],
        }
        rows += looked_into("one", seed, **{name: [0.9] * 3 + v for name, v in last.items()})
        equal = dict.fromkeys(("one_sided", "activation_mean"), [0.0] * 6)
        rows += looked_into("other", seed, activation_deviation=[1.0] * 6, **equal)
    records = finished("one", BASE[:4]) + finished("other", BASE[:4])
    found = results_of(records, diagnostics=pd.DataFrame(rows))
    assert judge(found, measure=measures.ONE_SIDED).effect == pytest.approx(0.205)
    drift = judge(found, measure=measures.DRIFT)
    assert (drift.verdict, drift.effect) == ("supported", pytest.approx(0.415))
    # |-0.6| / 2, 0.3 and 0
    assert judge(found, measure=measures.CENTRE).effect == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("forward", "backward", "verdict", "effect"),
    [
        (1.5, 0.7, "supported", math.log10(1.5)),
        (1.5, 0.3, "contradicted", -math.log10(0.3)),
        (0.4, 1.1, "contradicted", -math.log10(0.4)),
    ],
)
def test_variance_is_equal_where_neither_way_changes_it_twofold(
    forward: float, backward: float, verdict: str, effect: float
) -> None:
    rows = []
    for seed in range(4):
        noise = 1 + seed / 1000
        rows += looked_into(
            "one",
            seed,
            activation_deviation=[1.0, 9.0, forward * noise, 99, 99, 1],
            output_gradient=[1.0, 9.0, backward * noise, 99, 99, 1],
        )
    found = results_of(finished("one", BASE[:4]), diagnostics=pd.DataFrame(rows))
    given: dict[str, Any] = {"against": (), "expects": "less", "threshold": chapter.TWOFOLD}
    claim = judge(found, measure=measures.VARIANCE_CHANGE, **given)
    assert (claim.verdict, claim.effect) == (verdict, pytest.approx(effect, abs=2e-3))


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
    (row,) = claims.as_json(claims.judge({}, [RULE], margin=STRICT))
    assert set(row) >= {"id", "statement", "section", "verdict", "effect", "interval", "seeds"}
    assert len({rule.id for rule in chapter.RULES}) == len(chapter.RULES) >= 30


def test_a_claim_names_its_edition_and_what_it_speaks_of() -> None:
    records = finished("one", BASE, settings={"splits": "resampled"})
    records += finished("other", BASE, settings={"splits": "resampled"})
    new = judge(results_of(records))
    old = judge(results_of(finished("one", BASE) + finished("other", BASE)), edition=2)
    assert "3rd edition" in new.section
    assert "2nd edition" in old.section
    records = [dataclasses.replace(record, settings={"splits": "official"}) for record in records]
    official = judge(results_of(records)).scope
    assert new.scope == "these data, split and trained anew"
    assert official == "these data, all but the official test set split and trained anew"
    assert old.scope == "these data, trained anew"
    few = results_of(records)
    few = dataclasses.replace(few, summary=dataclasses.replace(few.summary, stage="transfer"))
    assert evidence.scope_of(few) == f"{official}, labels drawn anew"


def test_every_rule_names_arms_of_the_studies_there_are() -> None:
    compare = parameters.params().compare
    for rule in chapter.RULES:
        for study, arms in ((rule.study, rule.arms), (rule.against_study, rule.against)):
            if study in compare.studies:
                known = compare.arms(study) | compare.profiles(study)
                assert {*arms} <= set(known), rule.id
            else:
                assert study in ("", "transfer", "labels_50"), rule.id
        if not rule.against_study and rule.study != "transfer":
            assert {*rule.against} <= set(compare.arms(rule.study)), rule.id


def verdict(id: str, results: Results) -> str:
    """What the chapter's rule `id` comes to on the results of its study alone."""
    (rule,) = (rule for rule in chapter.RULES if rule.id == id)
    (claim,) = claims.judge({rule.study: results}, [rule], margin=STRICT)
    return claim.verdict


@pytest.mark.parametrize(
    ("grown", "expected"), [(20.0, "supported"), (1.2, "contradicted"), (1.5, "open")]
)
def test_skip_connections_are_expected_to_break_self_normalization(
    grown: float, expected: str
) -> None:
    """By the look of a profile, which has no records, against that of an arm before training. Plain
    layers change the deviation by a half; after training they do so a hundredfold."""
    rows = []
    for seed in range(3):
        noise = 1 + seed / 100
        plain = [1.0, 1.2, 1.5 * noise, 1.0, 10.0, 100.0]
        rows += looked_into("selu", seed, activation_deviation=plain, output_gradient=[1.0] * 6)
        look = looked_into(
            "selu_skip",
            seed,
            activation_deviation=[1.0, 1.1, grown * (1.01 if seed == 1 else 1.03)] * 2,
            output_gradient=[1.0] * 6,
        )
        rows += [row for row in look if not row["epoch"]]
    given = results_of(finished("selu", BASE[:4]), diagnostics=pd.DataFrame(rows))
    assert verdict("selu-broken-by-skip", given) == expected
    (rule,) = (rule for rule in chapter.RULES if rule.id == "selu-broken-by-skip")
    assert rule.sanity
    trained = pd.DataFrame([row for row in rows if row["arm"] == "selu"])
    alone = dataclasses.replace(given, diagnostics=trained)
    (claim,) = claims.judge({"depth": alone}, [rule], margin=STRICT)
    assert claim.missing == "arms that depth did not have: selu_skip"


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
        rows += looked_into(arm, seed, one_sided=[0.0] * 3 + [0.3 + seed / 100] * 3)
        rows += looked_into(other, seed, one_sided=[0.0] * 6)
    records = finished("relu", BASE) + finished("leaky_relu", BASE)
    assert verdict("relu-dies", results_of(records, diagnostics=pd.DataFrame(rows))) == expected


@pytest.mark.parametrize(("shift", "expected"), [(0.05, "supported"), (-0.05, "contradicted")])
def test_batch_norm_is_expected_to_do_as_well_as_standardization(
    shift: float, expected: str
) -> None:
    arms = {"raw_normalized": shift, "none": 0.0, "raw": -0.5}
    records = [r for arm, by in arms.items() for r in finished(arm, [a + by for a in BASE])]
    assert verdict("batch-norm-raw-input", results_of(records)) == expected


@pytest.mark.parametrize(("before", "expected"), [(0.024, "supported"), (0.004, "contradicted")])
def test_batch_norm_is_expected_to_take_more_time(before: float, expected: str) -> None:
    assert verdict("batch-norm-cost", timed({"before": before, "none": 0.010})) == expected


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
