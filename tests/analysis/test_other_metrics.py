"""A summary where another metric than accuracy decides: values in its unit, verdicts by gains."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fabricated import classified, finished, predicted
from warmstart.analysis import claims, measures
from warmstart.analysis.chapter import RULES, Rule
from warmstart.analysis.label_efficiency import answers
from warmstart.analysis.results import DataCard, Results, judged
from warmstart.analysis.statistics import summarize
from warmstart.analysis.summary import Summary, read_summary, write_summary
from warmstart.metrics import METRICS
from warmstart.records import Record

GOOD, BAD = [4.0, 4.2, 4.4, 4.1], [5.0, 5.3, 5.3, 5.2]


def summary_of(records: list[Record], **given: object) -> Summary:
    known = {"data_name": "x", "n_test": 100, "chance": 20.0, "margin": 0.2, "reference": None}
    return summarize(records, **known | given)  # type: ignore[arg-type]


def test_less_of_an_error_is_better(tmp_path) -> None:
    found = summary_of([*predicted("bad", BAD), *predicted("good", GOOD)], predicted="price")
    assert (found.metric, found.predicted, found.reference) == ("rmse", "price", "good")
    assert [(arm, s.rank) for arm, s in found.arms.items()] == [("good", 1), ("bad", 2)]
    assert found.arms["good"].mean_rank == 1
    assert found.arms["bad"].test.mean == pytest.approx(5.2)
    (contrast,) = found.contrasts.values()
    # bad minus good 1.0, 1.1, 0.9, 1.1: mean 1.025, deviation 0.09574, t(0.975, 3) = 3.18245
    reach = 3.18245 * np.std([1.0, 1.1, 0.9, 1.1], ddof=1) / 2
    assert contrast.difference.mean == pytest.approx(1.025)
    assert (contrast.difference.low, contrast.difference.high) == pytest.approx(
        (1.025 - reach, 1.025 + reach), rel=1e-5
    )
    assert contrast.verdict == "worse"
    ratio = math.prod(g / b for g, b in zip(GOOD, BAD, strict=True)) ** (1 / 4)
    assert contrast.error_factor is not None
    assert contrast.error_factor.mean == pytest.approx(ratio)
    assert set(found.arms["good"].others) == {"mae", "r2"}
    assert found.arms["good"].others["mae"].mean == pytest.approx(0.8 * 4.175)
    # 4.175 / 0.95 is reached between the first epoch, at twice the error, and the second
    assert found.target == pytest.approx(4.175 / 0.95)
    write_summary(tmp_path / "summary.json", found)
    assert read_summary(tmp_path / "summary.json") == found


def test_the_target_of_an_error_is_reached_from_above() -> None:
    records = [*predicted("good", [4.0] * 3), *predicted("bad", [5.0] * 3)]
    arms = summary_of(records).arms
    target = 4 / 0.95
    assert arms["good"].epochs_to_target is not None
    assert arms["good"].epochs_to_target.mean == pytest.approx(1 + (8 - target) / 4)
    assert (arms["bad"].epochs_to_target, arms["bad"].reached_share) == (None, 0)
    assert arms["good"].best_epoch == 2


@pytest.mark.parametrize(("margin", "verdict"), [(0.2, "worse"), (2.0, "practically equal")])
def test_the_margin_is_in_the_unit_of_the_metric(margin: float, verdict: str) -> None:
    records = [*predicted("bad", BAD), *predicted("good", GOOD)]
    (contrast,) = summary_of(records, margin=margin).contrasts.values()
    assert contrast.verdict == verdict


def test_a_network_that_diverged_is_worse_and_set_aside() -> None:
    nan = math.nan
    lost = [
        replace(
            record,
            outcome="diverged",
            validation={},
            epochs=record.epochs | {"val_loss": (1.0, nan), "val_mae": (1.0, nan)},
            test=dict.fromkeys(record.test, nan),
        )
        for record in predicted("lost", GOOD)
    ]
    found = summary_of([*lost, *predicted("bad", BAD), *predicted("good", GOOD)])
    assert (found.reference, list(found.arms)[-1]) == ("good", "lost")
    assert found.aside == {"lost": "diverged or stayed at chance in 4 of 4 seeds"}
    contrast = found.contrasts["lost against good"]
    assert contrast.verdict == "worse"
    assert contrast.difference.mean == pytest.approx(20 - 4.175)  # as the mean does
    assert found.arms["lost"].validation.n == found.arms["lost"].test.n == 0


def test_balanced_accuracy_is_a_share_and_counts_no_errors() -> None:
    records = [*classified("a", [0.7, 0.72, 0.74]), *classified("b", [0.8, 0.83, 0.84])]
    found = summary_of(records, chance=0.5, luck=0.75, margin=0.01)
    (contrast,) = found.contrasts.values()
    assert (found.reference, contrast.verdict, contrast.error_factor) == ("b", "worse", None)
    assert contrast.difference.mean == pytest.approx(-0.31 / 3)
    others = {name for name, metric in METRICS.items() if "binary" in metric.kinds}
    assert set(found.arms["a"].others) == others - {"balanced_accuracy"}
    assert found.aside == {"a": "diverged or stayed at chance in 3 of 3 seeds"}


def card(kind: str = "regression") -> DataCard:
    counts = {} if kind == "regression" else {"classes": {"no": 80, "yes": 20}}
    task = {"digest": "d" * 64, "train": {"n": 300}, "test": {"n": 100} | counts}
    target = {"target": {"name": "price", "mean": 50.0, "deviation": 20.0}}
    about = target if kind == "regression" else {}
    return DataCard({"name": "x", "kind": kind, "tasks": {"full": task}} | about)


def test_the_margin_is_a_share_of_the_targets_deviation() -> None:
    found = judged(tuple(predicted("a", GOOD)), card(), 0.01)
    assert found is not None
    summary = found.summary
    assert (summary.margin, summary.chance, summary.predicted) == (0.2, 20.0, "price")
    r2 = judged(tuple(replace(r, metric="r2") for r in predicted("a", GOOD)), card(), 0.01)
    assert r2 is not None
    assert (r2.summary.margin, r2.summary.chance) == (0.01, 0.0)
    shares = judged(tuple(classified("a", [0.7] * 3)), card("binary"), 0.01)
    assert shares is not None
    assert (shares.summary.margin, shares.summary.chance) == (0.01, 0.5)


def claim_of(records: list[Record], **given: object) -> claims.Claim:
    summary = summary_of(records)
    found = {"activation": Results(summary=summary, records=tuple(records), timings={})}
    rule = Rule("r", "good is better", ("good",), ("bad",), study="activation", **given)  # type: ignore[arg-type]
    (claim,) = claims.judge(found, [rule], margin=summary.margin)
    return claim


def test_a_rule_is_judged_by_the_metric_that_decides() -> None:
    records = [*predicted("bad", BAD), *predicted("good", GOOD)]
    claim = claim_of(records)
    assert claim.verdict == "supported"
    assert claim.effect == pytest.approx(-1.025)
    assert claim.interval is not None
    assert claim.interval[0] < -1.025 < claim.interval[1] < 0
    assert claim.shown.startswith("-1.02 (-1.")
    assert claim.test.endswith("good against bad, expected less test RMSE")
    no_less = claim_of(records, expects="no less")
    assert no_less.verdict == "supported"
    assert "bad plus 0.2, expected no more test RMSE" in no_less.test
    swapped = [*predicted("bad", GOOD), *predicted("good", BAD)]
    assert claim_of(swapped).verdict == "contradicted"
    last = claim_of(records, measure=measures.HIGHEST_RATE)
    assert last.effect == pytest.approx(-1.025)


def test_rules_about_classes_are_left_out_where_numbers_are_predicted() -> None:
    records = [*predicted("selu", GOOD), *predicted("elu", BAD)]
    summary = summary_of(records)
    found = {"activation": Results(summary=summary, records=tuple(records), timings={})}
    made = {c.id: c for c in claims.judge(found, margin=0.2, of_classes=False)}
    assert len(made) == len(RULES)
    left_out = {name for name, claim in made.items() if claim.left_out}
    assert left_out == {
        "glorot-for-softmax", "transfer", "transfer-faster", "transfer-fewer-labels",
        "freezing-protects", "unsupervised",
    }  # fmt: skip
    for name in left_out:
        assert (made[name].verdict, made[name].p_value) == ("open", None)
        assert made[name].missing == "classes: the target here is a number"
    assert made["selu-over-elu"].verdict == "supported"
    assert "test RMSE" in made["relu-over-tanh"].test


def test_labels_are_counted_by_gains() -> None:
    """Log loss from scratch falls from 0.6 with 10 labels to 0.4 with 40."""
    levels = {("scratch", 10): 0.6, ("scratch", 40): 0.4, ("on_a", 10): 0.5}
    rows = [
        {"arm": arm, "labels": count, "test_log_loss": loss}
        for (arm, count), loss in levels.items()
    ]
    assert answers(rows, "log_loss") == [
        "B on A, freeze then thaw: 10 labels equal scratch with about 20."
    ]


def test_accuracy_is_judged_as_ever() -> None:
    found = summary_of(finished("a", [0.9, 0.91, 0.92]), chance=0.5)
    assert (found.metric, found.luck) == ("accuracy", pytest.approx(0.5 + 2 * 0.05))
