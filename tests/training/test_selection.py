import random

from tests.analysis.fabricated import trial
from warmstart.training.selection import beyond_the_edge, choose_learning_rates, rate_scores


def test_the_best_mean_over_seeds_wins():
    records = [
        trial("a", 0, 0.01, val_accuracy=[0.99]),
        trial("a", 1, 0.01, val_accuracy=[0.81]),
        trial("a", 0, 0.1, val_accuracy=[0.92]),
        trial("a", 1, 0.1, val_accuracy=[0.90]),
    ]
    assert rate_scores(records)["a"][0.01][0] == 0.9
    assert choose_learning_rates(records) == {"a": 0.1}


def test_the_last_epoch_counts_not_the_best():
    records = [
        trial("a", 0, 0.01, val_accuracy=[0.95, 0.80], val_loss=[0.1, 0.9]),
        trial("a", 0, 0.1, val_accuracy=[0.70, 0.85], val_loss=[0.9, 0.8]),
    ]
    assert choose_learning_rates(records) == {"a": 0.1}


def test_a_diverged_trial_counts_as_nothing():
    nan = float("nan")
    records = [
        trial("a", 0, 0.3, val_accuracy=[0.99]),
        trial("a", 1, 0.3, val_accuracy=[0.99, nan], val_loss=[0.1, nan], outcome="diverged"),
        trial("a", 0, 0.1, val_accuracy=[0.6]),
        trial("a", 1, 0.1, val_accuracy=[0.5]),
    ]
    assert rate_scores(records)["a"][0.3] == (0.495, float("inf"))
    assert choose_learning_rates(records) == {"a": 0.1}


def test_ties_go_to_the_lower_loss_then_to_the_lower_rate():
    records = [
        trial("a", 0, 0.01, val_loss=[0.5]),
        trial("a", 0, 0.1, val_loss=[0.4]),
        trial("a", 0, 0.3, val_loss=[0.4]),
    ]
    assert choose_learning_rates(records) == {"a": 0.1}


def test_every_arm_chooses_for_itself_whatever_the_order():
    records = [
        trial(arm, seed, rate, val_accuracy=[0.1 * seed + rate * sign])
        for arm, sign in (("up", 1), ("down", -1))
        for rate in (0.01, 0.1, 0.3)
        for seed in range(7)
    ]
    shuffled = random.Random(3).sample(records, len(records))
    expected = {"up": 0.3, "down": 0.01}
    assert choose_learning_rates(records) == expected
    assert choose_learning_rates(shuffled) == expected
    assert rate_scores(records)["up"] == rate_scores(shuffled)["up"]


def test_one_rate_beyond_an_end_that_is_best_at_the_grids_own_ratio():
    best = {"high": 1.0, "low": 0.01, "inside": 0.3}
    records = [
        trial(arm, seed, rate, val_accuracy=[0.9 if rate == best[arm] else 0.5])
        for arm in best
        for rate in (0.3, 0.01, 1.0, 0.03)
        for seed in range(2)
    ]
    assert beyond_the_edge(records) == {"high": 3.33, "low": 0.00333}  # 1 / 0.3, 0.01² / 0.03
    assert beyond_the_edge([r for r in records if r.learning_rate == 0.3]) == {}  # no ratio
