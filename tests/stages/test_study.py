"""A stage says what it trains before it does, and its records say the same."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from test_compare import study
from warmstart.config.data import Splits
from warmstart.config.params import Executor
from warmstart.files import read_sealed
from warmstart.records import Record, read_records
from warmstart.runtime import pool
from warmstart.runtime.store import Store, announced
from warmstart.stages.run import run
from warmstart.training.outcomes import EPOCH_METRICS, Result
from warmstart.training.trials import Cohort, Trial


def scored(loss: float, accuracy: float) -> dict[str, float]:
    return {"test_loss": loss, "test_accuracy": accuracy}


class Workers:
    """Higher learning rates are better, so that the grid is extended; nothing is trained."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.found: set[str] = set()
        self.trained: list[Result] = []

    def train(self, cohorts: Sequence[Cohort], *_: Any, **__: Any) -> Mapping[str, Result]:
        results = {}
        known = {key for key, _ in announced(self._folder)[0]}
        for cohort in cohorts:
            for trial in cohort.trials:
                key = cohort.key(trial)
                assert key in known
                curve = (trial.learning_rate / 10, self.score(trial))
                results[key] = Result(
                    key=key,
                    outcome="completed",
                    epochs=dict.fromkeys(EPOCH_METRICS, curve),
                    train_seconds=1.0,
                    samples=70,
                )
                Store(self._folder).write(results[key], [])
        return results

    def score(self, trial: Trial) -> float:
        return trial.learning_rate / 5 + trial.seed / 100

    def evaluate(self, cohorts: Sequence[Cohort]) -> Mapping[str, dict[str, float]]:
        trials, facts = announced(self._folder)
        self.facts = facts
        for key, known in trials:
            result = Store(self._folder).read(key)
            assert result
            untested = Record(**known, outcome=result.outcome, epochs=result.epochs)
            self.found.add(untested.digest)
        return {
            cohort.key(trial): scored(0.3, 0.9) for cohort in cohorts for trial in cohort.trials
        }


PEAKS = {"relu": (0.3, 0.6), "tanh": (0.1, 0.7)}
"""Arm -> its best rate, and what seed 0 is there."""


W = TypeVar("W", bound=Workers)


class Peaked(Workers):
    """Later seeds are better on validation and worse on the test set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tested: list[tuple[str, float, int]] = []
        self.exported: list[tuple[str, float, int]] = []

    def score(self, trial: Trial) -> float:
        best, height = PEAKS[trial.arm]
        return height - abs(np.log10(trial.learning_rate / best)) / 5 + trial.seed / 100

    def evaluate(self, cohorts: Sequence[Cohort]) -> Mapping[str, dict[str, float]]:
        trials = [(cohort.key(trial), trial) for cohort in cohorts for trial in cohort.trials]
        self.tested += [(t.arm, t.learning_rate, t.seed) for _, t in trials]
        return {key: scored(t.learning_rate, 0.9 - t.seed / 100) for key, t in trials}

    def export(self, cohort: Cohort, trial: Trial, path: Path) -> list[bool]:
        self.exported.append((trial.arm, trial.learning_rate, trial.seed))
        return [True, False, True]


def started(monkeypatch: pytest.MonkeyPatch, kind: type[W]) -> list[W]:
    """Where the workers are found that `run` will have, of the class `kind`."""
    pools = []

    @contextmanager
    def start(_: Executor, folder: Path) -> Iterator[W]:
        pools.append(kind(folder))
        yield pools[0]

    monkeypatch.setattr(pool, "start", start)
    return pools


def test_each_arm_is_tested_at_its_own_rate_and_at_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best rate of relu is an end of the grid, so 0.9 is tried; it is worse."""
    made = study(tmp_path, learning_rates=[0.01, 0.1, 0.3])
    pools = started(monkeypatch, Peaked)
    output = tmp_path / "output"
    records = run({output: made}, Executor(), Path("models/one.keras"), folder=tmp_path / "scratch")
    rates = {arm: {r.learning_rate for r in records if r.arm == arm} for arm in ("relu", "tanh")}
    assert rates == {"relu": {0.01, 0.1, 0.3, 0.9}, "tanh": {0.01, 0.1, 0.3}}
    expected = {(arm, rate, seed) for arm, (rate, _) in PEAKS.items() for seed in range(6)}
    assert sorted(pools[0].tested) == sorted(expected)
    assert {(r.arm, r.learning_rate, r.seed) for r in records if r.chosen} == expected
    assert {r.chosen for r in records if r.test} == {True}
    for record in records:
        tested = {"test_loss": record.learning_rate, "test_accuracy": 0.9 - record.seed / 100}
        assert record.test == (tested if record.chosen else {})
    # what is kept is the best on validation, which the test set likes least
    assert pools[0].exported == [("tanh", 0.1, 5)]
    (best,) = [r for r in records if (r.arm, r.learning_rate, r.seed) == ("tanh", 0.1, 5)]
    assert read_sealed(output / "kept.json") == {
        "record": best.digest,
        "model": "models/one.keras",
        "data": made.task.digest,
        "validation_hits": "a0",  # 101
        "validation_errors": "",
        "validation_samples": 3,
    }


