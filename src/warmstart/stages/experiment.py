"""What `pretrain`, `transfer` and `compare` have in common: arms × learning rates × seeds are
trained, each arm's learning rate is chosen on validation, and only then the test set is used."""

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from warmstart import diagnostics
from warmstart.analysis.statistics import choose_learning_rates, summarize
from warmstart.arms import Network
from warmstart.data.task import Task
from warmstart.params import Executor
from warmstart.records import TEST_METRICS, Record, write_records
from warmstart.stages.timings import Stopwatch
from warmstart.training import executor
from warmstart.training.scratch import SCRATCH
from warmstart.training.trials import Cohort, Phase, Result, Trial


@dataclass(frozen=True, kw_only=True)
class Arm:
    """How the trials of one arm start and train."""

    cohort: Cohort
    """Without trials."""
    network: Network
    """Resolved."""
    settings: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Arms with one budget."""

    stage: str
    study: str
    data_name: str
    task: Task
    arms: Mapping[str, Arm]
    learning_rates: Sequence[float]
    seeds: int
    reference: str | None
    """The arm that the others are held against; None: the best one."""
    profiles: Mapping[str, Arm] = field(default_factory=dict)
    """Looked into where they start, and not trained."""

    @property
    def title(self) -> str:
        return f"{self.stage}@{self.study}" if self.study else self.stage

    def run(
        self,
        output: Path,
        options: Executor,
        model: Path | None = None,
        *,
        scratch: Path = SCRATCH,
    ) -> tuple[Record, ...]:
        """Train, choose, test, and write `records.parquet`, `summary.json`, `timings.json` below
        `output`, and as `model` the trial with the best validation accuracy of the best arm.
        Unfinished work lies below `scratch`."""
        folder = scratch / self.title
        with Stopwatch() as stopwatch, executor.start(options, folder) as pool:
            trials = self._trials()
            results = pool.train(_cohorts(self.arms, trials), self.title)
            records = [self._record(t, results[self._key(t)]) for t in trials]
            rates = choose_learning_rates(records)
            chosen = [t for t in trials if t.learning_rate == rates[t.arm]]
            scores = pool.evaluate(_cohorts(self.arms, chosen))
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
            seen = self._seen(chosen, results) + self._profiled(pool)
            if model:
                best = chosen[_best([r for r in records if r.chosen])]
                pool.export(self.arms[best.arm].cohort, best, model)
        write_records(output / "records.parquet", records)
        if seen:
            diagnostics.write(output / "diagnostics.parquet", seen)
        summarize(
            records,
            data_name=self.data_name,
            n_test=len(self.task.y_test),
            reference=self.reference,
        ).write(output / "summary.json")
        spent = [results[self._key(trial)] for trial in trials]
        stopwatch.write(output / "timings.json", _seconds_per_epoch(trials, spent))
        shutil.rmtree(folder, ignore_errors=True)
        return tuple(records)

    def _trials(self) -> list[Trial]:
        return [
            Trial(arm=name, network=arm.network, seed=seed, learning_rate=rate)
            for name, arm in self.arms.items()
            for rate in self.learning_rates
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
                arm.cohort,
                trials=(Trial(arm=name, network=arm.network, seed=0, learning_rate=np.nan),),
            )
            for name, arm in self.profiles.items()
        ]
        return [
            row
            for name, probes in zip(self.profiles, pool.profile(cohorts), strict=True)
            for row in diagnostics.rows(
                probes, study=self.study, arm=name, seed=0, learning_rate=np.nan
            )
        ]

    def _key(self, trial: Trial) -> str:
        return self.arms[trial.arm].cohort.key(trial)

    def _record(self, trial: Trial, result: Result) -> Record:
        return Record(
            stage=self.stage,
            study=self.study,
            arm=trial.arm,
            seed=trial.seed,
            learning_rate=trial.learning_rate,
            settings=self.arms[trial.arm].settings,
            data_digest=self.task.digest,
            outcome=result.outcome,
            epochs=result.epochs,
        )


def scratch_arm(
    network: Network,
    phases: Sequence[Phase],
    task_file: Path,
    task: Task,
    batch_size: int,
    seed: int,
    patience: int | None = None,
    probed: bool = False,
) -> Arm:
    """An arm whose network starts from nothing but its initializer."""
    network = network.resolve(task.features)
    epochs = sum(phase.epochs for phase in phases)
    cohort = Cohort(
        structure=network.structure(),
        phases=tuple(phases),
        task=task_file,
        task_digest=task.digest,
        batch_size=batch_size,
        root_seed=seed,
        patience=patience,
        probed=probed,
        trials=(),
    )
    settings = network.settings() | {"batch_size": str(batch_size), "epochs": str(epochs)}
    return Arm(cohort=cohort, network=network, settings=settings)


def _cohorts(arms: Mapping[str, Arm], trials: Sequence[Trial]) -> list[Cohort]:
    """`trials` in as few cohorts as there are different programs."""
    groups: dict[Cohort, list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[arms[trial.arm].cohort].append(trial)
    return [replace(cohort, trials=tuple(members)) for cohort, members in groups.items()]


def _best(chosen: Sequence[Record]) -> int:
    """Position of the trial to keep: of the arm with the best mean validation accuracy, the seed
    with the best; lower validation loss breaks ties. The test set has no say."""

    def last(record: Record) -> tuple[float, float]:
        if record.outcome == "diverged":
            return 0.0, -np.inf
        return record.epochs["val_accuracy"][-1], -record.epochs["val_loss"][-1]

    means = {
        arm: tuple(np.mean([last(r) for r in chosen if r.arm == arm], axis=0))
        for arm in {r.arm for r in chosen}
    }
    return max(range(len(chosen)), key=lambda i: (means[chosen[i].arm], last(chosen[i])))


def _seconds_per_epoch(
    trials: Sequence[Trial], results: Sequence[Result]
) -> dict[str, dict[int, float]]:
    """Per arm and seed, of its fastest trial, which other work on the machine disturbed least;
    compilation is not counted."""
    seconds: dict[str, dict[int, float]] = defaultdict(dict)
    for trial, result in zip(trials, results, strict=True):
        taken = result.train_seconds / len(result.epochs["loss"])
        seen = seconds[trial.arm].get(trial.seed, taken)
        seconds[trial.arm][trial.seed] = min(seen, taken)
    return seconds
