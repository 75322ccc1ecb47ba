"""What runs on several root seeds say of each other, by hand."""

import sys
from pathlib import Path

import pytest

from fabricated import finished
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import summarize

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import replicate


def run(**arms: list[float]) -> Results:
    records = [record for arm, values in arms.items() for record in finished(arm, values)]
    summary = summarize(records, data_name="d", n_test=100, chance=0.1, margin=0.01, reference=None)
    return Results(summary=summary, records=tuple(records), timings={})


A = [0.80, 0.81, 0.79, 0.80, 0.80]
BETTER = [0.90, 0.91, 0.89, 0.91, 0.90]
WORSE = [0.70, 0.71, 0.69, 0.71, 0.70]


@pytest.mark.parametrize("rule", ["paired", "pooled"])
def test_decisions_of_one_run_in_another(rule: str) -> None:
    """b is better in two runs, worse in one, and open in the fourth: of the 9 ordered pairs of a
    run that decides and another, 2 agree, 4 are reversed, and 3 are open."""
    runs = [run(a=A, b=b, zeros=[0.1] * 5) for b in (BETTER, BETTER, WORSE, A)]
    found = replicate.table(runs, rule)
    assert (found["pairs"], found["decided"]) == (4, 3)
    assert found["again"] == pytest.approx(2 / 9)
    assert found["reversed"] == pytest.approx(4 / 9)
    assert found["open"] == pytest.approx(3 / 9)
    # b, b, a, and a tie, whose first counts
    assert found["best"] == pytest.approx(2 / 6)


def test_intervals_hold_the_mean_of_the_other_runs() -> None:
    """Those of a hold it always, those of b never: the third run is far from the two others."""
    runs = [run(a=A, b=b) for b in (BETTER, BETTER, [0.95, 0.96, 0.94, 0.95, 0.95])]
    assert replicate.table(runs, "paired")["coverage_arm"] == pytest.approx(3 / 6)


def test_the_nominal_share() -> None:
    """With very many others their mean has no error; with one it is √2 of ours: P(|t(4)| < t / √2),
    if its spread were known."""
    assert replicate.nominal(5, 10_000) == pytest.approx(0.95, abs=0.002)
    assert replicate.nominal(5, 2) == pytest.approx(0.878, abs=0.004)