def test_what_is_kept_validated_on_the_split_that_prepare_drew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds with splits of their own validate on other samples, however well they do there."""
    made = study(tmp_path, splits="resampled", learning_rates=[0.01, 0.1, 0.3])
    pools = started(monkeypatch, Peaked)
    output = tmp_path / "output"
    run({output: made}, Executor(), Path("models/one.keras"), folder=tmp_path / "scratch")
    assert pools[0].exported == [("tanh", 0.1, 0)]
    assert read_sealed(output / "kept.json")["data"] == made.task.digest


@pytest.mark.parametrize("splits", ["fixed", "resampled"])
def test_what_is_announced_becomes_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, splits: Splits
) -> None:
    made = study(tmp_path, splits=splits)
    pools = started(monkeypatch, Workers)
    records = run({tmp_path / "output": made}, Executor(), folder=tmp_path / "scratch")
    assert len(records) == 2 * 3 * 6  # two arms, one rate beyond the two of the grid, six seeds
    assert pools[0].found == {replace(r, chosen=False, test={}).digest for r in records}
    timings = read_sealed(tmp_path / "output/times.json")
    facts = {key: value for key, value in pools[0].facts.items() if key != "process"}
    assert facts == {key: timings[key] for key in facts}
    assert pools[0].facts.keys() >= {"device", "versions", "data"}
    assert set(timings["data"]) == {record.data_digest for record in records}


class Scores(Workers):
    """Validation accuracy by arm: relu and tanh near each other, elu clearly worse."""

    HEIGHTS: Mapping[str, float] = {"relu": 0.90, "tanh": 0.905, "elu": 0.6}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.calls: list[list[tuple[str, int]]] = []

    def train(self, cohorts: Sequence[Cohort], *rest: Any, **more: Any) -> Mapping[str, Result]:
        self.calls.append(sorted({(t.arm, t.seed) for c in cohorts for t in c.trials}))
        return super().train(cohorts, *rest, **more)

    def score(self, trial: Trial) -> float:
        """The middle rate is best; each arm and seed has luck of its own, 1 point of it."""
        luck = np.random.default_rng([trial.seed, len(trial.arm), ord(trial.arm[0])]).normal()
        off = abs(np.log10(trial.learning_rate / 0.1))
        return float(self.HEIGHTS[trial.arm] - off / 10 + 0.01 * luck)


class Apart(Scores):
    HEIGHTS: Mapping[str, float] = {"relu": 0.65, "tanh": 0.99, "elu": 0.65}


THREE = {
    "one": {"arms": {"relu": {}, "tanh": {"activation": "tanh"}, "elu": {"activation": "elu"}}}
}
RATES = [0.01, 0.1, 1.0]


def test_seeds_come_in_rounds_for_what_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """elu is shown to be worse after the first round, and gets no more; the others stay open."""
    made = study(
        tmp_path, splits="resampled", seeds=5, most_seeds=15, learning_rates=RATES, studies=THREE
    )
    pools = started(monkeypatch, Scores)
    records = run({tmp_path / "output": made}, Executor(), folder=tmp_path / "scratch")
    arms = ("elu", "relu", "tanh")
    assert pools[0].calls == [
        [(arm, seed) for arm in arms for seed in range(5)],
        [(arm, seed) for arm in arms[1:] for seed in range(5, 10)],
        [(arm, seed) for arm in arms[1:] for seed in range(10, 15)],
    ]
    counts = {arm: {r.seed for r in records if r.arm == arm and r.chosen} for arm in arms}
    assert {arm: len(seeds) for arm, seeds in counts.items()} == {"elu": 5, "relu": 15, "tanh": 15}
    assert {r.settings["first_round"] for r in records} == {"5"}
    assert {r.first_round for r in records} == {5}
    assert pools[0].found == {replace(r, chosen=False, test={}).digest for r in records}


def test_once_all_is_decided_there_are_no_more_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = study(tmp_path, seeds=5, most_seeds=20, learning_rates=RATES, studies=THREE)
    pools = started(monkeypatch, Apart)
    records = run({tmp_path / "output": made}, Executor(), folder=tmp_path / "scratch")
    assert len(pools[0].calls) == 1
    assert {r.seed for r in records} == set(range(5))


@pytest.mark.parametrize(
    ("bound", "seeds"), [(60, 5), (149, 5), (150, 10), (209, 10), (210, 15), (None, 15)]
)
def test_no_round_begins_that_goes_beyond_the_bound_of_trial_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: int | None, seeds: int
) -> None:
    """Of 2 epochs at 3 rates: 3 arms on 5 seeds take 90, two of them on 5 more 60 each time."""
    made = study(
        tmp_path,
        seeds=5,
        most_seeds=15,
        most_trial_epochs=bound,
        learning_rates=RATES,
        studies=THREE,
    )
    started(monkeypatch, Scores)
    records = run({tmp_path / "output": made}, Executor(), folder=tmp_path / "scratch")
    assert {r.seed for r in records if r.arm == "tanh"} == set(range(seeds))
    assert sum(len(r.epochs["loss"]) for r in records) == {5: 90, 10: 150, 15: 210}[seeds]


def test_more_rounds_go_on_with_the_trials_of_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever raises `most_seeds` gets the same first trials, by key."""
    keys = []
    for most in (10, 20):
        made = study(tmp_path, seeds=5, most_seeds=most, learning_rates=RATES, studies=THREE)
        started(monkeypatch, Scores)
        run({tmp_path / f"{most}": made}, Executor(), folder=tmp_path / f"scratch{most}")
        keys.append({made.key(t) for t in made.grid(made.arms, range(10))})
    assert keys[0] == keys[1]
    first, more = (read_records(tmp_path / f"{most}/records.parquet") for most in (10, 20))
    assert {r.digest for r in first} < {r.digest for r in more}


def test_the_test_set_has_no_part_in_who_gets_more_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Praised(Scores):
        def evaluate(self, cohorts: Sequence[Cohort]) -> Mapping[str, dict[str, float]]:
            super().evaluate(cohorts)
            return {
                cohort.key(t): scored(0.3, float(t.arm == "elu"))
                for cohort in cohorts
                for t in cohort.trials
            }

    made = study(tmp_path, seeds=5, most_seeds=10, learning_rates=RATES, studies=THREE)
    pools = started(monkeypatch, Praised)
    run({tmp_path / "output": made}, Executor(), folder=tmp_path / "scratch")
    assert ("elu", 5) not in pools[0].calls[1]


def test_the_rates_of_an_arm_and_seed_race(tmp_path: Path) -> None:
    made = study(tmp_path, learning_rates=RATES)
    trials = made.grid(made.arms, range(6))
    assert {trial.rivals for trial in trials} == {(0.01, 0.1, 1.0)}
    assert [trial.learning_rate for trial in trials[:3]] == RATES  # a race lies together
    assert {t.rivals for t in study(tmp_path).grid(made.arms, range(2))} == {()}  # of two rates
