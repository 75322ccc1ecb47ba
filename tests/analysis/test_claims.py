"""Rules with planted truth."""

from pathlib import Path

import numpy as np
import pytest

from fabricated import finished
from warmstart import params
from warmstart.analysis import claims
from warmstart.analysis.statistics import summarize

RULE = claims.Rule(
    id="one-over-other", statement="s", section="t", study="initializer", arm="one", other="other"
)
BASE = [0.90, 0.91, 0.93, 0.92, 0.90]


def judged(one: list[float], other: list[float] = BASE) -> claims.Claim:
    records = finished("one", one) + finished("other", other)
    summary = summarize(records, data_name="x", n_test=100, reference=None)
    (claim,) = claims.judge({"initializer": (summary, records)}, [RULE])
    return claim


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


def test_the_pairs_are_by_seed() -> None:
    """The same accuracies in another order: the mean stays, the certainty goes."""
    better = [a + d for a, d in zip(BASE, [0.01, 0.01, 0.02, 0.01, 0.01], strict=True)]
    sure, shuffled = judged(better), judged(better[2:] + better[:2])
    assert sure.effect == pytest.approx(shuffled.effect)
    assert (sure.verdict, shuffled.verdict) == ("supported", "undecided")


def test_what_was_not_run_is_undecided() -> None:
    (claim,) = claims.judge({}, [RULE])
    assert (claim.verdict, claim.effect, claim.interval, claim.seeds) == (
        "undecided",
        None,
        None,
        0,
    )
    assert "not run" in claim.why
    assert judged([0.99, 0.99], [0.5, 0.5]).verdict == "undecided"  # two seeds decide nothing


def test_many_rules_are_corrected_for_their_number() -> None:
    """p = 0.01 to 0.05 alone, no longer when it is one of ten."""
    one = [a + d for a, d in zip(BASE, [0.01, 0.02, 0.00, 0.03, 0.02], strict=True)]
    records = finished("one", one) + finished("other", BASE)
    found = {
        "initializer": (summarize(records, data_name="x", n_test=100, reference=None), records)
    }
    (alone,) = claims.judge(found, [RULE])
    among = claims.judge(found, [RULE] * 10)
    assert alone.verdict == "supported"
    assert {claim.verdict for claim in among} == {"undecided"}


def test_the_contracts_keys() -> None:
    (row,) = claims.as_json(claims.judge({}, [RULE]))
    assert set(row) >= {"id", "statement", "section", "verdict", "effect", "interval", "seeds"}
    assert len({rule.id for rule in claims.RULES}) == len(claims.RULES) >= 8


@pytest.mark.parametrize(("samples", "verdict"), [(1, "undecided"), (2, "supported")])
def test_seeds_that_agree_are_no_proof_of_certainty(samples: int, verdict: str) -> None:
    """One sample in each of five seeds: t = √5, p = 0.089; two: t = 2√5, p = 0.011. Their
    accuracies as 32-bit numbers differ by 1e-8 around it, which looked like p = 4e-21."""
    right = [323, 330, 341, 335, 327]
    one, other = (
        [float(np.float32(count / 359)) for count in counts]
        for counts in ([count + samples for count in right], right)
    )
    records = finished("one", one) + finished("other", other)
    summary = summarize(records, data_name="x", n_test=359, reference=None)
    (claim,) = claims.judge({"initializer": (summary, records)}, [RULE])
    assert claim.verdict == verdict
    assert claim.effect == pytest.approx(samples / 359, abs=1e-12)
    assert f"p = {0.089 if samples == 1 else 0.011}" in claim.why


def test_every_rule_names_arms_of_the_default_studies() -> None:
    known = params.load(Path(__file__).parents[2] / "params.yaml").compare.studies
    for rule in claims.RULES:
        if rule.study != "transfer":
            assert {rule.arm, rule.other} <= set(known[rule.study].arms), rule.id
