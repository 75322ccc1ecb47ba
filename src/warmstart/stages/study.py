"""What `pretrain`, `transfer` and `compare` have in common: arms × learning rates × seeds are
trained, each arm's learning rate is chosen on validation from the grid, which is extended once for
an arm whose best rate is its end, and only then the test set is used."""

import dataclasses
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.config.params import Executor
from warmstart.data.task import Task
from warmstart.files import write_json
from warmstart.records import TEST_METRICS, Kept, Record, looks, write_looks, write_records
from warmstart.runtime import pool
from warmstart.runtime.store import UNFINISHED, announce
from warmstart.runtime.timings import Stopwatch, describe, facts
from warmstart.stages.contender import Contender
from warmstart.training.selection import best_of, beyond_the_edge, choose_learning_rates
from warmstart.training.trials import Cohort, Result, Trial


@dataclass(frozen=True, kw_only=True)
class Study:
    """Arms with one budget."""

    stage: str
    name: str
    """Empty where the stage has only one."""
    data_name: str
    task: Task
    file: Path
    """Where its samples come from."""
    arms: Mapping[str, Contender]
    learning_rates: Sequence[float]
    seeds: int
    profiles: Mapping[str, Contender] = field(default_factory=dict)
    """Probed at initialization, and not trained."""
    labels: int | None = None
    """Training samples that a trial sees, drawn by its seed; None: all of the task's."""
    keeps_all: bool = False
    """Whether beside the best network `PATH.keras` that of each seed is saved as `PATH/SEED.keras`;
    for studies of one arm."""

    @property
    def title(self) -> str:
        return f"{self.stage}@{self.name}" if self.name else self.stage

    def grid(self) -> list[Trial]:
        return self._trials(dict.fromkeys(self.arms, self.learning_rates))

    def wider(self, results: Mapping[str, Result]) -> list[Trial]:
        """One rate more for each arm whose best one, by `results`, is an end of the grid."""
        records = [self.record(trial, results) for trial in self.grid()]
        return self._trials({arm: [rate] for arm, rate in beyond_the_edge(records).items()})

    def _trials(self, rates: Mapping[str, Sequence[float]]) -> list[Trial]:
        """Each arm at its `rates`, on every seed."""
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

    def pair(self, trial: Trial) -> tuple[Cohort, Trial]:
        """`trial` with the cohort that it belongs to, which is without trials."""
        return self.arms[trial.arm].cohort, trial

    def key(self, trial: Trial) -> str:
        return self.arms[trial.arm].cohort.key(trial)

    def known(self, trial: Trial) -> dict[str, Any]:
        """The fields of the trial's record that are known before it is trained."""
        labels = {} if self.labels is None else {"labels": str(self.labels)}
        return {
            "stage": self.stage,
            "study": self.name,
            "arm": trial.arm,
            "seed": trial.seed,
            "learning_rate": trial.learning_rate,
            "settings": self.arms[trial.arm].settings | labels,
            "data_digest": self.task.digest,
        }

    def record(self, trial: Trial, results: Mapping[str, Result]) -> Record:
        """Before it is tested."""
        result = results[self.key(trial)]
        return Record(**self.known(trial), outcome=result.outcome, epochs=result.epochs)


def run(
    studies: Mapping[Path, Study],
    options: Executor,
    model: Path | None = None,
    *,
    folder: Path | None = None,
) -> tuple[Record, ...]:
    """Train the trials of all `studies` in one pool of workers, choose, test (at the rates of the
    grid, and one more for an arm whose best rate is an end of the grid), and write the
    `records.parquet` of each.

    Args:
        studies: by the folder that each writes to. The first is the stage's own: beside its
            records lie the `timings.json` of all, what was seen in its layers
            (`diagnostics.parquet`), and `kept.json`.
        options: where trials run.
        model: where the network of the first study with the best validation accuracy is saved.
        folder: for unfinished work; None: the stage's own.

    Returns:
        The records of the first study.
    """
    output, first = next(iter(studies.items()))
    folder = folder or UNFINISHED / first.title
    # where several have the same data, they are from the file of the first
    data = {
        s.task.digest: describe(s.task, s.data_name, s.file)
        for s in reversed(list(studies.values()))
    }
    about = facts(data, options.address)
    with Stopwatch() as stopwatch, pool.start(options, folder) as workers:
        trials = {place: study.grid() for place, study in studies.items()}
        _announce(folder, studies, trials, about)
        results = _train(workers, studies, trials, first.title)
        wider = {place: study.wider(results) for place, study in studies.items()}
        if any(wider.values()):
            trials = {place: trials[place] + wider[place] for place in studies}
            _announce(folder, studies, trials, about)
            results |= _train(workers, studies, wider, f"{first.title}, wider grid")
        records = {
            place: _tested(workers, study, trials[place], results)
            for place, study in studies.items()
        }
        rows = [*_looks(first, records[output], trials[output], results)]
        rows += _profiles(workers, first)
        kept = _keep(workers, first, trials[output], records[output], model) if model else None
    spent: dict[str, list[tuple[int, Result]]] = defaultdict(list)
    for trial in trials[output]:
        spent[trial.arm].append((trial.seed, results[first.key(trial)]))
    # before the records: a publisher that sees them needs it
    stopwatch.write(output / "timings.json", arms=spent, trained=workers.trained, facts=about)
    if rows:
        write_looks(output / "diagnostics.parquet", rows)
    if kept:
        write_json(output / "kept.json", dataclasses.asdict(kept))
    for place, own in records.items():
        write_records(place / "records.parquet", own)
    shutil.rmtree(folder, ignore_errors=True)
    return tuple(records[output])


