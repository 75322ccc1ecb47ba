"""The sections of params.yaml as frozen types; `loading` reads them.

This module and everything it imports answer without TensorFlow.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from warmstart.config import limits
from warmstart.config.arm import Arm
from warmstart.config.data import Data
from warmstart.config.names import Name
from warmstart.config.parts import Optimizer
from warmstart.config.spending import beyond
from warmstart.config.study import Compare, LearningRates
from warmstart.config.transfer import Transfer
from warmstart.config.values import Count, Epochs, Frozen, NonNegative, Positive, spread

Method = Literal["stacked", "denoising", "rotation"]
METHODS: tuple[Method, ...] = get_args(Method)
Workers = Annotated[int, Field(ge=1, le=limits.WORKERS)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Pretrain(Frozen):
    """Model A, trained on task A: the learning rate with the best validation accuracy wins."""

    network: Arm
    learning_rates: LearningRates
    epochs: Epochs
    batch_size: Count

    def problems(self) -> Iterator[str]:
        conflicts = self.network.conflicts()
        yield from (f"network.{conflict}" for conflict in conflicts)
        if conflicts:
            return
        if not self.network.standardize:
            yield (
                "network.standardize: expected true, since B reuses A's layers on standardized "
                "features, received false; remove it"
            )
        if self.network.skip_connections:
            yield (
                "network.skip_connections: expected false, since B reuses A's layers one after "
                "another, received true; remove it"
            )


class Autoencode(Frozen):
    """Encoders from samples without labels, with the hidden layers of `pretrain.network`."""

    methods: Annotated[tuple[Method, ...], Field(min_length=1, max_length=len(METHODS))]
    learning_rates: LearningRates
    epochs: Epochs
    batch_size: Count
    optimizer: Annotated[Optimizer, BeforeValidator(spread)]
    noise: NonNegative
    tied: bool

    def problems(self) -> Iterator[str]:
        if len(set(self.methods)) < len(self.methods):
            yield (
                f"methods: expected different methods, received {list(self.methods)}; "
                "name each once"
            )


class Executor(Frozen):
    """Where trials run. Results do not depend on it."""

    workers: Literal["auto"] | Workers = "auto"
    """Processes on this machine; `auto`: one per GPU, without GPUs one per core."""
    address: str | None = None
    """Address of a Dask scheduler, whose workers train instead."""
    resources: dict[Name, Positive] = Field(default_factory=dict)
    """Resources that each piece of work claims of a Dask worker: `GPU: 1` keeps it off workers
    without one."""
    kept_gb: NonNegative = 2
    """Gigabytes of finished trials that this machine keeps, of all projects; 0: none."""

    def problems(self) -> Iterator[str]:
        if self.address is None:
            if self.resources:
                yield (
                    "resources: expected none without an address, because only Dask workers carry "
                    f"such tags, received {', '.join(self.resources)}; add the address or remove "
                    "them"
                )
            return
        if not re.fullmatch(r"[a-z]+://[^\s/@]+:\d+", self.address):
            yield (
                "address: expected a Dask scheduler's, such as tcp://127.0.0.1:8786, received "
                f"{re.sub('//.*@', '//…@', self.address)!r}; copy it from the scheduler's log, or "
                "give null for workers on this machine"
            )
        if self.workers != "auto":
            yield (
                "workers: expected auto, because the workers are those of the Dask cluster at "
                f"address, received {self.workers}; change one of the two"
            )


class Params(Frozen):
    """The whole of params.yaml."""

    seed: Seed
    data: Data
    pretrain: Pretrain
    autoencode: Autoencode
    transfer: Transfer | None
    """None: there is no model B, nor what it starts on."""
    compare: Compare
    executor: Executor

    def problems(self) -> Iterator[str]:
        hidden, transfer = self.pretrain.network.hidden, self.transfer
        layers, replicates = 5 if hidden == "auto" else len(hidden), self.replicates
        spent: dict[str, tuple[Pretrain | Autoencode | Transfer, int, int, int]] = {
            "pretrain": (self.pretrain, 1, replicates, self.pretrain.epochs),
            # of `stacked` an epoch is one of each layer
            "autoencode": (
                self.autoencode,
                len(self.autoencode.methods),
                replicates,
                self.autoencode.epochs * max(layers, 1),
            ),
        }
        if transfer:
            arms = 1 + len(self.autoencode.methods) + _made(transfer.strategies, layers)
            few = 1 + _made(transfer.label_strategies, layers)
            arms += few * len(transfer.label_counts)
            spent["transfer"] = (transfer, arms, transfer.seeds, transfer.epochs)
        for where, (stage, arms, seeds, epochs) in spent.items():
            rates = len(stage.learning_rates)
            yield from beyond(where, arms=arms, rates=rates, seeds=seeds, epochs=epochs)

    @property
    def replicates(self) -> int:
        """How many splits model B sees over its seeds, each with a model A and encoders of its
        own."""
        if self.transfer is None or self.transfer.a or self.data.splits == "fixed":
            return 1
        return self.transfer.seeds


def _made(strategies: Sequence[str], layers: int) -> int:
    """How many arms `strategies` make on a model A of so many layers."""
    return sum(layers if name in ("first_layers", "surgical") else 1 for name in strategies)


def asked(params: Params) -> Transfer:
    """The section `transfer`, of a run that has one."""
    assert params.transfer
    return params.transfer
