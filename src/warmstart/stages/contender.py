"""One arm of a study, ready to train."""

from collections.abc import Sequence
from dataclasses import dataclass

from warmstart.config.arm import Arm
from warmstart.config.data import Splits
from warmstart.data.task import Task
from warmstart.training.trials import Cohort, Phase, Split, Trial


@dataclass(frozen=True, kw_only=True)
class Contender:
    """How the arm's trials start and train, and on which samples."""

    network: Arm
    """Resolved."""
    cohort: Cohort
    """Without trials."""
    settings: dict[str, str]

    def sees_first(self, trial: Trial) -> bool:
        """Whether `trial` sees the first of the splits."""
        return self.cohort.split(trial) == self.cohort.splits[0]


def from_scratch(
    network: Arm,
    *,
    task: Task,
    splits: Sequence[Split],
    drawn: Splits,
    epochs: int,
    batch_size: int,
    root_seed: int,
    patience: int | None = None,
    probed: bool = False,
) -> Contender:
    """An arm whose network starts from nothing but its initializer.

    Args:
        network: may hold `auto`.
        task: which the network is to fit; all splits have its features and classes.
        splits: trials of seed s see number s modulo their count.
        drawn: how, as `data.splits` of params.yaml; one alone is `fixed`.
        epochs: of a trial.
        batch_size: samples.
        root_seed: of every random number.
        patience: epochs without a lower validation loss after which a trial stops; None: never.
        probed: whether layers are probed.
    """
    network = network.resolve(task.shape)
    cohort = Cohort(
        structure=network.structure(),
        phases=(Phase(epochs=epochs),),
        splits=tuple(splits),
        batch_size=batch_size,
        root_seed=root_seed,
        patience=patience,
        probed=probed,
        trials=(),
    )
    settings = network.settings() | {
        "batch_size": str(batch_size),
        "epochs": str(epochs),
        "splits": drawn if len(splits) > 1 else "fixed",
    }
    return Contender(network=network, cohort=cohort, settings=settings)
