"""A stage says what it trains before it does, and its records say the same."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from test_compare import study
from warmstart.config.params import Executor
from warmstart.files import read_json
from warmstart.records import Record
from warmstart.runtime import pool
from warmstart.runtime.store import Store, announced
from warmstart.stages.study import run
from warmstart.training.trials import EPOCH_METRICS, Cohort, Result


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
                curve = (trial.learning_rate / 10, trial.learning_rate / 5 + trial.seed / 100)
                results[key] = Result(
                    key=key,
                    outcome="completed",
                    epochs=dict.fromkeys(EPOCH_METRICS, curve),
                    train_seconds=1.0,
                    samples=70,
                )
                Store(self._folder).write(results[key], [])
        return results

    def evaluate(self, cohorts: Sequence[Cohort]) -> Mapping[str, tuple[float, float]]:
        trials, facts = announced(self._folder)
        self.facts = facts
        for key, known in trials:
            result = Store(self._folder).read(key)
            assert result
            untested = Record(**known, outcome=result.outcome, epochs=result.epochs)
            self.found.add(untested.digest)
        return {cohort.key(trial): (0.3, 0.9) for cohort in cohorts for trial in cohort.trials}


@pytest.mark.parametrize("folds", [None, 3])
def test_what_is_announced_becomes_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folds: int | None
) -> None:
    made = study(tmp_path, **({"folds": folds} if folds else {}))
    pools = []

    @contextmanager
    def start(_: Executor, folder: Path) -> Iterator[Workers]:
        pools.append(Workers(folder))
        yield pools[0]

    monkeypatch.setattr(pool, "start", start)
    records = run({tmp_path / "output": made}, Executor(), folder=tmp_path / "scratch")
    assert len(records) == 2 * 3 * 6  # two arms, one rate beyond the two of the grid, six seeds
    assert pools[0].found == {replace(r, chosen=False, test={}).digest for r in records}
    timings = read_json(tmp_path / "output/timings.json")
    assert pools[0].facts == {key: timings[key] for key in pools[0].facts}
    assert pools[0].facts.keys() >= {"device", "versions", "data"}
    assert set(timings["data"]) == {record.data_digest for record in records}