Trials = Mapping[Path, Sequence[Trial]]
"""The trials of each study, by the folder that it writes to."""


def _announce(
    folder: Path, studies: Mapping[Path, Study], trials: Trials, about: Mapping[str, Any]
) -> None:
    known = [
        (study.key(trial), study.known(trial))
        for place, study in studies.items()
        for trial in trials[place]
    ]
    announce(folder, known, about)


def _train(
    workers: pool.Workers, studies: Mapping[Path, Study], trials: Trials, label: str
) -> dict[str, Result]:
    """Results by key."""
    pairs = [study.pair(trial) for place, study in studies.items() for trial in trials[place]]
    return workers.train(_cohorts(pairs), label)


def _tested(
    workers: pool.Workers, study: Study, trials: Sequence[Trial], results: Mapping[str, Result]
) -> list[Record]:
    """The records of `trials`, tested where their learning rate was chosen."""
    records = [study.record(trial, results) for trial in trials]
    rates = choose_learning_rates(records)
    chosen = [trial for trial in trials if trial.learning_rate == rates[trial.arm]]
    scores = workers.evaluate(_cohorts([study.pair(trial) for trial in chosen]))
    return [
        replace(
            record,
            chosen=True,
            test=dict(zip(TEST_METRICS, scores[study.key(trial)], strict=True)),
        )
        if record.learning_rate == rates[record.arm]
        else record
        for trial, record in zip(trials, records, strict=True)
    ]


def _keep(
    workers: pool.Workers,
    study: Study,
    trials: Sequence[Trial],
    records: Sequence[Record],
    model: Path,
) -> Kept:
    """Save the best network as `model`."""
    chosen = [(t, r) for t, r in zip(trials, records, strict=True) if r.chosen]
    # validation accuracies are those of the same samples, in other runs too
    first = {t.seed for t, _ in chosen if study.arms[t.arm].sees_first(t)}
    trial, record = chosen[best_of([record for _, record in chosen], first)]
    cohort, _ = study.pair(trial)
    hits = workers.export(cohort, trial, model)
    for other, _ in chosen if study.keeps_all else ():
        workers.export(cohort, other, model.with_suffix("") / f"{other.seed}.keras")
    return Kept(
        record=record.digest,
        model=model.as_posix(),
        # the same samples, whether they are standardized for its arm or not
        data=study.task.digest,
        validation_hits=np.packbits(hits).tobytes().hex(),
        validation_samples=len(hits),
    )


def _looks(
    study: Study,
    records: Sequence[Record],
    trials: Sequence[Trial],
    results: Mapping[str, Result],
) -> Iterator[dict[str, Any]]:
    """Rows of the diagnostics, of trials at their arm's chosen learning rate."""
    for trial, record in zip(trials, records, strict=True):
        if record.chosen:
            yield from looks(
                results[study.key(trial)].probes,
                study=study.name,
                arm=trial.arm,
                seed=trial.seed,
                learning_rate=trial.learning_rate,
            )


def _profiles(workers: pool.Workers, study: Study) -> list[dict[str, Any]]:
    """Rows of the diagnostics, of networks that are not trained, on seed 0."""
    if not study.profiles:
        return []
    cohorts = [
        replace(
            arm.cohort,
            trials=(Trial(arm=name, network=arm.network, seed=0, learning_rate=np.nan),),
        )
        for name, arm in study.profiles.items()
    ]
    return [
        row
        for name, probes in zip(study.profiles, workers.profile(cohorts), strict=True)
        for row in looks(probes, study=study.name, arm=name, seed=0, learning_rate=np.nan)
    ]


def _cohorts(pairs: Sequence[tuple[Cohort, Trial]]) -> list[Cohort]:
    """Trials with the cohorts they belong to, in as few cohorts as there are different programs.
    What two studies have in common is trained once, wherever its files lie."""
    groups: dict[Cohort, list[Trial]] = defaultdict(list)
    for cohort, trial in {cohort.key(trial): (cohort, trial) for cohort, trial in pairs}.values():
        rest = None if trial.labels is None else trial.labels % cohort.batch_size
        groups[replace(cohort, rest=rest)].append(trial)
    return [replace(cohort, trials=tuple(members)) for cohort, members in groups.items()]
