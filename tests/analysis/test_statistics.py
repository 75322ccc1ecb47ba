import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

from fabricated import finished, study, trial
from warmstart.analysis.statistics import pairwise_p_values, summarize
from warmstart.analysis.summary import Interval, read_summary, write_summary


def summary_of(records, reference=None, n_test=100):
    return summarize(records, data_name="digits", n_test=n_test, reference=reference)


def test_a_summary_by_hand():
    records = [
        *finished("a", [0.90, 0.92, 0.94], learning_rate=0.3, settings={"activation": "relu"}),
        *[trial("a", seed, 0.1) for seed in range(3)],
        *finished("b", [0.95, 0.96, 0.97], learning_rate=0.1),
        *[trial("b", seed, 0.3) for seed in range(3)],
    ]
    found = summary_of(records)
    assert list(found.arms) == ["b", "a"]
    assert [arm.rank for arm in found.arms.values()] == [1, 2]
    assert (found.trials, found.seeds, found.learning_rates) == (12, 3, (0.1, 0.3))
    a = found.arms["a"]
    assert (a.learning_rate, a.at_edge, found.arms["b"].at_edge) == (0.3, "highest", "lowest")
    assert a.test_accuracy.mean == pytest.approx(0.92)
    assert a.test_accuracy.low == pytest.approx(0.92 - 4.302653 * 0.02 / math.sqrt(3))
    assert a.settings == {"activation": "relu"}
    assert (a.mean_rank, found.arms["b"].mean_rank) == (2, 1)
    assert found.groups == (("b",), ("a",))

    (contrast,) = found.contrasts.values()
    assert list(found.contrasts) == ["a against b"]
    # differences −0.05, −0.04, −0.03: t = −0.04 / (0.01 / √3) = −6.93 with 2 degrees of freedom
    assert contrast.accuracy_difference.mean == pytest.approx(-0.04)
    assert contrast.p_value == pytest.approx(0.0202, abs=1e-4)
    assert (contrast.verdict, contrast.seeds_needed) == ("worse", None)
    # errors 10, 8, 6 against 5, 4, 3
    factor = math.prod([5.5 / 10.5, 4.5 / 8.5, 3.5 / 6.5]) ** (1 / 3)
    assert contrast.error_factor.mean == pytest.approx(factor)
    assert contrast.loss_difference.mean == pytest.approx(0.04)


def test_a_summary_is_read_as_it_was_written(tmp_path):
    records = [
        dataclasses.replace(r, settings={"splits": "resampled"})
        for r in finished("a", [0.90, 0.92, 0.94]) + finished("b", [0.95, 0.96, 0.97])
    ]
    found = summary_of(records)
    assert found.splits == "resampled"
    write_summary(tmp_path / "summary.json", found)
    assert read_summary(tmp_path / "summary.json") == found


def test_epochs_to_the_target_and_the_last_epoch():
    """Last epochs: a 0.8 on average, b 0.7, so the target is 0.76."""
    test = {"test_accuracy": 0.8, "test_loss": 0.5}
    records = [
        trial("a", 0, val_accuracy=[0.5, 0.77, 0.95, 0.9], test=test),
        trial("a", 1, val_accuracy=[0.76, 0.7, 0.7, 0.7], test=test),
        trial("b", 0, val_accuracy=[0.7, 0.7], test=test),
        trial("b", 1, val_accuracy=[0.6, 0.7], test=test),
    ]
    found = summary_of(records)
    assert found.target_accuracy == pytest.approx(0.76)
    a, b = found.arms["a"], found.arms["b"]
    assert a.epochs_to_target.mean == pytest.approx((1 + 0.26 / 0.27 + 1) / 2)
    assert (a.epochs_to_target.n, a.reached_share) == (2, 1)
    assert (b.epochs_to_target, b.reached_share) == (None, 0)
    assert (a.best_epoch, a.last_epoch, b.last_epoch) == (2, 4, 2)
    assert a.best_val_accuracy.mean == pytest.approx((0.95 + 0.76) / 2)
    assert a.val_accuracy.mean == pytest.approx(0.8)


def test_ranks_are_taken_within_seeds():
    """One seed in which everything goes wrong for a outweighs its mean, not its rank."""
    records = [
        *finished("a", [0.90, 0.90, 0.10]),
        *finished("b", [0.80, 0.90, 0.80]),
        *finished("c", [0.70, 0.70, 0.70]),
    ]
    found = summary_of(records).arms
    assert found["a"].mean_rank == pytest.approx((1 + 1.5 + 3) / 3)
    assert found["b"].mean_rank == pytest.approx((2 + 1.5 + 1) / 3)
    assert found["c"].mean_rank == pytest.approx((3 + 3 + 2) / 3)


