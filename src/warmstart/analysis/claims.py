"""The chapter's rules, held against this data: supported, contradicted, practically equal or open.

Each rule is a paired comparison over seeds, each arm at its own best learning rate. Rules are
tested at a family-wise error rate of LEVEL (Holm 1979), sanity checks apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from warmstart.analysis.chapter import RULES, Rule
from warmstart.analysis.evidence import (
    NUMBERS,
    Evidence,
    as_expected,
    evidence_of,
    named,
    unless_at_chance,
)
from warmstart.analysis.inference import holm, interval
from warmstart.analysis.measures import judged
from warmstart.analysis.results import Results
from warmstart.contrasts import LEVEL, MINIMUM_SEEDS

BOOK = "Géron, Hands-On Machine Learning"
ORDINAL = {2: "2nd", 3: "3rd"}
Decision = Literal["supported", "contradicted", "practically equal", "open"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A rule and what the results say of it."""

    id: str
    statement: str
    section: str
    sanity: bool
    """Whether the answer was known beforehand: such claims are not counted."""
    verdict: Decision
    effect: float | None
    """The rule's arms minus what they are held against, mean over seeds; where that is a number,
    the value of the arms; of times, the natural logarithm of the ratio."""
    interval: tuple[float, float] | None
    """95 % interval of the effect."""
    seeds: int
    measure: str
    """What the effect is a number of."""
    unit: str
    """In which `shown` gives it; the effect itself is a share, a logarithm or a plain number."""
    shown: str
    """The effect and its interval for readers; empty where there is none."""
    p_value: float | None
    """Corrected over all counted rules that could be tested (Holm); of a sanity check its own."""
    test: str
    """What was compared."""
    scope: str
    """What the claim speaks of; empty where it could not be tested."""
    missing: str
    """What a test lacks; empty where there was one."""
    left_out: bool = False
    """Whether it speaks of classes, and numbers are predicted: such claims are not counted."""


def judge(
    results: Mapping[str, Results],
    rules: Sequence[Rule] = RULES,
    *,
    margin: float,
    training_samples: int | None = None,
    of_classes: bool = True,
) -> tuple[Claim, ...]:
    """Every rule with its verdict, p-values corrected over all counted rules that can be tested
    (Holm).

    Args:
        results: by study, and `transfer`.
        rules: to be judged.
        margin: what differs by less in the metric that decides is practically equal.
        training_samples: of the studies' task, where known: some rules speak of large or of small
            training sets only.
        of_classes: whether classes are predicted; where numbers are, rules that speak of classes
            are left out.
    """
    rules = [_in_words_of(rule, results) for rule in rules]
    pairs = [
        (rule, NUMBERS)
        if rule.of_classes and not of_classes
        else (rule, unless_at_chance(rule, evidence_of(rule, results, margin, training_samples)))
        for rule in rules
    ]
    counted = iter(holm([one.p_value for rule, one in pairs if not rule.sanity]))
    return tuple(
        _claim(rule, one, one.p_value if rule.sanity else next(counted)) for rule, one in pairs
    )


def _in_words_of(rule: Rule, results: Mapping[str, Results]) -> Rule:
    """With its measure in the metric by which its study is judged, or any that was run."""
    known = results.get(rule.study) or next(iter(results.values()), None)
    return replace(rule, measure=judged(rule.measure, known)) if known else rule


def as_json(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """What `claims.json` holds."""
    return [asdict(claim) for claim in claims]


def _verdict(rule: Rule, given: Evidence, p_value: float | None) -> Decision:
    if given.equal:
        return "practically equal"
    if p_value is None or p_value >= LEVEL:
        return "open"
    return "supported" if as_expected(rule, given) else "contradicted"


def _claim(rule: Rule, given: Evidence, p_value: float | None) -> Claim:
    effect = interval(given.values) if given.values else None
    own, bounds = rule.measure.own, None
    if effect and effect.low is not None and effect.high is not None:
        low, high = sorted((own(effect.low), own(effect.high)))
        bounds = (low, high)
    missing = given.missing
    if effect and p_value is None:
        missing = f"seeds: {MINIMUM_SEEDS} or more"
    return Claim(
        id=rule.id,
        statement=rule.statement,
        section=f"{BOOK}, {ORDINAL[rule.edition]} edition, chapter 11, “{rule.section}”",
        sanity=rule.sanity,
        verdict=_verdict(rule, given, p_value),
        effect=own(effect.mean) if effect else None,
        interval=bounds,
        seeds=len(given.values),
        measure=rule.measure.text,
        unit=rule.measure.unit,
        shown=_shown(rule, own(effect.mean), bounds) if effect else "",
        p_value=p_value,
        test=_test(rule, given),
        scope=given.scope,
        missing=missing,
        left_out=given is NUMBERS,
    )


def _test(rule: Rule, given: Evidence) -> str:
    against = given.against or named(rule.against) or rule.measure.show(rule.threshold)
    if rule.against_study:
        against += f" in {rule.against_study}"
    # rules are written for what is better when it is more
    turned = {"more": "less", "less": "more", "no less": "no more"}
    expects = turned[rule.expects] if rule.measure.lower_is_better else rule.expects
    return (
        f"{rule.study}: {named(rule.arms)} against {against}, "
        f"expected {expects} {rule.measure.text}"
    )


def _shown(rule: Rule, mean: float, bounds: tuple[float, float] | None) -> str:
    text = f"{rule.measure.show(mean)} {rule.measure.unit}".strip()
    if bounds is None:
        return text
    return f"{text} ({rule.measure.show(bounds[0])} to {rule.measure.show(bounds[1])})"
