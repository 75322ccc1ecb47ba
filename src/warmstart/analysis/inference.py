"""Means over seeds, how certain they are, and whether two arms can be told apart.

Seeds are the replicates: every arm runs on the same ones, so two arms are compared within seeds
(a paired comparison), which removes what the seed does to both.

Where each has a split of its own (`data.splits: resampled`), they are independent draws given the
data, and an interval speaks of these data split anew. Of new data it would have to be wider: the
splits share samples (Nadeau and Bengio 2003, "Inference for the generalization error").
"""

import gc
import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit
from scipy.stats import studentized_range
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from warmstart.analysis.summary import Interval

CONFIDENCE = 0.95
LEVEL = 0.05
"""A corrected p-value below this tells two arms apart."""
MINIMUM_SEEDS = 3
"""Two differences estimate their spread with one degree of freedom (t = 12.7): no verdict."""

POWER = 0.8
"""The chance with which a difference that is there should be seen."""
MOST_SEEDS = 1000
"""Beyond this a difference is not worth telling apart."""

Verdict = Literal["better", "worse", "tie", "undecided"]


def interval(values: Iterable[float]) -> Interval:
    """Mean of the n finite `values` and its t interval (Student 1908):

        mean ± t(0.975, n - 1) · sd / √n,   sd with n - 1 in the denominator

    One value, or values that are all equal, allow no interval: low and high are None. The sd of
    one value is None, of equal values 0. Values that are not finite (the loss of a network that
    diverged) are left out and n says so; with none left the mean is 0 and n is 0.
    """
    finite = np.array([value for value in values if math.isfinite(value)], dtype=np.float64)
    n = len(finite)
    if n == 0:
        return Interval(mean=0.0, low=None, high=None, sd=None, n=0)
    if np.ptp(finite) == 0:  # the mean of equal numbers may miss them by a rounding error
        sd = 0.0 if n > 1 else None
        return Interval(mean=float(finite[0]), low=None, high=None, sd=sd, n=n)
    mean, sd = float(finite.mean()), float(finite.std(ddof=1))
    reach = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * sd / math.sqrt(n)
    return Interval(mean=mean, low=mean - reach, high=mean + reach, sd=sd, n=n)


def geometric_interval(ratios: Iterable[float]) -> Interval:
    """Geometric mean of positive `ratios`; the t interval is taken of their logarithms.

    Ratios multiply: ×2 and ×½ must cancel, as they do in logarithms. sd stays that of the
    (natural) logarithms, since a ratio ± sd would mean nothing.
    """
    log = interval(math.log(ratio) for ratio in ratios)
    return Interval(
        mean=math.exp(log.mean),
        low=None if log.low is None else math.exp(log.low),
        high=None if log.high is None else math.exp(log.high),
        sd=log.sd,
        n=log.n,
    )


def error_ratio(errors: int, errors_of_reference: int) -> float:
    """How many times fewer errors than the reference, from counts on the same test samples.

    Half an error is added to both (Haldane 1956, Anscombe 1956), so that a network without an
    error has a finite ratio, and nearly the right one.
    """
    return (errors_of_reference + 0.5) / (errors + 0.5)


def paired_p_value(differences: Sequence[float], *, resolution: float) -> float | None:
    """Two-sided p-value of "the mean difference is 0", by the paired t-test.

    Args:
        differences: one per seed.
        resolution: the smallest difference that can be seen: 1 / n_test for accuracies. It takes
            the place of the sd where all differences are equal and not 0. The t-test would claim
            certainty there (t = ∞), yet only rounding to whole samples has hidden the spread.

    Returns:
        None below MINIMUM_SEEDS differences; 1 where all of them are 0.
    """
    n = len(differences)
    if n < MINIMUM_SEEDS:
        return None
    seen = interval(differences)
    if seen.mean == 0 and not seen.sd:
        return 1.0
    t = seen.mean / ((seen.sd or resolution) / math.sqrt(n))
    return float(2 * stdtr(n - 1, -abs(t)))


def all_pairs(table: NDArray[np.float64], *, resolution: float) -> NDArray[np.float64]:
    """p-values of "these two arms have the same mean", corrected over all pairs of arms.

    The error is pooled over arms: the residual of the two-way layout arm + seed, with
    (arms - 1)(seeds - 1) degrees of freedom where a paired test has seeds - 1. The difference of
    two means, in units of its standard error over √2, is held against the studentized range (Tukey
    1949, "Comparing individual means in the analysis of variance"): the chance of any false
    difference in the table stays below the level. It takes arms of about equal spread.

    Args:
        table: `(arms, seeds)`, 2 or more of both.
        resolution: the smallest spread that can be seen, as in `paired_p_value`.

    Returns:
        `(arms, arms)`, 1 on the diagonal.
    """
    arms, seeds = table.shape
    means = table.mean(axis=1)
    residual = table - means[:, None] - table.mean(axis=0) + table.mean()
    freedom = (arms - 1) * (seeds - 1)
    error = max(math.sqrt((residual**2).sum() / freedom), resolution)
    apart = np.abs(means[:, None] - means) / (error / math.sqrt(seeds))
    p_values = np.ones((arms, arms))
    one, other = np.triu_indices(arms, 1)
    p_values[one, other] = studentized_range.sf(apart[one, other], arms, freedom)
    return np.minimum(p_values, p_values.T)


def seeds_needed(
    differences: Sequence[float], *, resolution: float, level: float = LEVEL
) -> int | None:
    """Seeds with which the paired t-test finds a difference of this mean and spread with a chance
    of POWER.

    For planning the next run, under the assumption that the difference is as large as it looks.
    It says nothing about the run that it was observed in.

    Args:
        differences: one per seed, at least two.
        resolution: stands for the sd where all differences are equal, as in `paired_p_value`.
        level: of the test, what a correction for several tests leaves of it.

    Returns:
        At least MINIMUM_SEEDS. None where no spread is known, where there is no difference to be
        found, and where it would take more than MOST_SEEDS.
    """
    seen = interval(differences)
    if seen.sd is None or seen.mean == 0:
        return None
    effect = abs(seen.mean) / (seen.sd or resolution)
    counts = np.arange(MINIMUM_SEEDS, MOST_SEEDS + 1)
    # half the level on the one side where the difference lies: the other side adds less than
    # 1e-6 at this power, and SciPy's noncentral t has no number there for large effects
    power = TTestPower().power(effect, counts, level / 2, alternative="larger")
    enough = counts[power >= POWER]
    return int(enough[0]) if len(enough) else None


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Each p-value corrected for how many there are (Holm 1979); None stays None.

    With all of them judged at 5 %, the chance that any verdict of a difference is false stays
    below 5 %, however the tests depend on one another.
    """
    known = [p for p in p_values if p is not None]
    # statsmodels collects garbage in every call, half a second where TensorFlow is loaded: what
    # exists by now is set aside meanwhile
    gc.freeze()
    corrected = iter(multipletests(known, method="holm")[1] if known else ())
    gc.unfreeze()
    return [None if p is None else float(next(corrected)) for p in p_values]


def verdict(difference: float, p_value: float | None) -> Verdict:
    """The verdict on an arm whose accuracy differs from the reference's by `difference`."""
    if p_value is None:
        return "undecided"
    if p_value >= LEVEL:
        return "tie"
    return "better" if difference > 0 else "worse"
