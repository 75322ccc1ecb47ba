import random
from dataclasses import replace

import numpy as np
import pytest

from fabricated import trial
from warmstart.metrics import METRICS
from warmstart.training.chance import Chance, of_accuracy
from warmstart.training.selection import (
    best_arm,
    best_of,
    beyond_the_edge,
    choose_learning_rates,
    contenders,
    last_epoch,
    rate_scores,
)


def test_each_seed_chooses_for_itself():
    records = [
        trial("a", 0, 0.01, val_accuracy=[0.99]),
        trial("a", 1, 0.01, val_accuracy=[0.81]),
        trial("a", 0, 0.1, val_accuracy=[0.92]),
        trial("a", 1, 0.1, val_accuracy=[0.90]),
    ]
    assert rate_scores(records)["a"][0.01][0] == pytest.approx(0.9)
    assert choose_learning_rates(records) == {("a", 0): 0.01, ("a", 1): 0.1}


def test_who_was_dropped_is_not_chosen_however_good_it_was():
    records = [
        trial("a", 0, 0.01, val_accuracy=[0.99], outcome="dropped"),
        trial("a", 0, 0.1, val_accuracy=[0.92, 0.9]),
    ]
    assert choose_learning_rates(records) == {("a", 0): 0.1}
    assert beyond_the_edge(records) == {("a", 0): 1.0}  # of the grid that it was in
    assert rate_scores(records)["a"] == {0.1: (0.9, 0.3)}


def test_the_last_epoch_counts_not_the_best():
    records = [
        trial("a", 0, 0.01, val_accuracy=[0.95, 0.80], val_loss=[0.1, 0.9]),
        trial("a", 0, 0.1, val_accuracy=[0.70, 0.85], val_loss=[0.9, 0.8]),
    ]
    assert choose_learning_rates(records) == {("a", 0): 0.1}


def test_a_diverged_trial_counts_as_nothing():
    nan = float("nan")
    records = [
        trial("a", 0, 0.3, val_accuracy=[0.99]),
        trial("a", 1, 0.3, val_accuracy=[0.99, nan], val_loss=[0.1, nan], outcome="diverged"),
        trial("a", 0, 0.1, val_accuracy=[0.6]),
        trial("a", 1, 0.1, val_accuracy=[0.5]),
    ]
    assert rate_scores(records)["a"][0.3] == (0.495, float("inf"))
    assert choose_learning_rates(records) == {("a", 0): 0.3, ("a", 1): 0.1}


def test_ties_go_to_the_lower_loss_then_to_the_lower_rate():
    records = [
        trial("a", 0, 0.01, val_loss=[0.5]),
        trial("a", 0, 0.1, val_loss=[0.4]),
        trial("a", 0, 0.3, val_loss=[0.4]),
    ]
    assert choose_learning_rates(records) == {("a", 0): 0.1}


def test_every_arm_chooses_for_itself_whatever_the_order():
    records = [
        trial(arm, seed, rate, val_accuracy=[0.1 * seed + rate * sign])
        for arm, sign in (("up", 1), ("down", -1))
        for rate in (0.01, 0.1, 0.3)
        for seed in range(7)
    ]
    shuffled = random.Random(3).sample(records, len(records))
    expected = {(arm, s): rate for arm, rate in (("up", 0.3), ("down", 0.01)) for s in range(7)}
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
    assert beyond_the_edge(records) == {  # 1 / 0.3, 0.01² / 0.03
        (arm, seed): rate for arm, rate in (("high", 3.33), ("low", 0.00333)) for seed in range(2)
    }
    assert beyond_the_edge([r for r in records if r.learning_rate == 0.3]) == {}  # no ratio


def test_more_seeds_are_for_what_is_open_and_not_for_what_is_worse():
    """10 seeds with a spread of half a point on 1,000 samples: b is near a, and c far below."""
    luck = np.random.default_rng(4)
    means = {"a": 0.9, "b": 0.895, "c": 0.8}
    records = [
        trial(arm, seed, val_accuracy=[round(mean + luck.normal(0, 0.005), 3)])
        for arm, mean in means.items()
        for seed in range(10)
    ]
    given = {"margin": 0.005, "chance": of_accuracy(0.1, 1000), "resolution": 1e-3, "level": 0.015}
    assert contenders(records, reference=None, **given) == ["a", "b"]
    assert contenders(records, reference="c", **given) == []  # both are shown to be better
    assert contenders(records[:10] + records[20:], reference=None, **given) == []
    assert best_arm(records) == "a"
    wide = given | {"margin": 0.02}
    assert contenders(records, reference=None, **wide) == []  # practically equal


def test_chance_is_that_of_the_most_frequent_class():
    """Two standard errors of 100 samples at 0.5 are 0.1."""
    assert of_accuracy(0.5, 100).holds(0.6)
    assert not of_accuracy(0.5, 100).holds(0.61)


