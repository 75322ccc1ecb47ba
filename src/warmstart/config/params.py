"""params.yaml -> frozen types. All problems at once, one line each.

This module and everything it imports answer without TensorFlow.
"""

import re
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator
from ruamel.yaml import YAML, YAMLError

from warmstart.config.arm import Count, Frozen, Network, NonNegative, Optimizer, Positive, spread
from warmstart.config.checking import check, nearest
from warmstart.errors import InputError

KNOWN_CLASSES: dict[str, tuple[str, ...]] = {
    "digits": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}
"""Class names of the data sets that need no files of the user's, in the order of their labels."""

Fraction = Annotated[float, Field(gt=0, lt=1)]
LearningRates = Annotated[tuple[Positive, ...], Field(min_length=1)]
Method = Literal["stacked", "denoising", "rotation"]
METHODS: tuple[Method, ...] = get_args(Method)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$")]
Seed = Annotated[int, Field(ge=0)]


class Data(Frozen):
    """Which data, and how they are split."""

    name: Name
    """`digits`, `fashion_mnist`, or any other name for the user's own data at `path`."""
    path: Annotated[str, Field(min_length=1)]
    validation_fraction: Fraction
    test_fraction: Fraction

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError(
                "validation_fraction: expected a sum with test_fraction below 1, "
                f"received {self.validation_fraction + self.test_fraction:g}; "
                "leave something to train on"
            )
        return self


class Pretrain(Frozen):
    """Model A, trained on task A: the learning rate with the best validation accuracy wins."""

    network: Network
    learning_rates: LearningRates
    epochs: Count
    batch_size: Count

    @model_validator(mode="after")
    def _possible(self) -> Self:
        problems = self.network.conflicts()
        if not (problems or self.network.standardize):
            problems.append(
                "standardize: expected true, since B reuses A's layers on standardized features, "
                "received false; remove it"
            )
        if problems:
            raise ValueError("\n".join(f"network.{problem}" for problem in problems))
        return self


StrategyName = Literal[
    "freeze_then_thaw",
    "head_only",
    "thaw_at_once",
    "gradual_thaw",
    "discriminative",
    "first_layers",
    "top_reinitialized",
    "batch_norm_frozen",
]
"""How B starts on pretrained layers, see `training.strategies`."""


class Autoencode(Frozen):
    """Encoders from samples without labels, with the hidden layers of `pretrain.network`."""

    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    learning_rates: LearningRates
    epochs: Count
    batch_size: Count
    optimizer: Annotated[Optimizer, BeforeValidator(spread)]
    noise: NonNegative
    tied: bool

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if len(set(self.methods)) < len(self.methods):
            raise ValueError(
                f"methods: expected different methods, received {list(self.methods)}; "
                "name each once"
            )
        return self


ALL_PAIRS = "all_pairs"


def _classes(given: object) -> object:
    """A list, or a word alone, as a tuple."""
    if isinstance(given, list):
        return tuple(given)
    return (given,) if isinstance(given, str) else given


