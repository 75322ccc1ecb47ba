"""What `pretrain`, `transfer` and `compare` have in common: arms × learning rates × seeds are
trained, each arm's learning rate is chosen on validation from the grid, which is extended once for
an arm whose best rate is its end, and only then the test set is used."""

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from warmstart import diagnostics
from warmstart.config.params import Executor
from warmstart.data.task import Task
from warmstart.records import TEST_METRICS, Record, write_records
from warmstart.runtime import pool as executor
from warmstart.runtime.store import SCRATCH, announce
from warmstart.runtime.timings import Stopwatch, describe
from warmstart.stages.arm import Arm
from warmstart.training.selection import best_of, beyond_the_edge, choose_learning_rates
from warmstart.training.trials import Cohort, Effort, Result, Trial


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Arms with one budget."""

    stage: str
    study: str
    data_name: str
    task: Task
    file: Path
    """Where its samples come from."""
    arms: Mapping[str, Arm]
    learning_rates: Sequence[float]
    seeds: int
    reference: str | None
    """The arm that the others are held against; None: the best one."""
    profiles: Mapping[str, Arm] = field(default_factory=dict)
    """Looked into where they start, and not trained."""
    labels: int | None = None
    """Training samples that a trial sees, drawn by its seed; None: all of the task's."""

    @property
    def title(self) -> str:
        return f"{self.stage}@{self.study}" if self.study else self.stage

    def run(
        self,
        output: Path,
        options: Executor,
        model: Path | None = None,
        *,
        also: Mapping[Path, "Experiment"] | None = None,
        scratch: Path = SCRATCH,
    ) -> tuple[Record, ...]:
        """Train, choose, test (at the rates of the grid, and one more for an arm whose best rate is
        an end of the grid), and write `records.parquet`, `summary.json`, `timings.json` below
        `output`, and as `model` the trial with the best validation accuracy of the best arm.

        `also` are experiments that train at the same time, each with the folder below which its
        records and summary go; their time is counted here. Unfinished work lies below `scratch`.
        """
        folder, others = scratch / self.title, also or {}
        with Stopwatch() as stopwatch, executor.start(options, folder) as pool:
            everyone = (self, *others.values())
            # where one of the others has the same data, they are from our file
            data = {e.task.digest: e._described() for e in reversed(everyone)}
            facts = stopwatch.facts(data, options.address)
            announce(folder, [known for e in everyone for known in e._known(e._grid())], facts)
            grid = [pair for e in everyone for pair in e._pairs(e._grid())]
            results = pool.train(_cohorts(grid), self.title, meanwhile=_load_statistics)
            if wider := [pair for e in everyone for pair in e._pairs(e._beyond(results))]:
                both = [(e, [*e._grid(), *e._beyond(results)]) for e in everyone]
                known = [known for e, trials in both for known in e._known(trials)]
                announce(folder, known, facts)
                results |= pool.train(_cohorts(wider), f"{self.title}, wider grid")
            trials = [*self._grid(), *self._beyond(results)]
            records, chosen = self._judge(pool, results)
            seen = self._seen(chosen, results) + self._profiled(pool)
            if model:
                best = chosen[best_of([r for r in records if r.chosen])]
                pool.export(self.arms[best.arm].cohort_of(best.seed), best, model)
            judged = {place: e._judge(pool, results)[0] for place, e in others.items()}
        spent = [(*pair, results[self._key(pair[1])]) for pair in self._pairs(trials)]
        stopwatch.write(  # first: who sees records finds what they were made on
            output / "timings.json",
            seconds_per_epoch=_seconds_per_epoch(spent),
            spent={arm: Effort.of(s for s in spent if s[1].arm == arm) for arm in self.arms},
            trained=pool.trained,
            facts=facts,
        )
        self._write(output, records)
        if seen:
            diagnostics.write(output / "diagnostics.parquet", seen)
        for place, experiment in others.items():
            experiment._write(place, judged[place])
        shutil.rmtree(folder, ignore_errors=True)
        return tuple(records)

    def _judge(
        self, pool: executor.Workers, results: Mapping[str, Result]
    ) -> tuple[list[Record], list[Trial]]:
        """The records of all trials, tested where their learning rate was chosen; and the latter
        trials, in the same order."""
        trials = [*self._grid(), *self._beyond(results)]
        records = [self._record(t, results[self._key(t)]) for t in trials]
        rates = choose_learning_rates(records)
        chosen = [t for t in trials if t.learning_rate == rates[t.arm]]
        scores = pool.evaluate(_cohorts(self._pairs(chosen)))
        records = [
            replace(
                record,
                chosen=True,
                test=dict(zip(TEST_METRICS, scores[self._key(trial)], strict=True)),
            )
            if trial in chosen
            else record
            for trial, record in zip(trials, records, strict=True)
        ]
        return records, chosen

    def _write(self, output: Path, records: Sequence[Record]) -> None:
        from warmstart.analysis.statistics import summarize

        write_records(output / "records.parquet", records)
        summarize(
            records,
            data_name=self.data_name,
            n_test=len(self.task.y_test),
            reference=self.reference,
        ).write(output / "summary.json")

    def _described(self) -> dict[str, Any]:
        return describe(self.task, self.data_name, self.file)

    def _pairs(self, trials: Sequence[Trial]) -> list[tuple[Cohort, Trial]]:
        """Each of `trials` with the cohort that it belongs to, without trials."""
        return [(self.arms[trial.arm].cohort_of(trial.seed), trial) for trial in trials]

    def _grid(self) -> list[Trial]:
        return self._trials(dict.fromkeys(self.arms, self.learning_rates))

    def _beyond(self, results: Mapping[str, Result]) -> list[Trial]:
        """One rate more for each arm whose best one, by `results`, is an end of the grid."""
        records = [self._record(trial, results[self._key(trial)]) for trial in self._grid()]
        return self._trials({arm: [rate] for arm, rate in beyond_the_edge(records).items()})

    def _trials(self, rates: Mapping[str, Sequence[float]]) -> list[Trial]:
        """Of each arm at its `rates`, on every seed."""
        return [
            Trial(
                arm=arm,
                network=self.arms[arm].network,
                seed=seed,
                learning_rate=rate,
                labels=self.labels,
            )
            for arm, grid in rates.items()
            for rate in grid
            for seed in range(self.seeds)
        ]

    def _seen(
        self, chosen: Sequence[Trial], results: Mapping[str, Result]
    ) -> list[dict[str, object]]:
        """Rows of the diagnostics, of trials at their arm's chosen learning rate."""
        return [
            row
            for trial in chosen
            for row in diagnostics.rows(
                results[self._key(trial)].probes,
                study=self.study,
                arm=trial.arm,
                seed=trial.seed,
                learning_rate=trial.learning_rate,
            )
        ]

    def _profiled(self, pool: executor.Workers) -> list[dict[str, object]]:
        """Rows of the networks that are not trained, of seed 0."""
        cohorts = [
            replace(
                arm.cohort_of(0),
                trials=(Trial(arm=name, network=arm.network, seed=0, learning_rate=np.nan),),
            )
            for name, arm in self.profiles.items()
        ]
        return [
            row
            for name, probes in zip(
                self.profiles, pool.profile(cohorts) if cohorts else [], strict=True
            )
            for row in diagnostics.rows(
                probes, study=self.study, arm=name, seed=0, learning_rate=np.nan
            )
        ]

    def _key(self, trial: Trial) -> str:
        return self.arms[trial.arm].cohort_of(trial.seed).key(trial)

    def _record(self, trial: Trial, result: Result) -> Record:
        ((_, known),) = self._known([trial])
        return Record(**known, outcome=result.outcome, epochs=result.epochs)

    def _known(self, trials: Sequence[Trial]) -> list[tuple[str, dict[str, Any]]]:
        """The key of each of `trials`, and the fields of its record that are known before."""
        labels = {} if self.labels is None else {"labels": str(self.labels)}
        return [
            (
                self._key(trial),
                {
                    "stage": self.stage,
                    "study": self.study,
                    "arm": trial.arm,
                    "seed": trial.seed,
                    "learning_rate": trial.learning_rate,
                    "settings": self.arms[trial.arm].settings_of(trial.seed) | labels,
                    "data_digest": self.task.digest,
                },
            )
            for trial in trials
        ]


