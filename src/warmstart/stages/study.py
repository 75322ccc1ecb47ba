"""What `pretrain`, `transfer` and `compare` have in common: arms × learning rates × seeds are
trained, the learning rate of each arm and seed is chosen on validation from the grid, which is
extended once where its end is the best, and only then the test set is used.

Seeds come in rounds, each as large as all before: as long as validation leaves open whether some
arm is better or worse than the reference, or practically equal to it.
"""

import dataclasses
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.config.params import Executor
from warmstart.contrasts import MINIMUM_SEEDS, level_of, rounds
from warmstart.data.task import Task
from warmstart.files import write_json
from warmstart.records import TEST_METRICS, Kept, Record, looks, write_looks, write_records
from warmstart.runtime import pool
from warmstart.runtime.store import UNFINISHED, announce
from warmstart.runtime.timings import Stopwatch, describe, facts
from warmstart.stages.contender import Contender
from warmstart.training.race import FEWEST
from warmstart.training.selection import (
    best_of,
    beyond_the_edge,
    choose_learning_rates,
    contenders,
)
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
    """Ready for the seeds of the first round."""
    prepared: Callable[[int], Mapping[str, Contender]] | None = None
    """The arms ready for so many seeds; None: they are for any number."""
    learning_rates: Sequence[float]
    seeds: int
    """Of the first round."""
    most_seeds: int | None = None
    """After the last round; None: there is one round."""
    reference: str | None = None
    """The arm that others are held against; None: the best on validation."""
    margin: float = 0.0
    """Mean accuracies that differ by less are practically equal."""
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

    def ready_for(self, seeds: int) -> "Study":
        """The same study, with arms ready for so many seeds."""
        return replace(self, arms=self.prepared(seeds)) if self.prepared else self

    @property
    def rounds(self) -> list[int]:
        """Seeds after each round."""
        return rounds(self.seeds, self.most_seeds or self.seeds)

    def grid(self, arms: Iterable[str], seeds: Iterable[int]) -> list[Trial]:
        """The `arms` at all rates on `seeds`; the rates of an arm and seed race."""
        rates = tuple(sorted(set(self.learning_rates)))
        rivals = rates if len(rates) >= FEWEST else ()
        return [
            self._trial(arm, seed, rate, rivals) for arm in arms for seed in seeds for rate in rates
        ]

    def wider(self, trials: Sequence[Trial], results: Mapping[str, Result]) -> list[Trial]:
        """One rate more for each arm and seed of `trials` whose best is an end of the grid."""
        further = beyond_the_edge([self.record(trial, results) for trial in trials])
        return [self._trial(arm, seed, rate) for (arm, seed), rate in further.items()]

    def _trial(self, arm: str, seed: int, rate: float, rivals: tuple[float, ...] = ()) -> Trial:
        return Trial(
            arm=arm,
            network=self.arms[arm].network,
            seed=seed,
            learning_rate=rate,
            labels=self.labels,
            rivals=rivals,
        )

    def undecided(self, trials: Sequence[Trial], results: Mapping[str, Result]) -> list[str]:
        """The arms that another round of seeds is for; empty: there is none."""
        records = [self.record(trial, results) for trial in trials]
        rates = choose_learning_rates(records)
        seeds = 1 + max(record.seed for record in records)
        if seeds == self.rounds[-1]:
            return []
        labels = np.bincount(self.task.y_validation)
        return contenders(
            [r for r in records if r.learning_rate == rates[r.arm, r.seed]],
            reference=self.reference,
            margin=self.margin,
            chance=labels.max() / labels.sum(),
            samples=int(labels.sum()),
            level=level_of(seeds, self.seeds),
        )

    def pair(self, trial: Trial) -> tuple[Cohort, Trial]:
        """`trial` with the cohort that it belongs to, which is without trials."""
        return self.arms[trial.arm].cohort, trial

    def key(self, trial: Trial) -> str:
        return self.arms[trial.arm].cohort.key(trial)

    def known(self, trial: Trial) -> dict[str, Any]:
        """The fields of the trial's record that are known before it is trained."""
        more = {} if self.labels is None else {"labels": str(self.labels)}
        if len(self.rounds) > 1:
            more["first_round"] = str(self.seeds)
        return {
            "stage": self.stage,
            "study": self.name,
            "arm": trial.arm,
            "seed": trial.seed,
            "learning_rate": trial.learning_rate,
            "settings": self.arms[trial.arm].settings | more,
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
    """Train the trials of all `studies` in one pool of workers, round by round, choose, test, and
    write the `records.parquet` of each.

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
        studies, trials, results = _train(workers, studies, folder, about)
        first = studies[output]
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


def _train(
    workers: pool.Workers, studies: Mapping[Path, Study], folder: Path, about: Mapping[str, Any]
) -> tuple[dict[Path, Study], dict[Path, list[Trial]], dict[str, Result]]:
    """The studies, ready for all their seeds, their trials, and results by key."""
    studies, trials = dict(studies), {place: list[Trial]() for place in studies}
    results: dict[str, Result] = {}
    title = next(iter(studies.values())).title

    def train(more: Trials, label: str) -> None:
        if not any(more.values()):
            return
        for place, own in more.items():
            trials[place] += own
        _announce(folder, studies, trials, about)
        pairs = [studies[place].pair(trial) for place, own in more.items() for trial in own]
        results.update(workers.train(_cohorts(pairs), label))

    going, number = {place: list(study.arms) for place, study in studies.items()}, 0
    while going:
        grids = {}
        for place, arms in going.items():
            before, after = [0, *studies[place].rounds][number : number + 2]
            studies[place] = studies[place].ready_for(after)
            grids[place] = studies[place].grid(arms, range(before, after))
        label = f"{title}, round {number + 1}" if number else title
        train(grids, label)
        wider = {place: studies[place].wider(grids[place], results) for place in going}
        train(wider, f"{label}, wider grid")
        open_arms = {place: studies[place].undecided(trials[place], results) for place in going}
        going, number = {place: arms for place, arms in open_arms.items() if arms}, number + 1
    return studies, trials, results


def _announce(
    folder: Path, studies: Mapping[Path, Study], trials: Trials, about: Mapping[str, Any]
) -> None:
    known = [
        (study.key(trial), study.known(trial))
        for place, study in studies.items()
        for trial in trials[place]
    ]
    announce(folder, known, about)


def _tested(
    workers: pool.Workers, study: Study, trials: Sequence[Trial], results: Mapping[str, Result]
) -> list[Record]:
    """The records of `trials`, tested where their learning rate was chosen."""
    records = [study.record(trial, results) for trial in trials]
    rates = choose_learning_rates(records)
    chosen = [trial for trial in trials if trial.learning_rate == rates[trial.arm, trial.seed]]
    scores = workers.evaluate(_cohorts([study.pair(trial) for trial in chosen]))
    return [
        replace(
            record,
            chosen=True,
            test=dict(zip(TEST_METRICS, scores[study.key(trial)], strict=True)),
        )
        if record.learning_rate == rates[record.arm, record.seed]
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
    """Rows of the diagnostics, of trials at their chosen learning rate."""
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
    """Rows of the diagnostics, of networks that are not trained, on seed 0; where an arm has the
    same hidden layers, on as many seeds as it takes to hold one against the other."""
    if not study.profiles:
        return []
    alike = {arm.network.hidden for arm in study.arms.values()}
    most = min(study.seeds, MINIMUM_SEEDS)
    trials = {
        Trial(arm=name, network=arm.network, seed=seed, learning_rate=np.nan): arm.cohort
        for name, arm in study.profiles.items()
        for seed in range(most if arm.network.hidden in alike else 1)
    }
    cohorts = [replace(cohort, trials=(trial,)) for trial, cohort in trials.items()]
    return [
        row
        for trial, probes in zip(trials, workers.profile(cohorts), strict=True)
        for row in looks(
            probes, study=study.name, arm=trial.arm, seed=trial.seed, learning_rate=np.nan
        )
    ]


def _cohorts(pairs: Sequence[tuple[Cohort, Trial]]) -> list[Cohort]:
    """Trials with the cohorts they belong to, in as few cohorts as there are different programs.
    What two studies have in common is trained once, wherever its files lie."""
    groups: dict[Cohort, list[Trial]] = defaultdict(list)
    for cohort, trial in {cohort.key(trial): (cohort, trial) for cohort, trial in pairs}.values():
        rest = None if trial.labels is None else trial.labels % cohort.batch_size
        groups[replace(cohort, rest=rest)].append(trial)
    return [replace(cohort, trials=tuple(members)) for cohort, members in groups.items()]
