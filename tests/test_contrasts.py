"""Differences of arms: against a reference, and by simulation with planted truth."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy.stats import studentized_range, ttest_rel, tukey_hsd

from warmstart.contrasts import (
    LEVEL,
    Contrasts,
    Difference,
    flattery,
    level_of,
    out_of_line,
    rounds,
    widening,
)

RESOLUTION = 1e-6


def values(table: NDArray[np.float64]) -> dict[str, dict[int, float]]:
    """Arms 0, 1, 2 … of `table` (arms, seeds), NaN where an arm was not run on a seed."""
    return {
        str(arm): {seed: float(v) for seed, v in enumerate(row) if not math.isnan(v)}
        for arm, row in enumerate(table)
    }


def between(table: NDArray[np.float64], arm: int, other: int, **given: float) -> Difference:
    found = Contrasts(values(table), resolution=RESOLUTION, **given).between(str(arm), str(other))
    assert found
    return found


def test_ragged_tables_are_fitted_as_by_least_squares() -> None:
    """Reference: statsmodels, on dummy variables for arms and seeds."""
    table = np.random.default_rng(0).normal(size=(4, 7)) + np.arange(7)
    table[3, 4:] = np.nan  # an arm that got no second round
    rows = [(a, s) for a in range(4) for s in range(7) if not math.isnan(table[a, s])]
    design = np.zeros((len(rows), 4 + 6))
    for i, (arm, seed) in enumerate(rows):
        design[i, arm] = 1
        if seed:
            design[i, 3 + seed] = 1
    fit = sm.OLS([table[cell] for cell in rows], design).fit()
    for arm, other in ((0, 1), (0, 3), (3, 2)):
        wanted = np.zeros(10)
        wanted[arm], wanted[other] = 1, -1
        expected, found = fit.t_test(wanted), between(table, arm, other)
        assert found.mean == pytest.approx(expected.effect[0])
        assert found.error == pytest.approx(expected.sd[0, 0])
        assert found.freedom == expected.df_denom == len(rows) - 10
        p_value = studentized_range.sf(math.sqrt(2) * abs(expected.tvalue[0, 0]), 4, len(rows) - 10)
        assert found.p_value == pytest.approx(p_value)


def test_two_arms_give_the_paired_t_test() -> None:
    table = np.random.default_rng(1).normal(size=(2, 6))
    found, expected = between(table, 0, 1), ttest_rel(*table)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    low, high = expected.confidence_interval()
    assert (found.mean - found.reach, found.mean + found.reach) == pytest.approx((low, high))
    assert found.pointwise() == pytest.approx((low, high))


def test_without_an_effect_of_seeds_it_is_tukeys_test() -> None:
    """Residuals of a two-way layout have fewer degrees of freedom, so p-values are near, not
    equal: with 40 seeds within 0.03."""
    table = np.random.default_rng(2).normal(size=(3, 40)) + np.array([[0], [0.4], [0.5]])
    expected = tukey_hsd(*table).pvalue
    for arm, other in ((0, 1), (0, 2), (1, 2)):
        assert between(table, arm, other).p_value == pytest.approx(expected[arm, other], abs=0.03)


@pytest.mark.parametrize(
    ("mean", "error", "verdict"),
    [
        # 20 degrees of freedom: t(0.95) = 1.725; q(0.95; 4 arms) / √2 = 2.799
        (0.004, 0.0034, "practically equal"),  # 0.004 + 1.725 · 0.0034 = 0.00987
        (0.004, 0.0035, "open"),  # 0.01004
        (0.0095, 0.0001, "practically equal"),  # told from 0, and too small to matter
        (0.012, 0.0042, "better"),  # 0.012 > 2.799 · 0.0042 = 0.01176
        (-0.012, 0.0042, "worse"),
        (0.012, 0.0043, "open"),  # 0.01204
    ],
)
def test_verdicts_by_hand(mean: float, error: float, verdict: str) -> None:
    assert Difference(mean, error, 20, 4, 0.05).verdict(0.01) == verdict


def test_equal_differences_are_not_certain() -> None:
    """Their spread is hidden by rounding: it is taken to be that of rounding."""
    table = np.array([[0.9] * 4, [0.8] * 4])
    found = Contrasts(values(table), resolution=0.01).between("0", "1")
    assert found
    assert found.error == pytest.approx(0.01 / math.sqrt(12) * math.sqrt(2 / 4))
    assert 0 < found.p_value < 0.05
    same = Contrasts(values(table[[0, 0]]), resolution=0.01).between("0", "1")
    assert same
    assert (same.mean, same.p_value) == (0, 1)


def test_two_seeds_in_common_decide_nothing() -> None:
    table = np.array([[0.9, 0.8, 0.7, np.nan], [0.9, 0.8, np.nan, 0.7]])
    assert Contrasts(values(table), resolution=0.01).between("0", "1") is None


def test_what_is_out_of_line_is_set_aside_and_inflates_nothing() -> None:
    table = np.random.default_rng(3).normal(0.9, 0.01, size=(5, 6))
    table[3] = [0.1, 0.1, 0.9, 0.9, 0.1, 0.1]
    table[4] *= np.linspace(0.6, 1.4, 6)
    aside = out_of_line(values(table), {"3": 4, "0": 0})
    assert list(aside) == ["3", "4"]
    assert aside["3"] == "diverged or stayed at chance in 4 of 6 seeds"
    assert aside["4"].startswith("spreads ")
    found = Contrasts(values(table), aside=aside, resolution=RESOLUTION)
    alone = Contrasts(values(table[:3]), resolution=RESOLUTION)
    assert found.deviation == alone.deviation
    ours, theirs = found.between("0", "1"), alone.between("0", "1")
    assert ours
    assert theirs
    assert (ours.mean, ours.error, ours.freedom) == (theirs.mean, theirs.error, theirs.freedom)
    assert (ours.arms, theirs.arms) == (5, 3)  # it is still one of the arms that are compared
    odd = found.between("3", "0")
    assert odd
    apart = table[3] - table[0]
    assert odd.freedom == 5
    assert odd.error == pytest.approx(apart.std(ddof=1) / math.sqrt(6))


def test_of_two_arms_neither_is_out_of_line() -> None:
    assert out_of_line({"a": {0: 0.9, 1: 0.9, 2: 0.91}, "b": {0: 0.1, 1: 0.5, 2: 0.9}}, {}) == {}


def test_rounds_double_and_spend_no_more_than_there_is() -> None:
    assert rounds(5, 5) == [5]
    assert rounds(5, 15) == [5, 10, 15]
    assert rounds(3, 20) == [3, 6, 12, 20]
    spent = [level_of(5 * 2**number, 5) for number in range(40)]
    assert spent[:5] == pytest.approx([0.005, 0.015, 0.02, 0.005, 0.0025])
    assert sum(spent) <= LEVEL + 1e-12
    assert level_of(15, 5) == level_of(20, 5)
    assert level_of(20, None) == LEVEL


def test_the_highest_of_equal_means_flatters() -> None:
    """Of two normal ones by 1 / √π deviations, of ten by 1.539 (Harter 1961)."""
    assert flattery(2, 1.0, 4) == pytest.approx(1 / math.sqrt(math.pi) / 2, abs=0.01)
    assert flattery(10, 1.0, 1) == pytest.approx(1.539, abs=0.02)
    assert flattery(1, 1.0, 1) == pytest.approx(0, abs=0.03)


STUDIES = 600


def simulated(random: np.random.Generator, means: NDArray[np.float64], seeds: int) -> NDArray:
    """A study whose seeds draw splits: a split is easy or hard for all arms alike, suits some arm
    better than another, and its validation part chooses one of three rates that differ a little."""
    arms = len(means)
    rates = random.normal(0, 0.003, size=(arms, 3))
    luck = random.integers(3, size=(arms, seeds))
    split = random.normal(0, 0.008, seeds)
    return (
        means[:, None]
        - np.mean(rates, axis=1, keepdims=True)
        + np.take_along_axis(rates, luck, axis=1)
        + split
        + random.normal(0, 0.006, (arms, seeds))
    )


def after_rounds(table: NDArray[np.float64], *, first: int) -> Mapping[int, Contrasts]:
    """Seeds -> the contrasts after the round that ends there."""
    seeds = table.shape[1]
    return {
        count: Contrasts(
            values(table[:, :count]), resolution=RESOLUTION, level=level_of(count, first)
        )
        for count in rounds(first, seeds)
    }


def test_equal_arms_seldom_differ_in_any_round() -> None:
    """The family-wise error over all pairs and all rounds. At 5 % in every round it would be 12 %;
    with a paired t test for each pair, not corrected, 60 %."""
    random = np.random.default_rng(11)
    false = last = 0
    for _ in range(STUDIES):
        found = after_rounds(simulated(random, np.full(6, 0.9), 20), first=5)
        wrong = [
            any(abs(d.mean) > d.reach for d in every_pair(table, 6)) for table in found.values()
        ]
        false += any(wrong)
        last += wrong[-1]
    error = 3 * math.sqrt(LEVEL * (1 - LEVEL) / STUDIES)
    assert 0.01 < false / STUDIES < LEVEL + error
    assert 0.004 < last / STUDIES < 0.02 + error


def every_pair(table: Contrasts, arms: int) -> list[Difference]:
    found = [table.between(str(i), str(j)) for i in range(arms) for j in range(i)]
    return [difference for difference in found if difference]


def test_intervals_hold_the_truth() -> None:
    """One by one in 95 % of studies, and all 10 pairs at once in 95 %."""
    random, truth = np.random.default_rng(12), np.array([0.9, 0.91, 0.89, 0.9, 0.93])
    one = every = 0
    for _ in range(STUDIES):
        table = Contrasts(values(simulated(random, truth, 8)), resolution=RESOLUTION)
        pairs = {(i, j): table.between(str(i), str(j)) for i in range(5) for j in range(i)}
        off = {pair: d.mean - (truth[pair[0]] - truth[pair[1]]) for pair, d in pairs.items() if d}
        low, high = pairs[1, 0].pointwise()  # type: ignore[union-attr]
        one += low <= truth[1] - truth[0] <= high
        every += all(abs(off[pair]) <= d.reach for pair, d in pairs.items() if d)
    error = 3 * math.sqrt(0.95 * 0.05 / STUDIES)
    assert 0.95 - error < one / STUDIES < 0.95 + error
    assert 0.95 - error < every / STUDIES < 0.95 + error


@pytest.mark.parametrize(
    ("truth", "least", "most"),
    [
        (0.010, 0.0, 0.05),  # at the margin: false in 5 %
        (0.013, 0.0, 0.001),
        (0.000, 0.97, 1.0),
    ],
)
def test_what_differs_by_the_margin_is_seldom_called_equal(
    truth: float, least: float, most: float
) -> None:
    random, studies = np.random.default_rng(13), 1000
    equal = 0
    for _ in range(studies):
        table = simulated(random, np.array([0.9, 0.9 + truth, 0.9, 0.95]), 15)
        equal += between(table, 1, 0).is_within(0.01)
    assert least <= equal / studies <= most + 3 * math.sqrt(0.05 * 0.95 / studies)


def test_differences_that_matter_are_found_by_the_last_round() -> None:
    """1.5 points, with the spread of digits; and 15 seeds rather than 5 are what it takes."""
    random, truth = np.random.default_rng(14), np.array([0.9, 0.915, 0.9, 0.9, 0.9, 0.9])
    found = {5: 0, 10: 0, 15: 0}
    for _ in range(300):
        for count, table in after_rounds(simulated(random, truth, 15), first=5).items():
            difference = table.between("1", "0")
            assert difference
            found[count] += difference.verdict(0.01) == "better"
    assert found[15] / 300 > 0.9
    assert found[5] / 300 < 0.6


def test_intervals_for_new_data_are_wider() -> None:
    """With 10 seeds and 2 test samples for 5 training samples: √(1 + 4)."""
    assert widening(10, 0.4) == pytest.approx(math.sqrt(5))
    seen = Difference(-0.02, 0.004, 20, 4, 0.05)
    assert seen.verdict(0.01) == "worse"
    assert seen.widened(2).verdict(0.01) == "open"
    assert seen.widened(2).pointwise()[1] == pytest.approx(-0.02 + 2.086 * 0.008, abs=1e-5)


def test_the_widened_interval_holds_on_new_data() -> None:
    """Means of 200 observations whose splits share samples, as in the paper's model: tests of one
    data set correlate by test / (test + train)."""
    random, held, n = np.random.default_rng(15), {False: 0, True: 0}, 10
    test, train = 200, 500
    rho = test / (test + train)
    for _ in range(2000):
        common = random.normal(0, math.sqrt(rho))
        values_of_seeds = common + random.normal(0, math.sqrt(1 - rho), n)
        error = values_of_seeds.std(ddof=1) / math.sqrt(n)
        for wide in held:
            factor = widening(n, test / train) if wide else 1
            held[wide] += abs(values_of_seeds.mean()) <= 2.262 * factor * error
    assert 0.93 < held[True] / 2000 < 0.97
    assert held[False] / 2000 < 0.7