def test_groups_go_over_all_pairs_whatever_the_reference():
    """a is 10 points above b and c, which tie; against c alone b would not be compared with a."""
    a = [0.90, 0.92, 0.94, 0.91]
    records = [
        *finished("a", a),
        *finished("b", [x - d for x, d in zip(a, [0.10, 0.11, 0.10, 0.09], strict=True)]),
        *finished("c", [x - d for x, d in zip(a, [0.10, 0.09, 0.11, 0.10], strict=True)]),
    ]
    for reference in (None, "c"):
        assert [sorted(g) for g in summary_of(records, reference).groups] == [["a"], ["b", "c"]]


def test_too_few_seeds_form_no_groups_and_say_how_many_it_takes():
    found = summary_of([*finished("a", [0.90, 0.92]), *finished("b", [0.89, 0.88])])
    (contrast,) = found.contrasts.values()
    assert (contrast.verdict, found.groups) == ("undecided", ())
    # differences 0.01 and 0.04: effect 0.025 / 0.0212 = 1.18, for which G*Power asks for 8
    assert contrast.seeds_needed == 8


def test_edges_need_a_grid():
    found = summary_of([*finished("a", [0.9] * 3), *finished("b", [0.8] * 3)])
    assert found.arms["a"].at_edge == ""
    inside = [*finished("a", [0.9] * 3), trial("a", 0, 0.01), trial("a", 0, 1.0)]
    assert summary_of(inside).arms["a"].at_edge == ""


def test_a_reference_is_held_against_every_other_arm():
    records = [*finished("scratch", [0.8] * 3), *finished("on_a", [0.9, 0.91, 0.92])]
    (contrast,) = summary_of(records, "scratch").contrasts.values()
    assert (contrast.arm, contrast.reference, contrast.verdict) == ("on_a", "scratch", "better")


def test_equal_arms_share_the_lower_rank_and_tie():
    found = summary_of(
        [*finished("a", [0.8] * 4), *finished("b", [0.9] * 4), *finished("c", [0.9] * 4)]
    )
    assert {arm: s.rank for arm, s in found.arms.items()} == {"b": 1, "c": 1, "a": 3}
    assert found.contrasts["c against b"].verdict == "tie"
    assert found.contrasts["c against b"].p_value == 1
    assert found.contrasts["a against b"].verdict == "worse"  # equal in every seed, and large
    assert found.contrasts["a against b"].accuracy_difference == Interval(
        mean=-0.1, low=None, high=None, sd=0.0, n=4
    )


def test_pairs_are_matched_by_seed_and_not_by_position():
    accuracies = [0.5, 0.7, 0.9]
    a = finished("a", accuracies)
    b = [trial("b", r.seed, test=r.test) for r in reversed(a)]
    (contrast,) = summary_of([*a, *b], "a").contrasts.values()
    assert contrast.accuracy_difference.sd == 0


def test_two_seeds_decide_nothing():
    found = summary_of([*finished("a", [0.9, 0.91]), *finished("b", [0.1, 0.12])])
    (contrast,) = found.contrasts.values()
    assert (contrast.p_value, contrast.verdict) == (None, "undecided")
    assert contrast.accuracy_difference.low is not None


def test_holm_goes_over_the_contrasts_of_a_fixed_reference_and_all_pairs_of_a_picked_one():
    records = [
        *finished("a", [0.90, 0.92, 0.94]),
        *finished("b", [0.85, 0.88, 0.91]),
        *finished("c", [0.80, 0.84, 0.83]),
    ]
    # differences a − b: 0.05, 0.04, 0.03 (p 0.02020); a − c: 0.10, 0.08, 0.11 (p 0.00822);
    # b − c: 0.05, 0.04, 0.08 (p 0.04353)
    fixed = summary_of(records, "a").contrasts
    assert fixed["c against a"].p_value == pytest.approx(2 * 0.00822, abs=2e-5)
    assert fixed["b against a"].p_value == pytest.approx(0.02020, abs=2e-5)
    picked = summary_of(records).contrasts
    assert picked["c against a"].p_value == pytest.approx(3 * 0.00822, abs=3e-5)
    assert picked["b against a"].p_value == pytest.approx(2 * 0.02020, abs=3e-5)


def test_divergence_is_counted_and_its_loss_left_out():
    nan = math.nan
    records = [
        *finished("a", [0.9, 0.9, 0.91]),
        *finished("b", [0.8, 0.82]),
        trial(
            "b",
            2,
            val_accuracy=[0.4, 0.5, nan],
            val_loss=[1, 1, nan],
            outcome="diverged",
            test={"test_accuracy": 0.5, "test_loss": nan},
        ),
    ]
    found = summary_of(records)
    b = found.arms["b"]
    assert b.diverged_share == pytest.approx(1 / 3)
    assert b.best_epoch == pytest.approx((1 + 1 + 2) / 3)
    assert b.val_accuracy.mean == pytest.approx((0.9 + 0.9 + 0) / 3)
    assert (b.test_loss.n, b.test_loss.mean) == (2, pytest.approx(0.19))
    assert (b.test_accuracy.n, b.test_accuracy.mean) == (3, pytest.approx(2.12 / 3))
    assert found.contrasts["b against a"].loss_difference.n == 2