def _load_statistics() -> None:
    """SciPy, pandas and statsmodels, for which workers need not wait: they take two seconds."""
    import warmstart.analysis.statistics  # noqa: F401


def _cohorts(pairs: Sequence[tuple[Cohort, Trial]]) -> list[Cohort]:
    """Trials with the cohorts they belong to, in as few cohorts as there are different programs.
    What two experiments have in common is trained once, wherever its files lie."""
    groups: dict[Cohort, list[Trial]] = defaultdict(list)
    for cohort, trial in {cohort.key(trial): (cohort, trial) for cohort, trial in pairs}.values():
        rest = None if trial.labels is None else trial.labels % cohort.batch_size
        groups[replace(cohort, rest=rest)].append(trial)
    return [replace(cohort, trials=tuple(members)) for cohort, members in groups.items()]


def _seconds_per_epoch(
    spent: Sequence[tuple[Cohort, Trial, Result]],
) -> dict[str, dict[int, float]]:
    """Per arm and seed, of its fastest trial, which other work on the machine disturbed least;
    compilation is not counted."""
    seconds: dict[str, dict[int, float]] = defaultdict(dict)
    for _, trial, result in spent:
        taken = result.train_seconds / len(result.epochs["loss"])
        seen = seconds[trial.arm].get(trial.seed, taken)
        seconds[trial.arm][trial.seed] = min(seen, taken)
    return seconds
