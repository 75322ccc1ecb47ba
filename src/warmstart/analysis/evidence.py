"""What the results hold for or against a rule of the chapter: one effect per seed, and how sure it
is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from warmstart.analysis.chapter import Rule
from warmstart.analysis.inference import interval, paired_p_value
from warmstart.analysis.results import Results
from warmstart.contrasts import LEVEL, MINIMUM_SEEDS

_SCOPES = {
    "resampled": "these data, split and trained anew",
    "official": "these data, all but the official test set split and trained anew",
    "fixed": "these data, trained anew",
}
"""`data.splits` -> what a claim speaks of."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
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


NUMBERS = Evidence(missing="classes: the target here is a number")
"""That of rules about classes where numbers are predicted."""


def evidence_of(
    rule: Rule, results: Mapping[str, Results], margin: float, samples: int | None
) -> Evidence:
    """What `results` hold for or against `rule`, or what they lack.

    Args:
        rule: its measure in the words of the metric that decides.
        results: by study, and `transfer`.
        margin: what differs by less in the metric that decides is practically equal.
        samples: of the training part; None: not known.
    """
    if samples is not None and not rule.fewest <= samples < rule.most:
        wanted = f"{rule.fewest:,} or more" if rule.fewest else f"less than {rule.most:,}"
        return Evidence(missing=f"a training set of {wanted} samples; this one has {samples:,}")
    other = rule.against_study or rule.study
    needed = {rule.study: list(rule.arms)}
    needed.setdefault(other, []).extend(rule.against)
    for study, arms in needed.items():
        if study not in results:
            holds = rule.how or f"with {', '.join(arms)}"
            return Evidence(missing=f"the study {study}, which was not run: {holds}")
        if absent := [arm for arm in arms if not results[study].has(arm)]:
            return Evidence(missing=f"arms that {study} did not have: {', '.join(absent)}")
    if rule.each:
        return _strictest(rule, [_compared(rule, results, margin, (a,)) for a in rule.against])
    return _compared(rule, results, margin, rule.against)


def _compared(
    rule: Rule, results: Mapping[str, Results], margin: float, against: Sequence[str]
) -> Evidence:
    """The rule's arms against the mean of `against`, or the rule's threshold, seed by seed."""
    study, measure = results[rule.study], rule.measure
    zero = -margin if rule.expects == "no less" else 0.0 if against else rule.threshold
    ours = _mean_by_seed(rule, study, rule.arms)
    theirs = dict.fromkeys(ours, 0.0)
    if against:
        theirs = _mean_by_seed(rule, results[rule.against_study or rule.study], against)
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return Evidence(missing=f"{measure.source} of {rule.study} with {measure.text}")
    # rounded, since equal differences must stay equal: they would look like a spread of 1e-17
    values = tuple(round(ours[seed] - theirs[seed], 12) for seed in seeds)
    resolution = measure.resolution(study)
    other = named(against) or f"{measure.show(zero)} {measure.unit}"
    if rule.expects == "no less":
        sign = "plus" if measure.lower_is_better else "minus"
        in_points = measure.unit == "points"
        other += f" {sign} {100 * margin:g} points" if in_points else f" {sign} {margin:.3g}"
    return Evidence(
        values=values,
        zero=zero,
        p_value=_p_value([v - zero for v in values], measure.ignored, resolution),
        equal=(
            measure.has_margin
            and bool(against)
            and rule.expects != "no less"
            and _is_within(values, margin, resolution)
        ),
        against=other,
        scope=scope_of(study),
        best=max(sum(side[s] for s in seeds) / len(seeds) for side in (ours, theirs)),
        luck=measure.own(study.summary.luck),
    )


def unless_at_chance(rule: Rule, given: Evidence) -> Evidence:
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


def _strictest(rule: Rule, comparisons: Sequence[Evidence]) -> Evidence:
    """Of a rule about each of several rivals, the comparison that decides.

    The rule holds where it holds against each: the largest p-value tests that (intersection-union,
    Berger 1982). It fails where one rival turns it round: their smallest p-value, times their
    number, tests that (Bonferroni).
    """
    if missing := [one for one in comparisons if one.missing]:
        return missing[0]

    def p(one: Evidence) -> float:
        return 1.0 if one.p_value is None else one.p_value

    turned = [one for one in comparisons if not as_expected(rule, one)]
    decides = min(turned, key=p) if turned else max(comparisons, key=p)
    corrected = decides.p_value
    if turned and corrected is not None:
        corrected = min(1.0, len(comparisons) * corrected)
    against = f"each of {', '.join(rule.against)}; the nearest verdict is that on {decides.against}"
    return replace(decides, p_value=corrected, against=against)


def as_expected(rule: Rule, given: Evidence) -> bool:
    return (given.mean > given.zero) == (rule.expects != "less")


def scope_of(study: Results) -> str:
    """What a claim about `study` speaks of."""
    labels = ", labels drawn anew" if study.summary.stage == "transfer" else ""
    return _SCOPES[study.summary.splits] + labels


def named(arms: Sequence[str]) -> str:
    """As the side of a comparison."""
    return f"the mean of {', '.join(arms)}" if len(arms) > 1 else "".join(arms)
