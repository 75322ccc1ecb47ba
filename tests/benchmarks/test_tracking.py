"""`benchmarks/tracking.py`: that all ways log the same, and what it makes of times."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from warmstart.analysis.summary import read_summary
from warmstart.records import EPOCH_METRICS, read_records
from warmstart.tracking.views import trial_runs

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from publishing import made_up, publish, training, ways


def test_made_up_results_are_those_of_a_study(tmp_path: Path) -> None:
    made_up.write(
        tmp_path,
        study="s",
        arms=("a", "b"),
        rates=(0.1, 1.0),
        seeds=3,
        epochs=4,
        summary=tmp_path / "s.json",
    )
    records = read_records(tmp_path / "records.parquet")
    assert len({r.digest for r in records}) == len(records) == 2 * 2 * 3
    assert {len(r.epochs[m]) for r in records for m in EPOCH_METRICS} == {4}
    assert [r.learning_rate for r in records if r.test] == [1.0] * 6  # the chosen ones
    summary = read_summary(tmp_path / "s.json")
    assert list(summary.arms) == ["a", "b"]
    assert summary.trials == 12


def test_both_loops_log_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up.write(tmp_path, study="s", arms=("a",), rates=(0.1,), seeds=2, epochs=3, summary=None)
    run = trial_runs(read_records(tmp_path / "records.parquet"), "")[0]
    logged: list[tuple[str, float, int]] = []
    calls: list[int] = []

    def log_metrics(values: dict[str, float], step: int) -> None:
        calls.append(step)
        logged.extend((name, value, step) for name, value in values.items())

    fake = SimpleNamespace(
        log_metrics=log_metrics,
        log_metric=lambda name, value, step: log_metrics({name: value}, step),
    )
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    ways._epoch_by_epoch(run)
    assert calls == [1, 2, 3]
    assert sorted(logged) == sorted(run.metrics)
    logged.clear()
    ways._value_by_value(run)
    assert logged == list(run.metrics)
    assert len(logged) == 4 * 3 + 2


def test_what_publishing_costs_training_is_told_by_pairs() -> None:
    def ran(training_seconds: float, seconds: float) -> dict[str, float]:
        counts = dict.fromkeys(("trials", "trial_epochs", "runs", "published_while_training"), 512)
        return {"training_seconds": training_seconds, "seconds": seconds, "disturbed": 0.0} | counts

    # the second repetition was slower for both
    seen = {"alone": [ran(100, 110), ran(200, 210)], "beside": [ran(102, 121), ran(206, 252)]}
    row = training._row("beside", seen)
    assert row["training_seconds"] == 154
    assert row["training_seconds_cost"] == pytest.approx(0.025)
    assert row["training_seconds_cost_range"] == pytest.approx([0.02, 0.03])
    assert row["seconds_cost"] == pytest.approx((121 / 110 + 252 / 210) / 2 - 1)
    assert "(aim for training 3%: reached)" in training.lines([row])[0]


@pytest.mark.parametrize(("ratio", "verdict"), [(7.0, "reached"), (6.9, "missed")])
def test_the_aim_for_publishing(ratio: float, verdict: str) -> None:
    row = {"store": "sqlite", "way": "log_metric", "seconds": 9.0, "seconds_range": [8.0, 10.0]}
    assert publish.lines([row | {"ratio": ratio}])[0].endswith(f"(aim 7: {verdict})")
