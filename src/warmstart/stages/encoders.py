"""Cohorts of the stage `autoencode` as they are trained, and what comes of them."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from warmstart.config.data import Splits
from warmstart.errors import InputError
from warmstart.records import Record
from warmstart.runtime import pool
from warmstart.training.outcomes import Result
from warmstart.training.trials import Cohort, Trial

LOWER, STEP = 4, 3.0
"""How many lower learning rates are tried where all diverge; how far apart, where one is given."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One cohort of this stage with what came of it."""

    cohort: Cohort
    results: tuple[Result, ...]
    """One per trial."""

    @cached_property
    def best(self) -> tuple[int, ...]:
        """Position of each seed's trial with the lowest validation loss after the last epoch."""

        def loss(i: int) -> tuple[bool, float]:
            return self._is_lost(i), self.results[i].epochs["val_loss"][-1]

        of_seed = defaultdict(list)
        for i, trial in enumerate(self.cohort.trials):
            of_seed[trial.seed].append(i)
        return tuple(min(positions, key=loss) for positions in of_seed.values())

    def _is_lost(self, i: int) -> bool:
        return self.results[i].outcome == "diverged"

    @property
    def rates(self) -> list[float]:
        """The learning rates that were tried."""
        return sorted({trial.learning_rate for trial in self.cohort.trials})

    @property
    def lower(self) -> Cohort | None:
        """Seeds that diverged at all rates, at a lower one; None where there are none."""
        lost = [self.cohort.trials[i] for i in self.best if self._is_lost(i)]
        lowest, following, *_ = *self.rates, STEP * self.rates[0]
        rate = float(f"{lowest * lowest / following:.3g}")
        further = tuple(replace(trial, learning_rate=rate) for trial in lost)
        return replace(self.cohort, trials=further) if further else None

    def __add__(self, other: "Trained") -> "Trained":
        """The trials of both."""
        trials = (*self.cohort.trials, *other.cohort.trials)
        return Trained(
            cohort=replace(self.cohort, trials=trials), results=(*self.results, *other.results)
        )

    def to_save(self, folder: Path) -> list[tuple[Cohort, Trial, Path]]:
        """Each seed's best, and `folder/SEED.keras` for it."""
        chosen = [self.cohort.trials[i] for i in self.best]
        return [(self.cohort, trial, folder / f"{trial.seed}.keras") for trial in chosen]

    @property
    def losses(self) -> list[float]:
        """On validation, of those chosen."""
        return [self.results[i].epochs["val_loss"][-1] for i in self.best]

    def by_seed(self) -> list[tuple[int, Result]]:
        return [
            (trial.seed, result)
            for trial, result in zip(self.cohort.trials, self.results, strict=True)
        ]

    def records(self, data_digest: str, splits: Splits) -> list[Record]:
        """All trials, without test metrics; accuracies are NaN where there are none."""
        how = self.cohort.autoencoder
        settings = {
            "batch_size": str(self.cohort.batch_size),
            "epochs": str(self.cohort.epochs),
            "splits": splits,
        }
        if how:
            settings |= {"noise": f"{how.noise:g}", "tied": str(how.tied).lower()}
        return [
            Record(
                stage="autoencode",
                study="",
                arm=trial.arm,
                seed=trial.seed,
                learning_rate=trial.learning_rate,
                settings=trial.network.settings() | settings,
                data_digest=data_digest,
                outcome=result.outcome,
                epochs=result.epochs,
                chosen=i in self.best,
            )
            for i, (trial, result) in enumerate(zip(self.cohort.trials, self.results, strict=True))
        ]


def train(workers: pool.Workers, cohorts: Mapping[str, Cohort]) -> dict[str, Trained]:
    """What comes of `cohorts`, by arm, with LOWER further learning rates for seeds that diverge at
    all, each as far below the lowest as that is below the next.

    Raises:
        InputError: if one diverges at all of these, too.
    """
    title = "autoencode" if len(cohorts) > 1 else f"autoencode, {next(iter(cohorts))}"
    trained = _results(workers, cohorts, title)
    for _ in range(LOWER):
        further = {arm: lower for arm, of_arm in trained.items() if (lower := of_arm.lower)}
        if not further:
            return trained
        more = _results(workers, further, f"{title}, lower rates")
        trained |= {arm: trained[arm] + of_arm for arm, of_arm in more.items()}
    for arm, of_arm in trained.items():
        if of_arm.lower:
            raise InputError(
                f"autoencode.learning_rates: expected one at which {arm} does not diverge, "
                f"received {of_arm.rates}, the lowest of them added by themselves; add lower ones"
            )
    return trained


def _results(
    workers: pool.Workers, cohorts: Mapping[str, Cohort], title: str
) -> dict[str, Trained]:
    results = workers.train(list(cohorts.values()), title)
    return {
        arm: Trained(cohort=cohort, results=tuple(results[cohort.key(t)] for t in cohort.trials))
        for arm, cohort in cohorts.items()
    }
