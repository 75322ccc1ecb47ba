"""What `pretrain`, `transfer` and `compare` have in common: arms × learning rates × seeds, the
trials that these make, and which arms more seeds are for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.config.params import Compare
from warmstart.contrasts import level_of, rounds
from warmstart.data.task import PARTS, Task
from warmstart.metrics import METRICS
from warmstart.records import Record
from warmstart.stages.contender import Contender
from warmstart.training.chance import chance, resolution
from warmstart.training.outcomes import Result
from warmstart.training.race import FEWEST
from warmstart.training.selection import beyond_the_edge, choose_learning_rates, contenders
from warmstart.training.trials import Cohort, Trial


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
    most_trial_epochs: int | None = None
    """Of all its trials: no round begins that is likely to go beyond; None: there is no bound."""
    reference: str | None = None
    """The arm that others are held against; None: the best on validation."""
    metric: str = "accuracy"
    """What validation chooses by, a name in `metrics.METRICS`."""
    margin: float = 0.0
    """Means of it that differ by less are practically equal."""
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
        """The `arms` at all rates on `seeds`; the rates of an arm and seed race. A fitted head has
        none: 0."""
        grid = tuple(sorted(set(self.learning_rates)))
        rates = {arm: (0.0,) if self.arms[arm].cohort.fitted else grid for arm in self.arms}
        rivals = grid if len(grid) >= FEWEST else ()
        return [
            self._trial(arm, seed, rate, rivals if rate else ())
            for arm in arms
            for seed in seeds
            for rate in rates[arm]
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
        y = self.task.y_validation
        wanted = contenders(
            [r for r in records if r.learning_rate == rates[r.arm, r.seed]],
            reference=self.reference,
            margin=self.margin,
            chance=chance(self.metric, y if self.task.classes else self.task.raw_target(y)),
            resolution=resolution(self.metric, len(y)),
            level=level_of(seeds, self.seeds),
        )
        return wanted if self._affords(wanted, trials, results) else []

    def _affords(
        self, arms: Sequence[str], trials: Sequence[Trial], results: Mapping[str, Result]
    ) -> bool:
        """Whether the next round of `arms` stays within `most_trial_epochs`, if it takes as much
        for each arm and seed as those before."""
        if self.most_trial_epochs is None:
            return True
        spent = sum(len(results[self.key(trial)].epochs["loss"]) for trial in trials)
        seeds = 1 + max(trial.seed for trial in trials)
        after = next(count for count in self.rounds if count > seeds)
        replicates = len({(trial.arm, trial.seed) for trial in trials})
        return spent * (1 + len(arms) * (after - seeds) / replicates) <= self.most_trial_epochs

    def pair(self, trial: Trial) -> tuple[Cohort, Trial]:
        """`trial` with the cohort that it belongs to, which is without trials."""
        return replace(self.arms[trial.arm].cohort, metric=self.metric), trial

    def key(self, trial: Trial) -> str:
        cohort, _ = self.pair(trial)
        return cohort.key(trial)

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
            "metric": self.metric,
        }

    def record(self, trial: Trial, results: Mapping[str, Result]) -> Record:
        """Before it is tested."""
        result = results[self.key(trial)]
        return Record(
            **self.known(trial),
            outcome=result.outcome,
            epochs=result.epochs,
            validation=result.validation,
        )


def judged_by(options: Compare, full: Task) -> str:
    """The metric that decides, in every stage, on data of which `full` holds all classes.

    Raises:
        InputError: as `Compare.decided_by`.
    """
    if full.kind == "regression":
        return options.decided_by(())
    y = np.concatenate([getattr(full, f"y_{part}") for part in PARTS])
    return options.decided_by(np.bincount(y, minlength=full.classes).tolist())


def margin(options: Compare, metric: str, full: Task) -> float:
    """`equivalence` in the unit of `metric`."""
    unit = full.target[1] if METRICS[metric].form == "target" else 1.0
    return options.equivalence * unit
