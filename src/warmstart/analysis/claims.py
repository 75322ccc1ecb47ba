"""The chapter's rules, held against this data: supported, contradicted or undecided.

Each rule is one paired comparison over seeds, each arm at its own best learning rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from warmstart.analysis.chapter import RULES, Rule
from warmstart.analysis.inference import (
    LEVEL,
    MINIMUM_SEEDS,
    MOST_SEEDS,
    holm,
    interval,
    paired_p_value,
    seeds_needed,
)
from warmstart.analysis.results import Results

CHAPTER = "Géron, Hands-On Machine Learning, 3rd edition, chapter 11"
Decision = Literal["supported", "contradicted", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A rule and what the results say of it."""

    id: str
    statement: str
    section: str
    verdict: Decision
    effect: float | None
    """The rule's arms minus what they are held against, mean over seeds; where that is a number,
    the value of the arms."""
    interval: tuple[float, float] | None
    """95 % interval of the effect."""
    seeds: int
    measure: str
    """What the effect is a number of."""
    unit: str
    """In which `shown` gives it; the effect itself is a share, seconds or a plain number."""
    shown: str
    """The effect and its interval for readers; empty where there is none."""
    p_value: float | None
    """Corrected over all rules that could be tested (Holm)."""
    test: str
    """What was compared."""
    takes: str
    """What it would take to decide; empty where it is decided."""


@dataclass(frozen=True, kw_only=True)
class _Evidence:
    """What the paired test is given."""

    values: tuple[float, ...] = ()
    """One per seed: the effect."""
    resolution: float = 0.0
    missing: str = ""
    """What it takes to have values."""


def judge(
    results: Mapping[str, Results],
    rules: Sequence[Rule] = RULES,
    *,
    training_samples: int | None = None,
) -> tuple[Claim, ...]:
    """Every rule with its verdict, p-values corrected over all rules that can be tested (Holm).

    Args:
        results: by study, and `transfer`.
        rules: to be judged.
        training_samples: of the studies' task, where known: some rules speak of large or of small
            training sets only.
    """
    evidence = [_evidence(rule, results, training_samples) for rule in rules]
    raw = [
        paired_p_value(
            [v - _zero(rule) for v in one.values],
            resolution=one.resolution,
        )
        for rule, one in zip(rules, evidence, strict=True)
    ]
    tests = sum(p is not None for p in raw)
    return tuple(
        _claim(rule, one, p, level=LEVEL / max(tests, 1))
        for rule, one, p in zip(rules, evidence, holm(raw), strict=True)
    )


def as_json(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """What `claims.json` holds."""
    return [asdict(claim) for claim in claims]


def _zero(rule: Rule) -> float:
    """The effect under "there is no difference"."""
    return 0.0 if rule.against else rule.threshold


def _evidence(rule: Rule, results: Mapping[str, Results], samples: int | None) -> _Evidence:
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
        if absent := [arm for arm in arms if not results[study].chosen(arm)]:
            return _Evidence(missing=f"arms that {study} did not have: {', '.join(absent)}")
    ours = _mean_by_seed(rule, results[rule.study], rule.arms)
    theirs = (
        _mean_by_seed(rule, results[other], rule.against)
        if rule.against
        else dict.fromkeys(ours, 0.0)
    )
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return _Evidence(missing=f"{rule.measure.source} of {rule.study} with {rule.measure.text}")
    return _Evidence(
        # rounded, since equal differences must stay equal: a t-test would be certain of their noise
        values=tuple(round(ours[seed] - theirs[seed], 12) for seed in seeds),
        resolution=rule.measure.resolution(results[rule.study]),
    )


def _mean_by_seed(rule: Rule, study: Results, arms: Sequence[str]) -> dict[int, float]:
    """The measure, mean over `arms`, for each seed that all of them have."""
    of_arms = [rule.measure.by_seed(study, arm) for arm in arms]
    seeds = set.intersection(*map(set, of_arms))
    return {seed: sum(values[seed] for values in of_arms) / len(arms) for seed in seeds}


def _claim(rule: Rule, given: _Evidence, p_value: float | None, *, level: float) -> Claim:
    effect = interval(given.values) if given.values else None
    verdict: Decision = "undecided"
    if effect and p_value is not None and p_value < LEVEL:
        as_expected = (effect.mean > _zero(rule)) == (rule.expects == "more")
        verdict = "supported" if as_expected else "contradicted"
    bounds = None
    if effect and effect.low is not None and effect.high is not None:
        bounds = (effect.low, effect.high)
    against = _named(rule.against) or rule.measure.show(rule.threshold)
    if rule.against_study:
        against += f" in {rule.against_study}"
    return Claim(
        id=rule.id,
        statement=rule.statement,
        section=f"{CHAPTER}, “{rule.section}”",
        verdict=verdict,
        effect=effect.mean if effect else None,
        interval=bounds,
        seeds=len(given.values),
        measure=rule.measure.text,
        unit=rule.measure.unit,
        shown=_shown(rule, effect.mean, bounds) if effect else "",
        p_value=p_value,
        test=(
            f"{rule.study}: {_named(rule.arms)} against {against}, "
            f"expected {rule.expects} {rule.measure.text}"
        ),
        takes="" if verdict != "undecided" else _takes(rule, given, level),
    )


def _named(arms: Sequence[str]) -> str:
    return f"the mean of {', '.join(arms)}" if len(arms) > 1 else "".join(arms)


def _shown(rule: Rule, mean: float, bounds: tuple[float, float] | None) -> str:
    text = f"{rule.measure.show(mean)} {rule.measure.unit}".strip()
    if bounds is None:
        return text
    return f"{text} ({rule.measure.show(bounds[0])} to {rule.measure.show(bounds[1])})"


def _takes(rule: Rule, given: _Evidence, level: float) -> str:
    """In seeds, were the effect as large as it looks, or whatever is missing."""
    if given.missing:
        return given.missing
    differences = [value - _zero(rule) for value in given.values]
    seeds = seeds_needed(differences, resolution=given.resolution, level=level)
    if seeds is not None:
        return f"{max(seeds, len(differences) + 1):,} seeds"
    if len(differences) < MINIMUM_SEEDS:
        return f"at least {MINIMUM_SEEDS} seeds"
    return "no difference" if not any(differences) else f"over {MOST_SEEDS:,} seeds"
