import dataclasses
import json
import math

import numpy as np
import pytest

from fabricated import finished, study, trial
from warmstart.analysis.statistics import summarize
from warmstart.analysis.summary import read_summary, write_summary


def summary_of(records, reference=None, n_test=100, chance=0.1):
    return summarize(
        records,
        data_name="digits",
        n_test=n_test,
        chance=chance,
        margin=0.01,
        reference=reference,
    )


def validated(arm, accuracies, **given):
    """Trials whose validation accuracy is that of the test: validation chooses what is best."""
    return [
        trial(arm, s, val_accuracy=[a], test={"test_loss": 1 - a, "test_accuracy": a}, **given)
        for s, a in enumerate(accuracies)
    ]


def test_a_summary_by_hand():
    settings = {"activation": "relu"}
    records = [
        *validated("a", [0.90, 0.92, 0.94], learning_rate=0.3, settings=settings),
        *[trial("a", seed, 0.1, val_accuracy=[0.8]) for seed in range(3)],
        *validated("b", [0.95, 0.96, 0.97], learning_rate=0.1),
        *[trial("b", seed, 0.3, val_accuracy=[0.8]) for seed in range(3)],
    ]
    found = summary_of(records)
    assert list(found.arms) == ["b", "a"]
    assert [arm.rank for arm in found.arms.values()] == [1, 2]
    assert (found.trials, found.seeds, found.learning_rates) == (12, 3, (0.1, 0.3))
    a = found.arms["a"]
    assert (a.learning_rate, a.at_edge, found.arms["b"].at_edge) == (0.3, "highest", "lowest")
    assert a.test.mean == pytest.approx(0.92)
    assert a.test.low == pytest.approx(0.92 - 4.302653 * 0.02 / math.sqrt(3))
    assert a.settings == {"activation": "relu"}
    assert (a.mean_rank, found.arms["b"].mean_rank) == (2, 1)
    assert found.groups == (("b",), ("a",))

    (contrast,) = found.contrasts.values()
    assert list(found.contrasts) == ["a against b"]
    # differences −0.05, −0.04, −0.03: t = −0.04 / (0.01 / √3) = −6.93 with 2 degrees of freedom
    assert contrast.difference.mean == pytest.approx(-0.04)
    assert contrast.p_value == pytest.approx(0.0202, abs=1e-4)
    assert (contrast.verdict, contrast.level, found.reference) == ("worse", 0.05, "b")
    reach = (
        4.302653 * 0.01 / math.sqrt(3)
    )  # of two arms the simultaneous interval is the paired one
    assert contrast.difference.low == pytest.approx(-0.04 - reach)
    assert found.deviation == pytest.approx(0.01 / math.sqrt(2))
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
    assert found.target == pytest.approx(0.76)
    a, b = found.arms["a"], found.arms["b"]
    assert a.epochs_to_target.mean == pytest.approx((1 + 0.26 / 0.27 + 1) / 2)
    assert (a.epochs_to_target.n, a.reached_share) == (2, 1)
    assert (b.epochs_to_target, b.reached_share) == (None, 0)
    assert (a.best_epoch, a.last_epoch, b.last_epoch) == (2, 4, 2)
    assert a.best_validation.mean == pytest.approx((0.95 + 0.76) / 2)
    assert a.validation.mean == pytest.approx(0.8)


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
    for reference in ("a", "c"):
        assert [sorted(g) for g in summary_of(records, reference).groups] == [["a"], ["b", "c"]]


def test_too_few_seeds_form_no_groups():
    found = summary_of([*finished("a", [0.90, 0.92]), *finished("b", [0.89, 0.88])])
    (contrast,) = found.contrasts.values()
    assert (contrast.verdict, found.groups, found.equals) == ("open", (), ())


