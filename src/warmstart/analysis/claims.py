"""The chapter's rules, held against this data: supported, contradicted, practically equal or open.

Each rule is a paired comparison over seeds, each arm at its own best learning rate. Rules are
tested at a family-wise error rate of LEVEL (Holm 1979), sanity checks apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from warmstart.analysis.chapter import RULES, Rule
from warmstart.analysis.inference import holm, interval, paired_p_value
from warmstart.analysis.measures import judged
from warmstart.analysis.results import Results
from warmstart.contrasts import LEVEL, MINIMUM_SEEDS

BOOK = "Géron, Hands-On Machine Learning"
ORDINAL = {2: "2nd", 3: "3rd"}
Decision = Literal["supported", "contradicted", "practically equal", "open"]
_SCOPES = {
    "resampled": "these data, split and trained anew",
    "official": "these data, all but the official test set split and trained anew",
    "fixed": "these data, trained anew",
}
"""`data.splits` -> what a claim speaks of."""


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


@dataclass(frozen=True, kw_only=True)
class _Evidence:
    """What a comparison came to."""

    values: tuple[float, ...] = ()
    """One per seed: the effect."""
    zero: float = 0.0
    """The effect that is tested against."""
    p_value: float | None = None
    """Before the correction."""
    equal: bool = False
    """Whether the effect was shown to lie within the margin."""
    against: str = ""
    scope: str = ""
    best: float = math.inf
    """The better mean of the measure, of both sides."""
    luck: float = -math.inf
    """What is no better may be chance: see `chance.luck`."""
    missing: str = ""
    """What it takes to decide."""

    @property
    def mean(self) -> float:
        return interval(self.values).mean


_NUMBERS = _Evidence(missing="classes: the target here is a number")


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
        (rule, _NUMBERS)
        if rule.of_classes and not of_classes
        else (rule, _unless_at_chance(rule, _evidence(rule, results, margin, training_samples)))
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


def _evidence(
    rule: Rule, results: Mapping[str, Results], margin: float, samples: int | None
) -> _Evidence:
    if samples is not None and not rule.fewest <= samples < rule.most:
        wanted = f"{rule.fewest:,} or more" if rule.fewest else f"less than {rule.most:,}"
        return _Evidence(missing=f"a training set of {wanted} samples; this one has {samples:,}")
    other = rule.against_study or rule.study
    needed = {rule.study: list(rule.arms)}
    needed.setdefault(other, []).extend(rule.against)
    for study, arms in needed.items():
        if study not in results:
            holds = rule.how or f"with {', '.join(arms)}"
            return _Evidence(missing=f"the study {study}, which was not run: {holds}")
        if absent := [arm for arm in arms if not results[study].has(arm)]:
            return _Evidence(missing=f"arms that {study} did not have: {', '.join(absent)}")
    if rule.each:
        return _strictest(rule, [_compared(rule, results, margin, (a,)) for a in rule.against])
    return _compared(rule, results, margin, rule.against)


def _compared(
    rule: Rule, results: Mapping[str, Results], margin: float, against: Sequence[str]
) -> _Evidence:
    """The rule's arms against the mean of `against`, or the rule's threshold, seed by seed."""
    study, measure = results[rule.study], rule.measure
    zero = -margin if rule.expects == "no less" else 0.0 if against else rule.threshold
    ours = _mean_by_seed(rule, study, rule.arms)
    theirs = dict.fromkeys(ours, 0.0)
    if against:
        theirs = _mean_by_seed(rule, results[rule.against_study or rule.study], against)
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return _Evidence(missing=f"{measure.source} of {rule.study} with {measure.text}")
    # rounded, since equal differences must stay equal: they would look like a spread of 1e-17
    values = tuple(round(ours[seed] - theirs[seed], 12) for seed in seeds)
    resolution = measure.resolution(study)
    named = _named(against) or f"{measure.show(zero)} {measure.unit}"
    if rule.expects == "no less":
        sign = "plus" if measure.lower_is_better else "minus"
        in_points = measure.unit == "points"
        named += f" {sign} {100 * margin:g} points" if in_points else f" {sign} {margin:.3g}"
    return _Evidence(
        values=values,
        zero=zero,
        p_value=_p_value([v - zero for v in values], measure.ignored, resolution),
        equal=(
            measure.has_margin
            and bool(against)
            and rule.expects != "no less"
            and _is_within(values, margin, resolution)
        ),
        against=named,
        scope=_scope(study),
        best=max(sum(side[s] for s in seeds) / len(seeds) for side in (ours, theirs)),
        luck=measure.own(study.summary.luck),
    )


def _unless_at_chance(rule: Rule, given: _Evidence) -> _Evidence:
    """`given`, but not as equal where chance alone may come as far as the better side: arms that
    have not learnt are not equal."""
    if not rule.measure.has_margin or given.best > given.luck:
        return given
    return replace(given, equal=False, missing="arms that learn: these are all at chance")


def _mean_by_seed(rule: Rule, study: Results, arms: Sequence[str]) -> dict[int, float]:
    """The measure, mean over `arms`, for each seed that all of them have."""
    of_arms = [rule.measure.by_seed(study, arm) for arm in arms]
    seeds = set.intersection(*map(set, of_arms))
    return {seed: sum(values[seed] for values in of_arms) / len(arms) for seed in seeds}


def _p_value(effects: Sequence[float], ignored: float, resolution: float) -> float | None:
    """That of "the mean effect is no larger than `ignored`, in either direction"."""
    mean = interval(effects).mean
    if len(effects) >= MINIMUM_SEEDS and ignored and abs(mean) <= ignored:
        return 1.0
    nearest = ignored if mean > 0 else -ignored
    return paired_p_value([effect - nearest for effect in effects], resolution=resolution)


def _is_within(effects: Sequence[float], margin: float, resolution: float) -> bool:
    """Whether the 90 % interval of the effect lies inside ±margin: two one-sided tests at 5 %
    (Schuirmann 1987)."""
    if abs(interval(effects).mean) >= margin:
        return False
    tests = (
        paired_p_value([effect - bound for effect in effects], resolution=resolution)
        for bound in (-margin, margin)
    )
    return all(p is not None and p < 2 * LEVEL for p in tests)


def _strictest(rule: Rule, comparisons: Sequence[_Evidence]) -> _Evidence:
    """Of a rule about each of several rivals, the comparison that decides.

    The rule holds where it holds against each: the largest p-value tests that (intersection-union,
    Berger 1982). It fails where one rival turns it round: their smallest p-value, times their
    number, tests that (Bonferroni).
    """
    if missing := [one for one in comparisons if one.missing]:
        return missing[0]

    def p(one: _Evidence) -> float:
        return 1.0 if one.p_value is None else one.p_value

    turned = [one for one in comparisons if not _as_expected(rule, one)]
    decides = min(turned, key=p) if turned else max(comparisons, key=p)
    corrected = decides.p_value
    if turned and corrected is not None:
        corrected = min(1.0, len(comparisons) * corrected)
    against = f"each of {', '.join(rule.against)}; the nearest verdict is that on {decides.against}"
    return replace(decides, p_value=corrected, against=against)


def _as_expected(rule: Rule, given: _Evidence) -> bool:
    return (given.mean > given.zero) == (rule.expects != "less")


def _scope(study: Results) -> str:
    labels = ", labels drawn anew" if study.summary.stage == "transfer" else ""
    return _SCOPES[study.summary.splits] + labels


def _verdict(rule: Rule, given: _Evidence, p_value: float | None) -> Decision:
    if given.equal:
        return "practically equal"
    if p_value is None or p_value >= LEVEL:
        return "open"
    return "supported" if _as_expected(rule, given) else "contradicted"


def _claim(rule: Rule, given: _Evidence, p_value: float | None) -> Claim:
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
        left_out=given is _NUMBERS,
    )


def _test(rule: Rule, given: _Evidence) -> str:
    against = given.against or _named(rule.against) or rule.measure.show(rule.threshold)
    if rule.against_study:
        against += f" in {rule.against_study}"
    # rules are written for what is better when it is more
    turned = {"more": "less", "less": "more", "no less": "no more"}
    expects = turned[rule.expects] if rule.measure.lower_is_better else rule.expects
    return (
        f"{rule.study}: {_named(rule.arms)} against {against}, "
        f"expected {expects} {rule.measure.text}"
    )


def _named(arms: Sequence[str]) -> str:
    return f"the mean of {', '.join(arms)}" if len(arms) > 1 else "".join(arms)


def _shown(rule: Rule, mean: float, bounds: tuple[float, float] | None) -> str:
    text = f"{rule.measure.show(mean)} {rule.measure.unit}".strip()
    if bounds is None:
        return text
    return f"{text} ({rule.measure.show(bounds[0])} to {rule.measure.show(bounds[1])})"
