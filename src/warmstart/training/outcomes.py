"""What comes out of trials, where they stand on the way, and where both are kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from warmstart.metrics import Kind
from warmstart.training.layers import LayerProbe

EPOCH_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
"""What is known of every epoch of classes, and of an autoencoder, whose accuracies are NaN."""
Outcome = Literal["completed", "diverged", "dropped"]
"""`dropped`: others of its race did better when they had the same epochs."""


def epoch_metrics(kind: Kind) -> tuple[str, ...]:
    """Names of what is known of every epoch: EPOCH_METRICS, or those of a regression, whose loss is
    the mean squared error, both in units of the standardized target."""
    return ("loss", "mae", "val_loss", "val_mae") if kind == "regression" else EPOCH_METRICS


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of training one trial; the weights lie in a file named by the trial's key."""

    key: str
    outcome: Outcome
    epochs: dict[str, tuple[float, ...]]
    """Each of `epoch_metrics`, one value per epoch."""
    samples: int
    """Training samples in an epoch."""
    train_seconds: float
    """Time of the epochs by `backends.….clock`, without compilation; a share of it where trials
    train together."""
    probes: tuple[LayerProbe, ...] = ()
    """What the probe saw in the layers, epoch by epoch; empty where the trial was not probed."""
    validation: dict[str, float] = field(default_factory=dict)
    """`val_NAME` of metrics that no epoch has, or not in the target's unit, on the validation
    samples after the last epoch: what the cohort's metric asks for. NaN: it diverged. Of a fitted
    head also the strength that was chosen there, by its name in `heads`."""


@dataclass
class Standing:
    """Where trials that train together, or one alone, stand after an epoch."""

    rows: list[np.ndarray]
    """Per epoch `(trials, 5)`: what `Program.epoch` returned."""
    states: list[list[np.ndarray]]
    """Per trial: what `Program.state` returned, or the weights to begin with."""
    seconds: float
    """Spent on these epochs."""
    probes: list[tuple[LayerProbe, ...]]
    """Per trial: what was seen in its layers."""

    @classmethod
    def together(cls, alone: "Sequence[Standing]") -> "Standing":
        """That of trials after as many epochs, each alone before."""
        return cls(
            rows=[np.concatenate(rows) for rows in zip(*(s.rows for s in alone), strict=True)],
            states=[s.states[0] for s in alone],
            seconds=sum(s.seconds for s in alone),
            probes=[s.probes[0] for s in alone],
        )

    def alone(self, trial: int, trials: int) -> "Standing":
        """That of the trial at this place, of `trials` that shared the time."""
        return Standing(
            rows=[row[trial : trial + 1] for row in self.rows],
            states=[self.states[trial]],
            seconds=self.seconds / trials,
            probes=[self.probes[trial]],
        )


class Checkpoint(Protocol):
    """Keeps where trials that train together stand, so that a killed run goes on from there."""

    def is_due(self) -> bool: ...
    def write(self, standing: Standing) -> None: ...
    def read(self) -> Standing | None: ...
    def remove(self) -> None: ...


class Store(Protocol):
    """Keeps finished trials by their keys."""

    def path(self, key: str) -> Path: ...
    def read(self, key: str) -> Result | None: ...
    def write(self, result: Result, weights: list[np.ndarray]) -> None: ...
    def weights(self, key: str) -> list[np.ndarray]: ...
    def checkpoint(self, keys: Iterable[str]) -> Checkpoint: ...
    def model_path(self, key: str) -> Path: ...


SHOWN = 10
"""Validation samples whose reconstructions are pictured."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """What an encoder has learned, as far as it can be shown."""

    filters: np.ndarray
    """`(units, features)`: the weights of each unit of the first hidden layer."""
    reconstructions: np.ndarray | None
    """`(SHOWN, features)`: of the first validation samples; None for a classifier."""
