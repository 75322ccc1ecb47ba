"""The chapter's rules, held against this data: supported, contradicted or undecided.

Each rule here is one paired comparison between two arms, each at its own best learning rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from warmstart.analysis.inference import LEVEL, holm, interval, paired_p_value
from warmstart.records import Record, Summary

CHAPTER = "Géron, Hands-On Machine Learning, 3rd edition, chapter 11"
Decision = Literal["supported", "contradicted", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`arm` errs less than `other` in one study."""

    id: str
    statement: str
    section: str
    study: str
    """`transfer` names that stage."""
    arm: str
    other: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A rule and what the records say of it."""

    id: str
    statement: str
    section: str
    verdict: Decision
    effect: float | None
    """Test accuracy of the rule's arm minus that of the other, mean over seeds."""
    interval: tuple[float, float] | None
    """95 %, of the effect."""
    seeds: int
    why: str
    """What was compared, or what is missing."""


_INITIALIZATION, _ACTIVATION = "Glorot and He initialization", "Better activation functions"
RULES = (
    Rule(
        id="he-for-relu",
        statement="With ReLU, He initialization beats Glorot's",
        section=_INITIALIZATION,
        study="initializer",
        arm="he_normal",
        other="glorot_normal",
    ),
    Rule(
        id="no-plain-normal",
        statement="Scaled initialization beats a plain normal with σ = 1",
        section=_INITIALIZATION,
        study="initializer",
        arm="glorot_normal",
        other="normal_1",
    ),
    Rule(
        id="no-zeros",
        statement="Weights must not start at zero: symmetric units never part",
        section=_INITIALIZATION,
        study="initializer",
        arm="glorot_normal",
        other="zeros",
    ),
    *(
        Rule(
            id=f"{better}-over-{worse}".replace("_", "-"),
            statement=f"{better.replace('_', ' ')} beats {worse.replace('_', ' ')}",
            section=_ACTIVATION,
            study="activation",
            arm=better,
            other=worse,
        )
        for better, worse in [
            ("selu", "elu"),
            ("elu", "leaky_relu"),
            ("leaky_relu", "relu"),
            ("relu", "tanh"),
            ("tanh", "sigmoid"),
        ]
    ),
    Rule(
        id="batch-norm",
        statement="Batch norm before the activation beats none",
        section="Batch normalization",
        study="batch_norm",
        arm="before",
        other="none",
    ),
    Rule(
        id="transfer",
        statement="With few labels, B on A's layers errs less than B from scratch",
        section="Reusing pretrained layers",
        study="transfer",
        arm="on_a",
        other="scratch",
    ),
)


def judge(
    studies: Mapping[str, tuple[Summary, Sequence[Record]]], rules: Sequence[Rule] = RULES
) -> tuple[Claim, ...]:
    """Every rule with its verdict, p-values corrected over all rules that can be tested (Holm).

    Args:
        studies: name of the study (or `transfer`) -> its summary and records.
        rules: to be judged.
    """
    differences = [_differences(rule, studies) for rule in rules]
    p_values = holm(
        [
            paired_p_value(d, resolution=1 / studies[rule.study][0].n_test) if d else None
            for rule, d in zip(rules, differences, strict=True)
        ]
    )
    return tuple(map(_claim, rules, differences, p_values))


def as_json(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """What `claims.json` holds."""
    return [asdict(claim) for claim in claims]


def _differences(
    rule: Rule, studies: Mapping[str, tuple[Summary, Sequence[Record]]]
) -> list[float]:
    """Accuracy of the rule's arm minus the other's, by seed; empty where an arm was not run.

    Counted in samples: accuracies are 32-bit numbers, and equal differences of counts must not
    come out as differences that vary by 1e-8, of which a t-test would be certain.
    """
    if rule.study not in studies:
        return []
    summary, records = studies[rule.study]
    hits: dict[str, dict[int, int]] = {rule.arm: {}, rule.other: {}}
    for record in records:
        if record.chosen and record.arm in hits:
            count = round(record.test["test_accuracy"] * summary.n_test)
            hits[record.arm][record.seed] = count
    one, other = hits[rule.arm], hits[rule.other]
    seeds = sorted(one.keys() & other.keys())
    return [(one[seed] - other[seed]) / summary.n_test for seed in seeds]


def _claim(rule: Rule, differences: Sequence[float], p_value: float | None) -> Claim:
    found = interval(differences) if differences else None
    verdict: Decision = "undecided"
    if found and p_value is not None and p_value < LEVEL:
        verdict = "supported" if found.mean > 0 else "contradicted"
    compared = f"{rule.arm} against {rule.other} in {rule.study}"
    if p_value is None:
        why = f"{compared}: not run on 3 seeds or more"
    else:
        why = f"{compared}, p = {p_value:.2g} (Holm)"
    bounds = None
    if found and found.low is not None and found.high is not None:
        bounds = (found.low, found.high)
    return Claim(
        id=rule.id,
        statement=rule.statement,
        section=f"{CHAPTER}, “{rule.section}”",
        verdict=verdict,
        effect=found.mean if found else None,
        interval=bounds,
        seeds=len(differences),
        why=why,
    )
