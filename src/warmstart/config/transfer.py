"""The section `transfer` of params.yaml: model B, from scratch and on pretrained layers."""

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from warmstart.config import limits
from warmstart.config.model_a import ModelA, named
from warmstart.config.study import LearningRates, Repetitions
from warmstart.config.values import Count, Epochs, Frozen, Positive

StrategyName = Literal[
    "freeze_then_thaw", "head_only", "thaw_at_once", "gradual_thaw", "discriminative",
    "first_layers", "top_reinitialized", "batch_norm_frozen", "surgical", "l2_sp",
    "linear", "knn",
]  # fmt: skip
"""How B starts on pretrained layers, see `training.strategies`."""
_STRATEGIES = len(get_args(StrategyName))
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