class Transfer(Frozen):
    """Model B: from scratch against on the layers of a pretrained model."""

    task_b: Annotated[tuple[int | str, ...], BeforeValidator(_classes)]
    """`(ALL_PAIRS,)`: the first two classes, and besides every pair, see `stages.pairs`."""
    train_size: Count
    seeds: Annotated[int, Field(ge=2)]
    learning_rates: LearningRates
    frozen_epochs: Count
    thawed_epochs: Count
    thawed_factor: Annotated[float, Field(gt=0, le=1)]
    strategies: Annotated[tuple[StrategyName, ...], Field(min_length=1)]
    """On model A; `first_layers` makes an arm for every number of reused layers."""
    batch_size: Count
    label_counts: tuple[Count | Literal["all"], ...] = ()
    """Numbers of labels at which `label_strategies` are held against scratch; all: in full
    batches."""
    label_strategies: tuple[StrategyName, ...] = ("freeze_then_thaw",)

    @property
    def all_pairs(self) -> bool:
        return self.task_b == (ALL_PAIRS,)

    @property
    def epochs(self) -> int:
        """Of every trial, whatever its strategy."""
        return self.frozen_epochs + self.thawed_epochs

    @model_validator(mode="after")
    def _possible(self) -> Self:
        classes = (0, 1) if self.all_pairs else self.task_b
        if len(classes) < 2:
            raise ValueError(
                f"task_b: expected two classes or more, as [3, 8], or {ALL_PAIRS}, received "
                f"{list(classes)}; change it"
            )
        if len(set(classes)) < len(classes):
            raise ValueError(
                f"task_b: expected different classes, received {list(classes)}; name each once"
            )
        counts = {"train_size": self.train_size} | {
            f"label_counts.{i}": count
            for i, count in enumerate(self.label_counts)
            if not isinstance(count, str)
        }
        problems = [
            f"{key}: expected at least one label for each of the {len(classes)} "
            f"classes of task_b, received {count}; raise it"
            for key, count in counts.items()
            if count < len(classes)
        ]
        if self.label_counts and not set(self.label_strategies) <= set(self.strategies):
            problems.append(
                f"label_strategies: expected some of strategies ({', '.join(self.strategies)}), "
                f"received {', '.join(self.label_strategies)}; change one of the two"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self


class Study(Frozen):
    """One question: arms that change the base network."""

    base: Network = Network()
    arms: dict[Name, Network] = Field(default_factory=dict)
    cross: dict[Name, dict[Name, Network]] = Field(default_factory=dict)
    """Instead of `arms`: factor -> its arms. The study's arms are all their combinations."""
    profiles: dict[Name, Network] = Field(default_factory=dict)
    """Networks whose layers are looked into where they start; they are not trained."""
    epochs: Count | None = None
    """None, here and below: as in every study."""
    learning_rates: LearningRates | None = None
    seeds: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if bool(self.arms) == bool(self.cross):
            raise ValueError(
                "arms: expected either arms or cross, received "
                f"{'both' if self.arms else 'neither'}; give one of them"
            )
        sizes = {"arms": len(self.arms)} if self.arms else {"cross": len(self.cross)}
        sizes |= {f"cross.{factor}": len(arms) for factor, arms in self.cross.items()}
        problems = [
            f"{where}: expected at least 2 to compare, received {size}; add some"
            for where, size in sizes.items()
            if size < 2
        ]
        changed = [
            {key for arm in arms.values() for key in arm.model_fields_set}
            for arms in self.cross.values()
        ]
        if shared := {key for one, other in combinations(changed, 2) for key in one & other}:
            problems.append(
                "cross: expected factors that change different things, received "
                f"{', '.join(sorted(shared))} in more than one; keep it in one"
            )
        problems += [
            f"profiles.{name}: expected another name than an arm's, received the same; rename one"
            for name in self.profiles
            if not problems and name in self.networks()
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def networks(self) -> dict[str, Network]:
        """What each arm changes; a crossed arm is named after its parts, as `he_normal+relu`."""
        if self.arms:
            return self.arms
        first, *others = self.cross.values()
        crossed = dict(first)
        for factor in others:
            crossed = {
                f"{name}+{part}": network.changed_by(change)
                for name, network in crossed.items()
                for part, change in factor.items()
            }
        return crossed


class Compare(Frozen):
    """The studies, and the budget that every arm of every study gets alike."""

    seeds: Annotated[int, Field(ge=2)]
    folds: Annotated[int, Field(ge=2)] | None = None
    """Of a cross-validation: trials of seed s validate on fold s mod `folds`; None: one split."""
    learning_rates: LearningRates
    epochs: Count
    patience: Count | None = None
    """A trial stops after so many epochs without a lower validation loss; None: it never does."""
    batch_size: Count
    base: Network
    studies: Annotated[dict[Name, Study], Field(min_length=1)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        problems = [
            f"studies.{study}.{'cross' if options.cross else 'arms'}.{arm}.{problem}"
            for study, options in self.studies.items()
            for arm, network in self.arms(study).items()
            for problem in network.conflicts()
        ]
        seeds = {"seeds": self.seeds} | {
            f"studies.{name}.seeds": study.seeds
            for name, study in self.studies.items()
            if study.seeds is not None
        }
        problems += [
            f"{where}: expected a multiple of folds ({self.folds}), so that every fold validates "
            f"equally often, received {count}; change one of the two"
            for where, count in seeds.items()
            if self.folds and count % self.folds
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def arms(self, study: str) -> dict[str, Network]:
        """The arms of `study` with everything filled in from the two bases."""
        base = self.base.changed_by(self.studies[study].base)
        return {name: base.changed_by(arm) for name, arm in self.studies[study].networks().items()}

    def profiles(self, study: str) -> dict[str, Network]:
        """The networks of `study` that are only looked into, filled in from the two bases."""
        base = self.base.changed_by(self.studies[study].base)
        return {name: base.changed_by(n) for name, n in self.studies[study].profiles.items()}


class Executor(Frozen):
    """Where trials run. Results do not depend on it."""

    workers: Literal["auto"] | Count = "auto"
    """Processes on this machine; `auto`: one per GPU, without GPUs one per core."""
    address: str | None = None
    """Of a Dask scheduler, whose workers train instead."""
    resources: dict[Name, Positive] = Field(default_factory=dict)
    """What each piece of work claims of a Dask worker: `GPU: 1` keeps it off workers without."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        address, problems = self.address, []
        if address is not None and not re.fullmatch(r"[a-z]+://[^\s/]+:\d+", address):
            problems.append(
                "address: expected a Dask scheduler's, such as tcp://127.0.0.1:8786, "
                f"received {address!r}; copy it from the scheduler's log, or give null for workers "
                "on this machine"
            )
        if address is not None and self.workers != "auto":
            problems.append(
                "workers: expected auto, because the workers are those of the Dask cluster at "
                f"address, received {self.workers}; change one of the two"
            )
        if address is None and self.resources:
            problems.append(
                "resources: expected none without an address, because only Dask workers carry "
                f"such tags, received {', '.join(self.resources)}; add the address or remove them"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self


class Params(Frozen):
    """The whole of params.yaml."""

    seed: Seed
    data: Data
    pretrain: Pretrain
    autoencode: Autoencode
    transfer: Transfer
    compare: Compare
    executor: Executor


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check `path`.

    Raises:
        InputError: with one line per problem: the key, what was expected, what was received.
    """
    try:
        # YAML 1.2 as DVC reads it: 1e-3 is a number, a key given twice is an error
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path}: expected a parameter file, found none; run in the project's root folder"
        ) from None
    except (YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        line = f" line {place.line + 1}" if place else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{path}{line}: expected YAML, received {reason}; mend it") from None
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected sections such as `data:`, received {type(content).__name__}"
        )
    return parse(content, str(path))


def parse(content: dict[str, Any], where: str = "params.yaml") -> Params:
    """Check the content of a parameter file, given as nested dicts.

    Raises:
        InputError: as `load`.
    """
    params, problems = check(content, Params)
    problems += _task_b_problems(content)
    if problems or params is None:
        raise InputError(*(f"{where}: {problem}" for problem in problems))
    return params


def _task_b_problems(content: dict[str, Any]) -> list[str]:
    """Looks across two sections, so it reads them whether or not the rest is well-formed."""
    data, transfer = content.get("data"), content.get("transfer")
    if not isinstance(data, dict) or not isinstance(transfer, dict):
        return []
    names, chosen = KNOWN_CLASSES.get(str(data.get("name"))), transfer.get("task_b")
    if names is None or not isinstance(chosen, list):
        return []
    return class_problems(chosen, names)


def class_problems(chosen: Any, names: tuple[str, ...]) -> list[str]:
    """One line for each chosen class (label or name) that is not one of `names`, and one when
    the chosen classes leave fewer than two for task A."""
    unknown = [c for c in chosen if c not in names and c not in range(len(names))]
    problems = [
        f"transfer.task_b: expected a label from 0 to {len(names) - 1} or one of "
        f"{', '.join(names)}, received {c!r}{nearest(c, names)}"
        for c in unknown
    ]
    labels = [names.index(c) if c in names else c for c in chosen if c not in unknown]
    if not unknown and len(set(labels)) < len(labels):
        problems.append(
            f"transfer.task_b: expected different classes, received {chosen} "
            "(a label and its name are one class); name each once"
        )
    if not unknown and len(names) - len(labels) < 2:
        problems.append(
            f"transfer.task_b: expected to leave at least 2 of {len(names)} classes to task A, "
            f"received {len(labels)} classes; choose fewer"
        )
    return problems