def test_kept_is_the_best_seed_of_the_best_arm_and_not_the_luckiest():
    """`lucky` has the best seed of all, `steady` the better mean."""
    accuracies = {"lucky": (0.99, 0.70, 0.71), "steady": (0.85, 0.90, 0.88)}
    records = [
        trial(arm, seed, val_accuracy=[0.99, accuracy])
        for arm, of_seeds in accuracies.items()
        for seed, accuracy in enumerate(of_seeds)
    ]
    assert best_of(records, range(9)) == 4
    assert best_of(records[:3], range(9)) == 0


def test_kept_is_the_lower_loss_where_accuracies_are_equal():
    losses = {"a": (0.5, 0.1), "b": (0.2, 0.3)}  # means 0.3 and 0.25
    records = [
        trial(arm, seed, val_loss=[loss])
        for arm, of_seeds in losses.items()
        for seed, loss in enumerate(of_seeds)
    ]
    assert best_of(records, range(9)) == 2
    assert best_of(records[:2], range(9)) == 1


def test_the_test_set_has_no_say_in_what_is_kept():
    """Validation puts b and its seed 1 first, the test set a and, within b, seed 0."""
    validation = {"a": (0.80, 0.81), "b": (0.82, 0.83)}
    tested = {"a": (0.99, 0.98), "b": (0.70, 0.60)}
    records = [
        trial(
            arm,
            seed,
            val_accuracy=[validation[arm][seed]],
            test={"test_accuracy": tested[arm][seed], "test_loss": 1 - tested[arm][seed]},
        )
        for arm in validation
        for seed in (0, 1)
    ]
    assert best_of(records, range(9)) == 3
    assert rate_scores(records)["a"][0.1][0] == pytest.approx(0.805)


def test_a_diverged_trial_is_kept_last():
    records = [
        trial("a", 0, val_accuracy=[0.99], outcome="diverged"),
        trial("a", 1, val_accuracy=[0.1]),
        trial("a", 2, val_accuracy=[float("nan")]),
    ]
    assert best_of(records, range(9)) == 1


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [
        ("balanced_accuracy", 0.8, 0.6),
        ("rmse", 12.0, 15.0),
        ("log_loss", 0.2, 0.3),
        ("r2", 0.5, -2),
    ],
)
def test_another_metric_than_accuracy_chooses(metric: str, better: float, worse: float):
    """Accuracy and loss say the opposite, and say nothing."""
    records = [
        trial("a", seed, rate, val_accuracy=[accuracy], val_loss=[0.5], metric=metric,
              validation=value)
        for seed in (0, 1)
        for rate, accuracy, value in ((0.01, 0.9, worse), (0.1, 0.5, better), (0.3, 0.9, worse))
    ]  # fmt: skip
    rates = {("a", 0): 0.1, ("a", 1): 0.1}
    assert choose_learning_rates(records) == rates
    assert beyond_the_edge(records) == {}
    assert rate_scores(records)["a"][0.1] == (METRICS[metric].gain(better), 0.5)
    other = [replace(r, arm="b") for r in records if r.learning_rate == 0.01]
    best = [r for r in records if r.learning_rate == 0.1]
    assert best_arm([*other, *best]) == "a"
    assert best_of([*other, *best], {1}) == 3


@pytest.mark.parametrize("metric", ["rmse", "balanced_accuracy"])
def test_what_diverged_is_worst_whatever_the_metric(metric: str):
    nan = float("nan")
    records = [
        trial("a", 0, 0.3, outcome="diverged", metric=metric, validation=nan),
        trial("a", 0, 0.1, metric=metric, validation=1e6 if metric == "rmse" else 0.01),
        trial("b", 0, 0.3, outcome="diverged", metric=metric, validation=nan),
        trial("c", 0, 0.3, metric=metric, validation=nan),
    ]
    assert choose_learning_rates(records)["a", 0] == 0.1
    assert best_arm([records[2], records[1]]) == "a"
    assert best_of([records[2], records[3], records[1]], {0}) == 2
    worst = -float("inf") if metric == "rmse" else 0.0
    assert last_epoch(records[0]) == last_epoch(records[3]) == (worst, float("inf"))


def test_seeds_are_for_what_is_open_in_units_of_the_target_and_a_divergence_is_a_constant():
    """RMSE around 10: b is half a unit worse, c far, d diverged in one seed and is set aside."""
    luck = np.random.default_rng(4)
    chance = Chance(-40.0, 1.0)
    records = [
        trial(arm, seed, metric="rmse", validation=mean + luck.normal(0, 0.3))
        for arm, mean in {"a": 10.0, "b": 10.1, "c": 14.0, "d": 10.0}.items()
        for seed in range(10)
    ]
    records[35] = replace(records[35], outcome="diverged")
    given = {"reference": None, "chance": chance, "resolution": 1e-12, "level": 0.015}
    assert contenders(records[:30], margin=0.05, **given) == ["a", "b"]
    assert contenders(records[:30], margin=2.0, **given) == []
    assert contenders(records, margin=2.0, **given) == ["a", "b", "d"]  # d is open
