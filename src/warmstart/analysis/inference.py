"""Means over seeds and their intervals, and the paired test of one difference.

Which arms of a study differ is decided by `warmstart.contrasts`, on all of them at once.

Where each seed has a split of its own (`data.splits: resampled`), they are independent draws given
the data, and an interval speaks of these data split anew. Of new data it would have to be wider:
the splits share samples (Nadeau and Bengio 2003, "Inference for the generalization error"). Where
all seeds have the official test set, an interval holds nothing of what another test set would give,
and no factor makes up for that: of new data nothing is said, nor where all have one split.
"""

import dataclasses
import gc
import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.special import stdtr, stdtrit
from statsmodels.stats.multitest import multipletests

from warmstart.analysis.summary import Interval
from warmstart.contrasts import MINIMUM_SEEDS

CONFIDENCE = 0.95


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


def share_interval(values: Iterable[float]) -> Interval:
    """`interval` of shares, cut at 0 and 1: the mean that it is to hold lies between them."""
    found = interval(values)
    if found.low is None or found.high is None:
        return found
    return dataclasses.replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


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