def test_validation_chooses_the_reference_whatever_the_test_says():
    """b does better in the test by 5 points, and a on validation by one."""
    records = [
        *[trial("a", s, val_accuracy=[0.91], test=accuracy(0.85 + s / 100)) for s in range(4)],
        *[trial("b", s, val_accuracy=[0.90], test=accuracy(0.90 + s / 100)) for s in range(4)],
    ]
    found = summary_of(records)
    assert (found.reference, list(found.arms)) == ("a", ["a", "b"])
    assert found.contrasts["b against a"].verdict == "better"
    assert found.contrasts["b against a"].difference.mean == pytest.approx(0.05)


def accuracy(value):
    return {"test_accuracy": value, "test_loss": 1 - value}


def test_seeds_may_have_rates_of_their_own():
    records = [
        *[trial("a", s, (0.1, 0.3, 0.1)[s], test=accuracy(0.9)) for s in range(3)],
        *[trial("a", s, (0.3, 0.1, 0.3)[s], val_accuracy=[0.8]) for s in range(3)],
        *[trial("b", s, (0.3, 0.1)[s % 2], test=accuracy(0.9)) for s in range(2)],
    ]
    found = summary_of(records).arms
    assert found["a"].rates == {"0.1": 2, "0.3": 1}
    assert (found["a"].learning_rate, found["a"].at_edge) == (0.1, "lowest")
    assert (found["b"].rates, found["b"].learning_rate) == ({"0.1": 1, "0.3": 1}, 0.1)


def test_arms_practically_equal_to_each_other_are_grouped():
    """Within 1 point, with 8 seeds of 0.2 points: d is 3 points below."""
    random = np.random.default_rng(8)
    records = [
        record
        for arm, mean in {"a": 0.9, "b": 0.902, "c": 0.898, "d": 0.87}.items()
        for record in finished(arm, np.round(mean + random.normal(0, 0.002, 8), 3))
    ]
    found = summary_of(records, n_test=1000)
    assert found.equals == (("a", "b", "c"),)
    assert found.contrasts["d against a"].verdict == "worse"
    assert found.contrasts["c against a"].verdict == "practically equal"


def test_an_arm_that_failed_is_set_aside_and_said_to_be_worse():
    steady = [0.90, 0.91, 0.90, 0.92, 0.91]
    records = [
        *finished("a", steady),
        *finished("b", [x - 0.002 for x in steady]),
        *finished("stuck", [0.1, 0.12, 0.1, 0.09, 0.11]),
    ]
    found = summary_of(records)
    assert found.aside == {"stuck": "diverged or stayed at chance in 5 of 5 seeds"}
    assert found.contrasts["stuck against a"].verdict == "worse"
    without = summary_of(records[:10])
    assert found.deviation == without.deviation


def test_the_level_is_that_of_the_round():
    """Of rounds that begin with 5 seeds, ten are the second one."""
    given = {"settings": {"first_round": "5"}}
    records = [*finished("a", [0.9] * 10, **given), *finished("b", [0.8] * 5, **given)]
    (contrast,) = summary_of(records).contrasts.values()
    assert contrast.level == pytest.approx(0.05 * 0.3)
    assert contrast.difference.n == 5


def test_edges_need_a_grid():
    found = summary_of([*finished("a", [0.9] * 3), *finished("b", [0.8] * 3)])
    assert found.arms["a"].at_edge == ""
    others = [trial("a", seed, rate) for seed in range(3) for rate in (0.01, 1.0)]
    inside = [*finished("a", [0.9] * 3), *others]
    assert summary_of(inside).arms["a"].at_edge == ""


def test_a_reference_is_held_against_every_other_arm():
    records = [*finished("scratch", [0.8] * 3), *finished("on_a", [0.9, 0.91, 0.92])]
    (contrast,) = summary_of(records, "scratch").contrasts.values()
    assert (contrast.arm, contrast.reference, contrast.verdict) == ("on_a", "scratch", "better")


