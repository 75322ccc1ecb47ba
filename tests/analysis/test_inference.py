import math

import numpy as np
import pytest
from scipy import stats

from warmstart.analysis.inference import (
    error_ratio,
    geometric_interval,
    holm,
    interval,
    overlap_of,
    paired_p_value,
    seeds_needed,
    verdict,
)
from warmstart.analysis.summary import Interval


def test_interval_by_hand():
    # mean 3, sd √(10/4) = 1.5811, t(0.975, 4) = 2.776445: reach 2.776445 · 1.5811 / √5 = 1.963243
    found = interval([1, 2, 3, 4, 5])
    assert found.mean == 3
    assert found.sd == pytest.approx(1.581139, abs=1e-6)
    assert found.low == pytest.approx(1.036757, abs=1e-6)
    assert found.high == pytest.approx(4.963243, abs=1e-6)
    assert found.n == 5


def test_one_value_has_neither_spread_nor_interval():
    assert interval([0.5]) == Interval(mean=0.5, low=None, high=None, sd=None, n=1)


def test_equal_values_have_spread_zero_and_no_interval():
    # 0.1 seven times: the floating-point mean is not 0.1
    assert interval([0.1] * 7) == Interval(mean=0.1, low=None, high=None, sd=0.0, n=7)


def test_values_that_are_not_finite_are_left_out_and_counted_out():
    assert interval([1, math.nan, 3, math.inf]) == interval([1, 3])
    assert interval([math.nan]) == Interval(mean=0.0, low=None, high=None, sd=None, n=0)


def test_error_ratio_by_hand():
    assert error_ratio(3, 10) == pytest.approx(3.0)  # 10.5 / 3.5
    assert error_ratio(0, 0) == 1
    assert error_ratio(0, 4) == 9  # finite without an error


def test_geometric_interval_by_hand():
    # logarithms 0, ln 2, ln 4: mean ln 2, sd ln 2, t(0.975, 2) = 4.302653
    found = geometric_interval([1, 2, 4])
    reach = 4.302653 * math.log(2) / math.sqrt(3)
    assert found.mean == pytest.approx(2)
    assert found.low == pytest.approx(2 / math.exp(reach), rel=1e-6)
    assert found.high == pytest.approx(2 * math.exp(reach), rel=1e-6)
    assert found.sd == pytest.approx(math.log(2))
    assert geometric_interval([2, 0.5]).mean == pytest.approx(1)  # they cancel


def test_holm_by_hand():
    # smallest × 3, next × 2 (but not below the one before), largest × 1 (likewise)
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01, 0.02, 0.03]) == pytest.approx([0.03, 0.04, 0.04])


def test_holm_does_not_count_what_was_not_tested():
    assert holm([0.02, None, 0.04]) == [pytest.approx(0.04), None, pytest.approx(0.04)]
    assert holm([None]) == [None]
    assert holm([]) == []


def test_paired_p_value_is_that_of_scipy():
    a, b = [0.91, 0.93, 0.92, 0.95, 0.94], [0.90, 0.93, 0.90, 0.91, 0.93]
    differences = [x - y for x, y in zip(a, b, strict=True)]
    expected = stats.ttest_rel(a, b).pvalue
    assert paired_p_value(differences, resolution=0.01) == pytest.approx(expected)


def test_two_differences_are_too_few():
    assert paired_p_value([0.1, 0.2], resolution=0.01) is None
    assert paired_p_value([0.1, 0.2, 0.3], resolution=0.01) is not None


def test_equal_differences():
    assert paired_p_value([0.0] * 5, resolution=0.01) == 1
    # one sample in each of five seeds: t = √5, p = 0.089: cannot be told apart
    assert paired_p_value([0.01] * 5, resolution=0.01) == pytest.approx(0.0890, abs=1e-4)
    # two samples in each: t = 2√5, p = 0.011
    assert paired_p_value([-0.02] * 5, resolution=0.01) == pytest.approx(0.0111, abs=1e-4)


def with_effect(effect, n=5):
    """n numbers with sd 1 and mean `effect`."""
    numbers = np.linspace(-1, 1, n)
    return (numbers / numbers.std(ddof=1) + effect).tolist()


@pytest.mark.parametrize(
    ("effect", "level", "expected"),
    # Cohen (1988), table 2.4.1, and G*Power 3.1: matched pairs, two tails, power 0.80
    [(0.5, 0.05, 34), (-0.5, 0.05, 34), (0.8, 0.05, 15), (1.0, 0.05, 10), (0.5, 0.01, 51)],
)
def test_seeds_needed_are_those_of_the_tables(effect, level, expected):
    assert seeds_needed(with_effect(effect), resolution=0.01, level=level) == expected


