"""What runs on several root seeds say of each other, by hand."""

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from in_process import workers
from ruamel.yaml import YAML

import parameters
from fabricated import finished
from parameters import params
from warmstart.analysis.claims import Claim
from warmstart.analysis.judging import Judgement
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import summarize
from warmstart.files import read_json
from warmstart.records import read_records
from warmstart.runtime import pool

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import new_data

import replicate


def run(**arms: list[float]) -> Results:
    records = [record for arm, values in arms.items() for record in finished(arm, values)]
    summary = summarize(records, data_name="d", n_test=100, chance=0.1, margin=0.01, reference=None)
    return Results(summary=summary, records=tuple(records), timings={})


A = [0.80, 0.81, 0.79, 0.80, 0.80]
BETTER = [0.90, 0.91, 0.89, 0.91, 0.90]
WORSE = [0.70, 0.71, 0.69, 0.71, 0.70]
OPEN = [0.80, 0.84, 0.77, 0.80, 0.81]
EQUAL = [0.80, 0.81, 0.79, 0.80, 0.801]


def test_decisions_of_one_run_in_another() -> None:
    """b is better in two runs, worse in one, open in one and equal in one: of the 16 ordered pairs
    of a run that decides and another, 2 agree, 4 are open, 4 are reversed and 6 otherwise."""
    runs = [run(a=A, b=b, zeros=[0.1] * 5) for b in (BETTER, BETTER, WORSE, OPEN, EQUAL)]
    found, follow = replicate.table(runs)
    assert (found["pairs"], found["decided"], found["equal"]) == (5, 4, 1)
    assert len(follow) == 16
    assert found["again"] == pytest.approx(2 / 16)
    assert found["reversed"] == pytest.approx(4 / 16)
    assert found["open"] == pytest.approx(4 / 16)
    assert found["otherwise"] == pytest.approx(6 / 16)


def test_intervals_hold_the_mean_of_the_other_runs() -> None:
    """Those of a hold it always, those of b never: the third run is far from the two others."""
    runs = [run(a=A, b=b) for b in (BETTER, BETTER, [0.95, 0.96, 0.94, 0.95, 0.95])]
    found, _ = replicate.table(runs)
    assert found["coverage_arm"] == pytest.approx(3 / 6)
    assert found["coverage_difference"] == 0
    assert found["coverage_arm_error"] == 0  # a half in each run


def test_the_error_of_a_coverage_is_that_over_runs() -> None:
    """Two of three runs hold the mean of the others, in both pairs: two pairs of the same runs say
    no more than one. The sample deviation of 1, 0, 1 is 1 / √3."""
    row = {0: (0.0, 4.0), 1: (0.0, 1.0), 2: (1.0, 2.0)}
    found = replicate._coverage("arm", [row, row])
    assert found == {
        "coverage_arm": pytest.approx(2 / 3),
        "coverage_arm_error": pytest.approx(1 / 3),
    }


def judgement(**given: Any) -> Judgement:
    rest = dict.fromkeys(Judgement.__dataclass_fields__)
    return Judgement(**rest | {"params": params(), "studies": ()} | given)  # type: ignore[arg-type]


def test_claims_that_could_have_come_out_otherwise_are_counted() -> None:
    def claim(id: str, verdict: Any, *, sanity: bool = False, seeds: int = 5) -> Claim:
        rest = dict.fromkeys(Claim.__dataclass_fields__)
        return Claim(
            **rest | {"id": id, "verdict": verdict, "sanity": sanity, "seeds": seeds}  # type: ignore[arg-type]
        )

    one = judgement(
        claims=(
            claim("x", "supported"),
            claim("y", "contradicted"),
            claim("known", "supported", sanity=True),
            claim("not run", "open", seeds=0),
        )
    )
    other = replace(one, claims=(claim("x", "contradicted"), claim("y", "open")))
    found = replicate.claims([one, other])
    assert (found["pairs"], found["decided"]) == (4, 3)
    # x supported: reversed; y contradicted: open; x contradicted: reversed
    assert found["reversed"] == pytest.approx(2 / 3)
    assert (found["open"], found["otherwise"]) == (pytest.approx(1 / 3), 0)


@pytest.mark.slow
def test_three_roots_of_two_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command on digits, with few arms and epochs: the table has what the runs left, and
    results that are there are not made again."""
    small = {
        "one": {"arms": {"relu": {}, "tanh": {"activation": "tanh"}, "zeros": ZEROS}},
        "two": {"arms": {"plain": {}, "raw": {"standardize": False}}},
    }
    content = parameters.content()
    budget = {"seeds": 3, "most_seeds": None, "epochs": 2, "learning_rates": [0.1]}
    content["compare"] |= budget | {"studies": small}
    YAML().dump(content, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pool, "start", lambda options, folder: nullcontext(workers(folder)))
    given = [
        "--params",
        "params.yaml",
        "--roots",
        "3",
        "--folder",
        "runs",
        "--studies",
        "one",
        "two",
    ]
    assert replicate.main([*given, "--output", "first.json"]) == 0
    rows = {row["study"]: row for row in read_json(tmp_path / "first.json")["rows"]}
    assert list(rows) == ["one", "two", "all", "claims", "advice"]
    assert (rows["one"]["pairs"], rows["two"]["pairs"], rows["all"]["pairs"]) == (3, 3, 6)
    assert rows["two"]["decided"] <= 3
    assert rows["advice"]["pairs"] == 3
    records = [read_records(p) for p in sorted((tmp_path / "runs").rglob("records.parquet"))]
    assert len(records) == 6
    assert len({record.digest for one in records for record in one}) == sum(map(len, records))
    monkeypatch.setattr(pool, "start", None)
    assert replicate.main([*given, "--output", "again.json"]) == 0
    assert read_json(tmp_path / "again.json")["rows"] == [*rows.values()]
    assert "all: " in capsys.readouterr().out


ZEROS = {"initializer": "zeros"}


def test_the_nominal_share() -> None:
    """With very many others their mean has no error; with one it is √2 of ours: P(|t(4)| < t / √2),
    if its spread were known."""
    assert replicate.nominal(5, 10_000) == pytest.approx(0.95, abs=0.002)
    assert replicate.nominal(5, 2) == pytest.approx(0.878, abs=0.004)


def test_wider_intervals_hold_the_mean_of_other_sets_more_often() -> None:
    """Over 5 seeds √(1 + 5 · 0.23 / 0.57) = 1.74 times as wide: a third set two points away is
    held by the wider one alone."""
    shifted = [[a + d for a in A] for d in (0.0, 0.012, 0.0)]
    sets = [run(a=a, b=[x - 0.1 for x in a]) for a in shifted]
    plain, wide = new_data.table(sets, 5)
    assert wide["factor"] == pytest.approx(1.737, abs=1e-3)
    assert plain["coverage_arm"] < wide["coverage_arm"]
    assert plain["coverage_difference"] == wide["coverage_difference"] == 1