def test_equal_arms_share_the_lower_rank():
    found = summary_of(
        [*validated("a", [0.8] * 4), *validated("b", [0.9] * 4), *validated("c", [0.9] * 4)]
    )
    assert {arm: s.rank for arm, s in found.arms.items()} == {"b": 1, "c": 1, "a": 3}
    assert found.contrasts["c against b"].p_value == 1
    assert found.contrasts["a against b"].verdict == "worse"  # equal in every seed, and large
    assert found.contrasts["a against b"].difference.sd == 0


def test_of_equal_arms_the_one_that_training_chose_comes_first():
    """Means of 32-bit numbers differ by less than is shown."""
    records = [
        *finished("first", [0.9, 0.91], val_accuracy=[0.9626740694]),
        *finished("chosen", [0.9, 0.91], val_accuracy=[0.9626740813]),
    ]
    summary = summarize(records, data_name="x", n_test=100, chance=0.1, margin=0.01, reference=None)
    assert summary.reference == "chosen"
    assert {arm: found.rank for arm, found in summary.arms.items()} == {"chosen": 1, "first": 1}
    assert [*summary.arms] == ["chosen", "first"]


def test_pairs_are_matched_by_seed_and_not_by_position():
    accuracies = [0.5, 0.7, 0.9]
    a = finished("a", accuracies)
    b = [trial("b", r.seed, test=r.test) for r in reversed(a)]
    (contrast,) = summary_of([*a, *b], "a").contrasts.values()
    assert contrast.difference.sd == 0


def test_two_seeds_decide_nothing():
    found = summary_of([*finished("a", [0.9, 0.91]), *finished("b", [0.1, 0.12])])
    (contrast,) = found.contrasts.values()
    assert (contrast.p_value, contrast.verdict) == (None, "open")
    assert contrast.difference.low is not None


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
    assert b.validation.mean == pytest.approx((0.9 + 0.9 + 0) / 3)
    assert (b.test_loss.n, b.test_loss.mean) == (2, pytest.approx(0.19))
    assert (b.test.n, b.test.mean) == (3, pytest.approx(2.12 / 3))
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
    one, other = (summary_of(r, n_test=360) for r in (records, records[::-1]))
    assert one.contrasts.keys() == other.contrasts.keys()
    assert one.arms == other.arms
    for name, contrast in one.contrasts.items():
        assert contrast.p_value == pytest.approx(other.contrasts[name].p_value)


def test_shares_stay_between_0_and_1():
    found = summary_of([*finished("a", [0.99, 1.0, 0.9]), *finished("b", [0.02, 0.0, 0.1])])
    assert found.arms["a"].test.high == 1
    assert found.arms["b"].test.low == 0
    assert found.arms["a"].test.low < 0.9


def test_of_new_data_less_is_shown():
    """b is 1.2 points below a, c 8: with as many test as training samples only c is shown."""
    random = np.random.default_rng(3)
    records = [
        record
        for arm, mean in {"a": 0.9, "b": 0.888, "c": 0.82}.items()
        for record in finished(
            arm, np.round(mean + random.normal(0, 0.004, 8), 3), settings={"splits": "resampled"}
        )
    ]
    given = {"data_name": "d", "n_test": 1000, "chance": 0.1, "margin": 0.01, "reference": "a"}
    found = summarize(records, n_train=1000, **given)
    assert found.widening == pytest.approx(3)  # √(1 + 8 · 1)
    verdicts = {c.arm: (c.verdict, c.on_new_data) for c in found.contrasts.values()}
    assert verdicts == {"b": ("worse", "open"), "c": ("worse", "worse")}
    fixed = [dataclasses.replace(r, settings={"splits": "fixed"}) for r in records]
    official = [dataclasses.replace(r, settings={"splits": "official"}) for r in records]
    assert summarize(official, n_train=1000, **given).splits == "official"
    for unknown in (
        summarize(records, **given),
        summarize(fixed, n_train=1000, **given),
        summarize(official, n_train=1000, **given),  # no factor stands for another test set
    ):
        assert unknown.widening is None
        assert {c.on_new_data for c in unknown.contrasts.values()} == {"open"}