def test_seeds_needed_find_the_difference_in_four_of_five_runs():
    """2,000 runs: a standard error of √(0.8 · 0.2 / 2000) = 0.9 points. Normal quantiles would
    ask for 8 seeds and find 70 %."""
    seeds = seeds_needed(with_effect(1.0), resolution=0.01)
    runs = np.random.default_rng(1).normal(1, 1, (2000, seeds))
    found = np.mean([paired_p_value(run, resolution=0.01) < 0.05 for run in runs])
    assert 0.775 < found < 0.835


def test_seeds_needed_where_there_is_nothing_to_plan():
    assert seeds_needed([0.0, 0.0, 0.0], resolution=0.01) is None
    assert seeds_needed([0.1], resolution=0.01) is None
    assert seeds_needed(with_effect(0.01), resolution=0.01) is None  # 78,000
    assert seeds_needed(with_effect(50), resolution=0.01) == 3
    # two samples of difference in every seed: effect 2, as if the sd were one sample
    assert seeds_needed([0.02] * 5, resolution=0.01) == 5


def test_overlap_by_hand():
    """Five folds: a validating one for four training ones. Variance of the mean of 1, 2, 3, 4, 5:
    2.5 · (1/5 + 1/4) = 1.125, so the reach is 2.776445 · 1.060660 and t = 3 / 1.060660 = 2.828427,
    for which tables of Student's distribution with 4 degrees of freedom give 0.0474."""
    assert (overlap_of(5), overlap_of(2), overlap_of(None)) == (0.25, 1.0, 0.0)
    found = interval([1, 2, 3, 4, 5], overlap=0.25)
    assert (found.mean, found.sd) == (3, pytest.approx(math.sqrt(2.5)))
    assert found.high - 3 == pytest.approx(2.944864, abs=1e-5)
    assert 3 - found.low == pytest.approx(2.944864, abs=1e-5)
    p_value = paired_p_value([1, 2, 3, 4, 5], resolution=0.01, overlap=0.25)
    assert p_value == pytest.approx(0.0474, abs=5e-5)
    logarithms = geometric_interval(np.exp([1, 2, 3, 4, 5]), overlap=0.25)
    assert math.log(logarithms.high) == pytest.approx(found.high)


@pytest.mark.parametrize(("folds", "seeds"), [(5, 5), (5, 10), (2, 4)])
def test_intervals_of_overlapping_samples_cover_the_truth(folds, seeds):
    """2,000 studies whose values share what their training samples have in common: any two are
    correlated by 1 / folds, as Nadeau and Bengio (2003) assume. Four standard errors around 95 %;
    without the correction it is 74 to 86 %."""
    random = np.random.default_rng(folds + seeds)
    shared = random.normal(0, math.sqrt(1 / folds), (2000, 1))
    values = 0.3 + shared + random.normal(0, math.sqrt(1 - 1 / folds), (2000, seeds))

    def covered(overlap):
        found = [interval(row, overlap=overlap) for row in values]
        return np.mean([i.low <= 0.3 <= i.high for i in found])

    assert 0.93 < covered(overlap_of(folds)) < 0.97
    assert covered(0.0) < 0.9


def test_seeds_needed_with_overlapping_samples():
    """By SciPy's noncentral t: effect 2 at n seeds of 5 folds is 2 / √(1/n + 1/4) of its spread."""

    def power(n):
        away = 2 / math.sqrt(1 / n + 0.25)
        return stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, away)

    seeds = seeds_needed(with_effect(2.0), resolution=0.01, overlap=0.25)
    assert power(seeds - 1) < 0.8 <= power(seeds)
    assert seeds > seeds_needed(with_effect(2.0), resolution=0.01)
    # half a deviation is never found: infinitely many seeds of 5 folds are worth 4 of one split
    assert seeds_needed(with_effect(0.5), resolution=0.01, overlap=0.25) is None


def test_verdicts():
    assert [verdict(d, p) for d, p in [(1, 0.01), (-1, 0.01), (1, 0.05), (1, None)]] == [
        "better",
        "worse",
        "tie",
        "undecided",
    ]


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_of_paired_differences_cover_the_truth(seeds):
    """2,000 studies of two arms 0.02 apart; a seed moves both by five times the own noise.

    The share that covers has a standard error of √(0.95 · 0.05 / 2000) = 0.005; 93 to 97 % is
    four of them. Normal quantiles in place of Student's would cover 81 % at three seeds.
    """
    random = np.random.default_rng(seeds)
    seed_effect = random.normal(0, 0.05, (2000, seeds))
    a = 0.92 + seed_effect + random.normal(0, 0.01, (2000, seeds))
    b = 0.90 + seed_effect + random.normal(0, 0.01, (2000, seeds))
    found = [interval(differences) for differences in a - b]
    covered = np.mean([i.low <= 0.02 <= i.high for i in found])
    assert 0.93 < covered < 0.97
    # and pairing pays: unpaired, the seeds' own spread would be in the way
    assert np.mean([i.sd for i in found]) < 0.02
