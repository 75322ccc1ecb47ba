"""One arm of a study, ready to train."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from warmstart.config.arm import Arm
from warmstart.data.task import Task
from warmstart.training.trials import Cohort, Phase


@dataclass(frozen=True, kw_only=True)
class Contender:
    """How the arm's trials start and train, and on which samples."""

    network: Arm
    """Resolved."""
    cohorts: tuple[Cohort, ...]
    """Without trials. Those of seed s belong to number s modulo their count: one of each fold of a
    cross-validation, which differ in their task; else one for all."""
    settings: dict[str, str]

    def cohort(self, seed: int) -> Cohort:
        """The cohort of the trials of `seed`, without trials."""
        return self.cohorts[seed % len(self.cohorts)]

    def settings_of(self, seed: int) -> dict[str, str]:
        """The settings of the trials of `seed`; folds are counted from 1."""
        folds = len(self.cohorts)
        if folds == 1:
            return self.settings
        return self.settings | {"folds": str(folds), "fold": str(seed % folds + 1)}


def from_scratch(
    network: Arm,
    *,
    tasks: Sequence[tuple[Path, Task]],
    epochs: int,
    batch_size: int,
    root_seed: int,
    patience: int | None = None,
    probed: bool = False,
) -> Contender:
    """An arm whose network starts from nothing but its initializer.

    Args:
        network: may hold `auto`.
        tasks: of each fold, or of all seeds, the file and what it holds.
        epochs: of a trial.
        batch_size: samples.
        root_seed: of every random number.
        patience: epochs without a lower validation loss after which a trial stops; None: never.
        probed: whether layers are probed.
    """
    network = network.resolve(tasks[0][1].features)
    cohorts = tuple(
        Cohort(
            structure=network.structure(),
            phases=(Phase(epochs=epochs),),
            task=file,
            task_digest=task.digest,
            batch_size=batch_size,
            root_seed=root_seed,
            patience=patience,
            probed=probed,
            trials=(),
        )
        for file, task in tasks
    )
    settings = network.settings() | {"batch_size": str(batch_size), "epochs": str(epochs)}
    return Contender(network=network, cohorts=cohorts, settings=settings)
