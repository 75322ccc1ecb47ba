import math

import numpy as np
import pytest
from scipy import stats

from warmstart.analysis.inference import (
    error_ratio,
    geometric_interval,
    holm,
    interval,
    paired_p_value,
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