def test_a_summary_with_nothing_finite_is_still_json(tmp_path):
    nan = math.nan
    hopeless = [
        trial(
            "b",
            seed,
            val_accuracy=[nan],
            val_loss=[nan],
            outcome="diverged",
            test={"test_accuracy": 0.1, "test_loss": math.inf},
        )
        for seed in range(3)
    ]
    found = summary_of([*finished("a", [0.9, 0.9, 0.91]), *hopeless])
    write_summary(tmp_path / "summary.json", found)
    assert read_summary(tmp_path / "summary.json") == found
    assert found.arms["b"].test_loss.n == 0
    assert "NaN" not in json.dumps(found.contrasts["b against a"].p_value)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"chosen trials of every arm, received none of \['b'\]"):
        summary_of([*finished("a", [0.9]), trial("b")])
    with pytest.raises(ValueError, match="expected one of a, received 'c'"):
        summary_of(finished("a", [0.9]), "c")


def test_the_order_of_records_changes_nothing_but_the_order_of_equals():
    records = study({"a": 0.03, "b": 0.05, "c": 0.9})
    assert summary_of(records, n_test=360) == summary_of(records[::-1], n_test=360)


def simulated(random, means, seeds, n_test=10_000):
    """Error counts of one study: a seed moves all arms alike, and each trial on its own."""
    ease = random.normal(0, 0.01, seeds)
    return {
        str(arm): {
            seed: round(n_test * (1 - mean - ease[seed] + random.normal(0, 0.01)))
            for seed in range(seeds)
        }
        for arm, mean in enumerate(means)
    }


STUDIES = 2000
SAMPLING_ERROR = 3 * math.sqrt(0.05 * 0.95 / STUDIES)  # 1.5 %


@pytest.mark.parametrize(("arms", "seeds"), [(3, 10), (7, 5)])
def test_equal_arms_seldom_differ_from_a_fixed_reference(arms, seeds):
    """Uncorrected, 9 % and 21 % of these studies would report a difference."""
    random = np.random.default_rng(arms * 100 + seeds)
    false = 0
    for _ in range(STUDIES):
        errors = simulated(random, [0.8] * arms, seeds)
        family = [(arm, "0") for arm in errors if arm != "0"]
        false += min(pairwise_p_values(errors, family, n_test=10_000).values()) < 0.05
    assert 0.02 < false / STUDIES < 0.05 + SAMPLING_ERROR


def test_equal_arms_seldom_differ_from_each_other_or_from_the_best():
    """Corrected over the contrasts with the best only, 8 % of these studies would report one."""
    random = np.random.default_rng(505)
    any_pair = from_best = 0
    for _ in range(STUDIES):
        errors = simulated(random, [0.8] * 5, seeds=5)
        best = min(errors, key=lambda arm: sum(errors[arm].values()))
        p = pairwise_p_values(errors, list(itertools.combinations(errors, 2)), n_test=10_000)
        any_pair += min(p.values()) < 0.05
        from_best += min(value for pair, value in p.items() if best in pair) < 0.05
    assert 0.02 < any_pair / STUDIES < 0.05 + SAMPLING_ERROR
    assert 0.01 < from_best / STUDIES < 0.05


def test_intervals_of_simulated_records_cover_the_true_difference():
    """2,000 studies of records whose arms are truly 5 points apart, from accuracies to summary."""
    random = np.random.default_rng(11)
    covered = 0
    for _ in range(STUDIES):
        ease = random.normal(0.80, 0.03, 5)
        records = [
            record
            for arm, gain in (("good", 0.05), ("bad", 0.0))
            for record in finished(arm, np.round(ease + gain + random.normal(0, 0.01, 5), 4))
        ]
        (contrast,) = summary_of(records, "bad", n_test=10_000).contrasts.values()
        found = contrast.accuracy_difference
        covered += found.low <= 0.05 <= found.high
    assert 0.93 < covered / STUDIES < 0.97


def test_planted_differences_are_found_and_planted_ties_kept():
    """Arms 1 and 2 equal arm 0; arm 3 is 5 points below, eleven times the noise of a difference's
    mean at ten seeds (0.014 / √10)."""
    random = np.random.default_rng(5)
    found = kept = 0
    for _ in range(200):
        errors = simulated(random, [0.8, 0.8, 0.8, 0.75], seeds=10)
        p = pairwise_p_values(errors, list(itertools.combinations(errors, 2)), n_test=10_000)
        found += all(p[frozenset((arm, "3"))] < 0.05 for arm in "012")
        kept += all(p[frozenset(pair)] >= 0.05 for pair in ("01", "02", "12"))
    assert found == 200
    assert kept >= 0.95 * 200 - 3 * math.sqrt(200 * 0.95 * 0.05)
