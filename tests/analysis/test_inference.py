import itertools
import math

import numpy as np
import pytest
from scipy import stats

from warmstart.analysis.inference import (
    all_pairs,
    error_ratio,
    geometric_interval,
    holm,
    interval,
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


def test_all_pairs_by_least_squares():
    """The pooled error is that of a model with an effect for each arm and each seed; the range is
    the one of SciPy, whose 5 % point for 3 arms and 8 degrees of freedom is 4.041 in the tables."""
    random = np.random.default_rng(4)
    table = random.normal(size=(3, 5)) + random.normal(size=5) * 3
    arm, seed = np.indices(table.shape)
    design = np.concatenate([np.eye(3)[arm.ravel()], np.eye(5)[seed.ravel()][:, 1:]], axis=1)
    _, (squares,), _, _ = np.linalg.lstsq(design, table.ravel())
    error = math.sqrt(squares / 8 / 5)
    found = all_pairs(table, resolution=1e-9)
    for one, other in itertools.permutations(range(3), 2):
        q = abs(table[one].mean() - table[other].mean()) / error
        assert found[one, other] == pytest.approx(stats.studentized_range.sf(q, 3, 8), rel=1e-6)
    assert (np.diag(found) == 1).all()
    # as far apart as the table's point says: the error depends on no effect of an arm
    table -= table.mean(axis=1, keepdims=True)
    table[0] += 4.041 * error
    assert all_pairs(table, resolution=1e-9)[0, 1] == pytest.approx(0.05, abs=2e-4)


def test_all_pairs_of_equal_arms_are_seldom_told_apart():
    """1,000 studies of six equal arms that share what a seed does to them: any difference in 5 %
    of them, four standard errors around it. The largest difference has the smallest p-value."""
    random = np.random.default_rng(8)
    point = stats.studentized_range.isf(0.05, 6, 20)
    tables = random.normal(size=(1000, 6, 5)) + 2 * random.normal(size=(1000, 1, 5))
    first = [all_pairs(table, resolution=1e-9).min() for table in tables[:5]]
    residual = tables - tables.mean(axis=2, keepdims=True) - tables.mean(axis=1, keepdims=True)
    residual += tables.mean(axis=(1, 2), keepdims=True)
    error = np.sqrt((residual**2).sum(axis=(1, 2)) / 20 / 5)
    ranges = np.ptp(tables.mean(axis=2), axis=1) / error
    assert first == pytest.approx(stats.studentized_range.sf(ranges[:5], 6, 20))
    assert 0.022 < np.mean(ranges > point) < 0.078


def test_all_pairs_without_a_spread():
    """Equal seeds hide what rounding did: one sample of 100 stands for the spread."""
    p_values = all_pairs(np.array([[0.5] * 4, [0.5] * 4, [0.6] * 4]), resolution=0.01)
    assert p_values[0, 1] == 1
    assert p_values[0, 2] == pytest.approx(stats.studentized_range.sf(0.1 / (0.01 / 2), 3, 6))


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
