"""Run studies: train them, choose on validation, and only then use the test set and write."""

import dataclasses
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.config.params import Executor
from warmstart.contrasts import MINIMUM_SEEDS
from warmstart.files import write_sealed
from warmstart.records import Kept, Record, looks, times_of, write_looks, write_records
from warmstart.runtime import pool
from warmstart.runtime.store import UNFINISHED
from warmstart.runtime.timings import Stopwatch, describe, facts
from warmstart.stages import rounds
from warmstart.stages.rounds import cohorts
from warmstart.stages.study import Study
from warmstart.training.outcomes import Result
from warmstart.training.selection import best_of, choose_learning_rates
from warmstart.training.trials import Trial


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
            records lie what was seen in its layers (`diagnostics.parquet`) and `kept.json`; the
            times of all studies are its own (`times_of`).
        options: where trials run.
        model: where the network of the first study that does best on validation is saved.
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
        studies, trials, results = rounds.train(workers, studies, folder, about)
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
    stopwatch.write(times_of(output), arms=spent, trained=workers.trained, facts=about)
    if rows:
        write_looks(output / "diagnostics.parquet", rows)
    if kept:
        write_sealed(output / "kept.json", dataclasses.asdict(kept))
    for place, own in records.items():
        write_records(place / "records.parquet", own)
    shutil.rmtree(folder, ignore_errors=True)
    return tuple(records[output])


def _tested(
    workers: pool.Workers, study: Study, trials: Sequence[Trial], results: Mapping[str, Result]
) -> list[Record]:
    """The records of `trials`, tested where their learning rate was chosen."""
    records = [study.record(trial, results) for trial in trials]
    rates = choose_learning_rates(records)
    chosen = [trial for trial in trials if trial.learning_rate == rates[trial.arm, trial.seed]]
    scores = workers.evaluate(cohorts([study.pair(trial) for trial in chosen]))
    return [
        replace(record, chosen=True, test=scores[study.key(trial)])
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
    """Save the best network as `model`; what is no network, its nearest neighbours, cannot be."""
    networks = {arm for arm, own in study.arms.items() if own.cohort.fitted != "knn"}
    chosen = [
        (t, r) for t, r in zip(trials, records, strict=True) if r.chosen and t.arm in networks
    ]
    # validation accuracies are those of the same samples, in other runs too
    first = {t.seed for t, _ in chosen if study.arms[t.arm].sees_first(t)}
    trial, record = chosen[best_of([record for _, record in chosen], first)]
    cohort, _ = study.pair(trial)
    seen = workers.export(cohort, trial, model)
    for other, _ in chosen if study.keeps_all else ():
        workers.export(cohort, other, model.with_suffix("") / f"{other.seed}.keras")
    numbers = study.task.kind == "regression"
    return Kept(
        record=record.digest,
        model=model.as_posix(),
        # the same samples, whether they are standardized for its arm or not
        data=study.task.digest,
        validation_hits="" if numbers else np.packbits(np.array(seen, bool)).tobytes().hex(),
        validation_errors=np.array(seen, "<f4").tobytes().hex() if numbers else "",
        validation_samples=len(seen),
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
    alone = [replace(cohort, trials=(trial,)) for trial, cohort in trials.items()]
    return [
        row
        for trial, probes in zip(trials, workers.profile(alone), strict=True)
        for row in looks(
            probes, study=study.name, arm=trial.arm, seed=trial.seed, learning_rate=np.nan
        )
    ]
