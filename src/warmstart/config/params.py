"""The sections of params.yaml as frozen types; `loading` reads them.

This module and everything it imports answer without TensorFlow.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from warmstart.config import limits
from warmstart.config.arm import Arm
from warmstart.config.model_a import ModelA, named
from warmstart.config.names import Label, Name
from warmstart.config.parts import Optimizer
from warmstart.config.spending import beyond
from warmstart.config.study import Compare, LearningRates, Repetitions
from warmstart.config.values import Count, Epochs, Frozen, NonNegative, Positive, spread

_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
KNOWN_CLASSES = {"digits": tuple("0123456789"), "fashion_mnist": _CLOTHES}
"""Class names of the data sets that need no files of the user's, in the order of their labels."""

Fraction = Annotated[float, Field(gt=0, lt=1)]
Method = Literal["stacked", "denoising", "rotation"]
METHODS: tuple[Method, ...] = get_args(Method)
Splits = Literal["resampled", "official", "fixed"]
Standardize = Literal["auto", "feature", "channel"]
Workers = Annotated[int, Field(ge=1, le=limits.WORKERS)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]


def _as_text(given: object) -> object:
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


ColumnName = Annotated[str, BeforeValidator(_as_text)]
"""Of a column in a file; a number is meant as text."""


DRAWN: dict[Splits, str] = {
    "resampled": "drawn anew by every seed",
    "official": "the test part is the same for every seed",
    "fixed": "the same for every seed",
}
"""What seeds see, in words."""


class Data(Frozen):
    """The data and how they are split."""

    name: Label
    """`digits`, `fashion_mnist`, or any other name for the user's own data at `path`."""
    path: Annotated[str, Field(min_length=1)]
    target: ColumnName | None = None
    """Of a table: the column to predict."""
    drop: tuple[ColumnName, ...] = ()
    """Of a table: columns to leave out."""
    image_size: tuple[Count, Count] | None = None
    """Height and width in pixels that images are resized to; None: as they are, all alike."""
    validation_fraction: Fraction
    test_fraction: Fraction
    standardize: Standardize = "auto"
    """By whose mean and deviation a value is standardized: those of its feature, or, of images,
    those of its channel over all pixels; `auto`: by channel from 16 pixels a side on."""
    splits: Splits = "resampled"
    """What the seeds of a study see: each its own training, validation and test part, drawn from
    all samples; each its own training and validation part beside the test set that came with the
    data, where `test_fraction` decides nothing; or all the same parts."""

    task: Literal["auto", "classification", "regression"] = "auto"
    """What the target is taken for; `auto`: numbers, where many differ, are a regression."""
    columns: dict[str, str | dict[str, list[str | int | float] | str]] = Field(default_factory=dict)
    """Column of a table -> what it is, where that is not what its values look like: see
    `data.kinds.Override`."""
    group: str | None = None
    """Column whose rows of one value are never on two sides of a split; no feature."""
    order: str | None = None
    """Column by which the newest rows, `test_fraction` of them, are the test part; no feature."""

    @property
    def drawn(self) -> Splits:
        """How seeds are split: the newest rows are a test set of its own."""
        return "official" if self.order and self.splits == "resampled" else self.splits

    def problems(self) -> Iterator[str]:
        total = self.validation_fraction + self.test_fraction
        if total >= 1 and self.splits != "official":
            yield (
                "validation_fraction: expected a sum with test_fraction below 1, "
                f"received {total:g}; leave something to train on"
            )


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


StrategyName = Literal[
    "freeze_then_thaw", "head_only", "thaw_at_once", "gradual_thaw", "discriminative",
    "first_layers", "top_reinitialized", "batch_norm_frozen", "surgical", "l2_sp",
    "linear", "knn",
]  # fmt: skip
"""How B starts on pretrained layers, see `training.strategies`."""
_STRATEGIES = len(get_args(StrategyName))


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


ALL_PAIRS = "all_pairs"
AUTOMATIC = "auto"


def _classes(given: object) -> object:
    """A list, or a word alone, as a tuple."""
    if isinstance(given, list):
        return tuple(given)
    return (given,) if isinstance(given, str) else given


class Transfer(Frozen):
    """Model B: from scratch against on the layers of a pretrained model."""

    task_b: Annotated[
        tuple[int | str, ...], Field(max_length=limits.CLASSES), BeforeValidator(_classes)
    ]
    """`(ALL_PAIRS,)`: the first two classes, and besides every pair, see `stages.pairs`;
    `(AUTOMATIC,)`: the two most frequent classes."""
    a: Annotated[ModelA | None, BeforeValidator(named)] = None
    """A model A of the user's own; None: `pretrain` trains one."""
    train_size: Count
    seeds: Repetitions
    learning_rates: LearningRates
    frozen_epochs: Epochs
    thawed_epochs: Epochs
    thawed_factor: Annotated[float, Field(gt=0, le=1)]
    strategies: Annotated[tuple[StrategyName, ...], Field(min_length=1, max_length=_STRATEGIES)]
    """On model A; `first_layers` makes an arm for every number of reused layers, `surgical` for
    every layer."""
    l2_sp: Positive = 0.1
    """α of the strategy `l2_sp`, that of its paper where nothing is said."""
    batch_size: Count
    label_counts: Annotated[
        tuple[Count | Literal["all"], ...], Field(max_length=limits.LABEL_COUNTS)
    ] = ()
    """Numbers of labels at which `label_strategies` are held against scratch; all: in full
    batches."""
    label_strategies: Annotated[tuple[StrategyName, ...], Field(max_length=_STRATEGIES)] = (
        "freeze_then_thaw",
    )

    @property
    def all_pairs(self) -> bool:
        return self.task_b == (ALL_PAIRS,)

    @property
    def automatic(self) -> bool:
        return self.task_b == (AUTOMATIC,)

    @property
    def epochs(self) -> int:
        """Epochs of every trial, whatever its strategy."""
        return self.frozen_epochs + self.thawed_epochs

    def problems(self) -> Iterator[str]:
        if self.a and self.all_pairs:
            yield (
                f"a: expected null for {ALL_PAIRS}, where each pair has a model A that never saw "
                f"it, received {self.a.model!r}; remove it, or name two classes in task_b"
            )
        classes = (0, 1) if self.all_pairs or self.automatic else self.task_b
        if len(classes) < 2:
            yield (
                f"task_b: expected two classes or more, as [3, 8], auto or {ALL_PAIRS}, received "
                f"{list(classes)}; change it"
            )
        elif len(set(classes)) < len(classes):
            yield f"task_b: expected different classes, received {list(classes)}; name each once"
        else:
            yield from self._few_labels(len(classes))
        if self.label_counts and not set(self.label_strategies) <= set(self.strategies):
            yield (
                f"label_strategies: expected some of strategies ({', '.join(self.strategies)}), "
                f"received {', '.join(self.label_strategies)}; change one of the two"
            )

    def _few_labels(self, classes: int) -> Iterator[str]:
        counts = {f"label_counts.{i}": count for i, count in enumerate(self.label_counts)}
        for key, count in ({"train_size": self.train_size} | counts).items():
            if isinstance(count, int) and count < classes:
                yield (
                    f"{key}: expected at least one label for each of the {classes} "
                    f"classes of task_b, received {count}; raise it"
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
