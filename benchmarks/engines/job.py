"""What every engine is asked to do, and what it answers."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

DENSE = {"shallow": (300, 100), "deep": (100,) * 20}
"""Units per hidden layer, between 784 pixels and 10 classes; ELU, He normal."""
NETWORKS: dict[str, tuple[int, ...]] = DENSE | {"convolutional": ()}
FILTERS = (16, 32)
"""Of the convolutional one: 3 × 3, same padding, each followed by 2 × 2 max pooling."""

IMAGE, FEATURES, CLASSES = (28, 28, 1), 784, 10


@dataclass(frozen=True, kw_only=True)
class Job:
    """Train `v` trials that differ in seed and learning rate; validate after every epoch."""

    engine: str
    network: str
    """One of NETWORKS."""
    batch: int
    samples: int
    """To train on; there is a validation sample to eleven of them."""
    epochs: int
    learning_rates: tuple[float, ...]
    """One per trial."""
    task: str
    """File of the standardized samples."""
    cores: int
    settings: tuple[dict[str, Any], ...] = ({},)
    """Of `fit`: see `keras_fit.Settings`. Several are taken in turn, trial by trial."""

    @property
    def v(self) -> int:
        return len(self.learning_rates)

    @property
    def workers(self) -> int:
        """Trials that engines with several workers train side by side."""
        return min(self.cores, self.v)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        content = json.loads(text)
        lists = {name: tuple(content[name]) for name in ("learning_rates", "settings")}
        return cls(**content | lists)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One trial, as the engine that trained it saw it."""

    epoch_seconds: tuple[float, ...]
    """Of its epochs with their validation, without those in which something was traced."""
    seconds: float
    """From the making of its model to its last metric."""
    samples: int
    """Trained on, counted over all epochs."""
    val_accuracy: float | None
    """None where nothing was learned."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an engine made of a job."""

    workers: int
    """Trials that were in training at the same time."""
    trials: tuple[Trained, ...]
    blas: str = ""
    """Of the floor: the library that multiplies, its version and the kernel it chose."""
    gflops: float | None = None
    """Of the floor: 10⁹ operations a second on each core."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        content = json.loads(text)
        return cls(**content | {"trials": tuple(map(trained, content["trials"]))})


def learning_rates(v: int) -> tuple[float, ...]:
    """`v` of them, in a range in which all networks learn: a diverged trial would stop early."""
    return tuple(float(rate) for rate in np.geomspace(0.003, 0.03, v))


def trained(content: dict[str, Any]) -> Trained:
    """The trial that `dataclasses.asdict` and JSON have taken apart."""
    return Trained(**content | {"epoch_seconds": tuple(content["epoch_seconds"])})


def share(job: Job, worker: int) -> Job:
    """What worker number `worker` does of `job`: as many trials as the others, or one more."""
    return replace(job, learning_rates=job.learning_rates[worker :: job.workers])
