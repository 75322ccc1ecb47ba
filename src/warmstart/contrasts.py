"""Which arms of one study differ, and by how much: one error for all of them, one error rate for
all pairs and all rounds of seeds.

The values of a study are a table of arms × seeds. What remains of it after the mean of each arm and
what each seed does to all arms is the error, pooled over arms: in the two-way layout

    value[arm, seed] = mean[arm] + effect[seed] + error

its deviation is known with (arms - 1)(seeds - 1) degrees of freedom, where two arms alone have
seeds - 1. Differences are held against the studentized range (Tukey 1949, "Comparing individual
means in the analysis of variance"; Kramer 1956 where arms have different seeds), so the chance of
any false difference in a study is at most LEVEL.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

LEVEL = 0.05
"""The chance of a false difference anywhere in a study, over all its rounds."""
MINIMUM_SEEDS = 3
"""Fewer that two arms have in common give no verdict."""
OUT_OF_LINE = 3.0
"""An arm whose deviation over seeds is so many times that of the median arm is set aside. With
equal spreads and 5 seeds that is an F ratio of 9, which chance gives three arms of a hundred."""
SPENT = (0.1, 0.3, 0.4, 0.1)
"""Shares of LEVEL for the first rounds; each later one has half of what is left."""

Verdict = Literal["better", "worse", "practically equal", "open"]
Values = Mapping[str, Mapping[int, float]]
"""arm -> seed -> value."""


@dataclass(frozen=True)
class Difference:
    """One arm minus another, as far as it is known."""

    mean: float
    error: float
    """Standard error of the mean."""
    freedom: int
    """Degrees of freedom of the error."""
    arms: int
    """Of the study: all pairs of them are tested."""
    level: float
    """Of the tests of the whole study, what is spent on this round."""

    @property
    def reach(self) -> float:
        """Half the length of the interval that holds the true difference, at once with those of all
        other pairs, with the chance 1 - level."""
        return _range(self.level, self.arms, self.freedom) / math.sqrt(2) * self.error

    @property
    def p_value(self) -> float:
        """For no difference, corrected over all pairs of arms."""
        from scipy.stats import studentized_range

        apart = math.sqrt(2) * abs(self.mean) / self.error
        return float(studentized_range.sf(apart, self.arms, self.freedom))

    def is_within(self, margin: float) -> bool:
        """Whether the true difference is smaller than `margin` in size: two one-sided t tests
        (Schuirmann 1987, "A comparison of the two one-sided tests procedure and the power
        approach"), not corrected over pairs. That all arms of a group are within the margin of each
        other needs no correction either: each pair has to be (Berger 1982)."""
        far = (margin - abs(self.mean)) / self.error
        return margin > abs(self.mean) and float(stdtr(self.freedom, -far)) < self.level

    def widened(self, factor: float) -> "Difference":
        """The same with an error so many times as large."""
        return replace(self, error=factor * self.error)

    def verdict(self, margin: float) -> Verdict:
        """About the first arm. A difference that is shown to be smaller than `margin` is
        practically equal, though it may be told from 0."""
        if self.is_within(margin):
            return "practically equal"
        if abs(self.mean) <= self.reach:
            return "open"
        return "better" if self.mean > 0 else "worse"

    def pointwise(self, confidence: float = 0.95) -> tuple[float, float]:
        """The t interval of this difference alone."""
        reach = float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error
        return self.mean - reach, self.mean + reach


class Contrasts:
    """The differences between the arms of a study.

    Args:
        values: of every arm on every seed that it was run on; two arms are compared on the seeds
            that both have.
        aside: arms that share no error with the others (see `out_of_line`): their differences are
            judged by the spread of these differences alone.
        resolution: the step of the values: 1 / n_test for accuracies. Equal differences would
            otherwise be certain, yet only rounding to whole samples has hidden their spread: it is
            at least that of rounding, a step / √12.
        level: as in `Difference`; see `level_of`.
    """

    def __init__(
        self,
        values: Values,
        *,
        aside: Collection[str] = (),
        resolution: float,
        level: float = LEVEL,
    ) -> None:
        self._values, self.level = values, level
        self._least = resolution / math.sqrt(12)
        self._place = {arm: i for i, arm in enumerate(a for a in values if a not in aside)}
        self.deviation: float | None = None
        """The pooled error of one value; None: fewer than two arms share it."""
        self.freedom = 0
        if len(self._place) > 1:
            self._fit()

    def _fit(self) -> None:
        """Least squares of the two-way layout, seeds may be missing."""
        cells = [(arm, seed) for arm in self._place for seed in self._values[arm]]
        seen = np.array([self._values[arm][seed] for arm, seed in cells])
        arms = [self._place[arm] for arm, _ in cells]
        seeds, place = np.unique([seed for _, seed in cells], return_inverse=True)
        design = np.hstack([np.eye(len(self._place))[arms], np.eye(len(seeds))[place]])
        # one column too many: effects of seeds are known up to a constant, differences exactly
        inverse = np.linalg.pinv(design.T @ design)
        fitted = inverse @ design.T @ seen
        self.freedom = len(cells) - (design.shape[1] - 1)
        if self.freedom > 0:
            rest = float(((seen - design @ fitted) ** 2).sum())
            self.deviation = max(math.sqrt(rest / self.freedom), self._least)
            self._means, self._inverse = fitted, inverse

    def between(self, arm: str, other: str) -> Difference | None:
        """`arm` minus `other`; None where they have fewer than MINIMUM_SEEDS in common."""
        ours, theirs = self._values[arm], self._values[other]
        common = [seed for seed in ours if seed in theirs]
        if len(common) < MINIMUM_SEEDS:
            return None
        if self.deviation is not None and {arm, other} <= self._place.keys():
            i, j = self._place[arm], self._place[other]
            share = self._inverse[i, i] + self._inverse[j, j] - 2 * self._inverse[i, j]
            mean, error = self._means[i] - self._means[j], self.deviation * math.sqrt(share)
            return self._difference(float(mean), error, self.freedom)
        apart = np.array([ours[seed] - theirs[seed] for seed in common])
        spread = max(float(apart.std(ddof=1)), math.sqrt(2) * self._least)
        error = spread / math.sqrt(len(common))
        return self._difference(float(apart.mean()), error, len(common) - 1)

    def _difference(self, mean: float, error: float, freedom: int) -> Difference:
        # rounded, so that equal means give 0
        return Difference(round(mean, 12), error, freedom, len(self._values), self.level)


def out_of_line(values: Values, failed: Mapping[str, int]) -> dict[str, str]:
    """Arms that cannot share one error with the others, and why, in words.

    Args:
        values: as in `Contrasts`.
        failed: arm -> number of its seeds that diverged or stayed at chance.
    """
    why = {
        arm: f"diverged or stayed at chance in {failed[arm]} of {len(by_seed)} seeds"
        for arm, by_seed in values.items()
        if failed.get(arm)
    }
    spreads = {
        arm: float(np.std([*by_seed.values()], ddof=1))
        for arm, by_seed in values.items()
        if arm not in why and len(by_seed) >= MINIMUM_SEEDS
    }
    if len(spreads) < 3:  # of two, neither is the odd one
        return why
    usual = float(np.median([*spreads.values()]))
    return why | {
        arm: f"spreads {spread / usual:.1f} times as much over seeds as the median arm"
        for arm, spread in spreads.items()
        if usual > 0 and spread > OUT_OF_LINE * usual
    }


def level_of(seeds: int, first: int | None) -> float:
    """What of LEVEL is spent on the round after which there are `seeds`.

    Rounds double the seeds: after the first there are `first`, then 2 · first, 4 · first … All that
    is ever spent stays below LEVEL, however many rounds there are, so that a study may go on for
    as long as somebody likes (the union bound; Lan and DeMets 1983, "Discrete sequential boundaries
    for clinical trials", spend the same way and gain a little by the dependence of rounds).

    Args:
        first: None: there is one round.
    """
    if first is None:
        return LEVEL
    number = max(0, math.ceil(math.log2(max(seeds, 1) / first) - 1e-9))
    if number < len(SPENT):
        return LEVEL * SPENT[number]
    return LEVEL * (1 - sum(SPENT)) / 2 ** (number - len(SPENT) + 1)


def rounds(first: int, most: int) -> list[int]:
    """How many seeds there are after each round."""
    counts = [first]
    while counts[-1] < most:
        counts.append(min(2 * counts[-1], most))
    return counts


def flattery(arms: int, deviation: float, seeds: int) -> float:
    """By how much the highest of `arms` means over `seeds` exceeds their common true mean, on
    average, where none of the arms is better than the others."""
    draw: NDArray[np.float64] = np.random.default_rng(0).normal(size=(10_000, max(arms, 1)))
    return float(draw.max(axis=1).mean()) * deviation / math.sqrt(seeds)


def widening(seeds: int, share: float) -> float:
    """How many times as wide an interval over `seeds` splits of the same data has to be for new
    data like these: √(1 + seeds · share). Splits share samples, so their spread is less than that
    of new data sets (Nadeau and Bengio 2003, "Inference for the generalization error", section 4).

    Args:
        share: test samples for each training sample.
    """
    return math.sqrt(1 + seeds * share)


@lru_cache(maxsize=256)
def _range(level: float, arms: int, freedom: int) -> float:
    from scipy.stats import studentized_range

    return float(studentized_range.isf(level, arms, freedom))
