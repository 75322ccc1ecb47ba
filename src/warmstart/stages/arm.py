"""An arm of an experiment: how its trials start and train, and on which samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from warmstart.config.arm import Network
from warmstart.data.task import Task
from warmstart.training.trials import Cohort, Phase


@dataclass(frozen=True, kw_only=True)
class Arm:
    """How the trials of one arm start and train."""

    cohort: Cohort
    """Without trials."""
    network: Network
    """Resolved."""
    settings: dict[str, str]
    folds: tuple[Cohort, ...] = ()
    """Of a cross-validation, in which trials of seed s belong to number s modulo their count, which
    differ in their task; empty: all belong to `cohort`."""

    def cohort_of(self, seed: int) -> Cohort:
        """That of the trials of `seed`, without trials."""
        return self.folds[seed % len(self.folds)] if self.folds else self.cohort

    def settings_of(self, seed: int) -> dict[str, str]:
        """Those of the trials of `seed`; folds are counted from 1."""
        if not self.folds:
            return self.settings
        count = len(self.folds)
        return self.settings | {"folds": str(count), "fold": str(seed % count + 1)}


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
        samples=len(task.y_train),
        trials=(),
    )
    settings = network.settings() | {"batch_size": str(batch_size), "epochs": str(epochs)}
    return Arm(cohort=cohort, network=network, settings=settings)
