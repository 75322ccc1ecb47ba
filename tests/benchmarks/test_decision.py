"""How arms stand after one way of deciding, held against another, by hand."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from fabricated import finished
from measuring.question import against, standing
from measuring.spending import Cost
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import summarize

GOOD = [0.90, 0.91, 0.89, 0.90, 0.90]
EQUAL = [0.90, 0.91, 0.89, 0.90, 0.901]
BAD = [0.70, 0.71, 0.69, 0.71, 0.70]
WILD = [0.90, 0.84, 0.93, 0.78, 0.88]


def results(**arms: list[float]) -> Results:
    records = [record for arm, values in arms.items() for record in finished(arm, values)]
    summary = summarize(records, data_name="d", n_test=100, chance=0.1, margin=0.01, reference=None)
    return Results(summary=summary, records=tuple(records), timings={})


def test_arms_stand_with_the_choice_behind_it_or_open() -> None:
    found = standing(results(good=GOOD, equal=EQUAL, bad=BAD))
    assert found == {"good": "best", "equal": "best", "bad": "worse"}
    assert standing(results(good=GOOD, wild=WILD))["wild"] == "open"


def test_one_way_against_the_truth() -> None:
    """b is open where the truth knows it, c is open in both, d is called best and is worse."""
    truth = {"a": "best", "b": "worse", "c": "open", "d": "worse"}
    found = {"a": "best", "b": "open", "c": "open", "d": "best"}
    held = against(found, truth)
    assert (held["arms"], held["same"], held["open"], held["otherwise"]) == (4, 2, 1, 1)
    assert held["best"] == ["a", "d"]


def test_a_cost_has_a_part_for_each_trial_and_each_epoch() -> None:
    cost = Cost(per_trial=2.0, per_epoch=0.5, start=10.0, wall=0.6)
    assert cost.of(20, 100) == {"cpu_seconds": 100.0, "seconds": 60.0}
