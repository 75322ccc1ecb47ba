"""How a network starts on a pretrained one: which layers are copied, and which learn when and how
fast.

The layers come in blocks (`networks.stack`), block 1 next to the inputs; the head is always new.
All strategies train for the same number of epochs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from warmstart.config.transfer import StrategyName, Transfer
from warmstart.networks.stack import HEAD, Stack
from warmstart.training.trials import Fitted, Phase

DISCRIMINATION = 2.6
"""Howard & Ruder 2018, section 3.2: each block learns 2.6 times slower than the one above it."""


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """Copies and phases, by the names of layers."""

    copied: tuple[str, ...]
    """Layers that start with the pretrained weights."""
    not_copied: tuple[str, ...]
    """The source's other layers: its head, and those that start afresh."""
    phases: tuple[Phase, ...]
    l2_sp: float = 0.0
    """As in `trials.Cohort`."""
    fitted: Fitted | None = None
    """As in `trials.Cohort`."""


def freeze_then_thaw(stack: Stack, options: Transfer, reused: int | None = None) -> Strategy:
    """The chapter's recipe: the copies stay frozen until what is new has learned, then all layers
    learn, at `thawed_factor` times the rate.

    With `reused`, only so many blocks are copied (Yosinski et al. 2014): 0 would be from scratch.
    """
    copied = _flat(stack.blocks[:reused])
    return _strategy(
        stack,
        copied,
        _phase(stack, options.frozen_epochs, frozen=copied),
        _phase(stack, options.thawed_epochs, options.thawed_factor),
    )


def head_only(stack: Stack, options: Transfer) -> Strategy:
    """The copies never learn: a linear model on A's features (Yosinski et al. 2014)."""
    copied = _flat(stack.blocks)
    return _strategy(stack, copied, _phase(stack, options.epochs, frozen=copied))


def thaw_at_once(stack: Stack, options: Transfer, reused: int | None = None) -> Strategy:
    """Everything learns from the first batch on, at the full rate."""
    return _strategy(stack, _flat(stack.blocks[:reused]), _phase(stack, options.epochs))


def gradual_thaw(stack: Stack, options: Transfer) -> Strategy:
    """The head alone, then one block more after the other from the top (Howard & Ruder 2018,
    section 3.3), each for an equal share of the thawed epochs."""
    count = len(stack.blocks)
    ends = [round(options.thawed_epochs * n / count) for n in range(count + 1)]
    steps = [
        _phase(stack, ends[n + 1] - ends[n], options.thawed_factor, _flat(stack.blocks[: -1 - n]))
        for n in range(count)
    ]
    copied = _flat(stack.blocks)
    return _strategy(stack, copied, _phase(stack, options.frozen_epochs, frozen=copied), *steps)


def discriminative(stack: Stack, options: Transfer) -> Strategy:
    """As `freeze_then_thaw`, but after the thaw each block learns slower than the one above it:
    η(l − 1) = η(l) / 2.6 (Howard & Ruder 2018, section 3.2)."""
    recipe = freeze_then_thaw(stack, options)
    slower = {
        layer: DISCRIMINATION ** -(len(stack.blocks) - position)
        for position, block in enumerate(stack.blocks)
        for layer in block
    }
    frozen, thawed = recipe.phases
    factors = tuple((layer, slower.get(layer, 1.0)) for layer, _ in thawed.layer_factors)
    return replace(recipe, phases=(frozen, replace(thawed, layer_factors=factors)))


def batch_norm_frozen(stack: Stack, options: Transfer) -> Strategy:
    """As `freeze_then_thaw`, but batch norm never thaws: it goes on with A's statistics."""
    recipe = freeze_then_thaw(stack, options)
    frozen, _ = recipe.phases
    thawed = _phase(stack, options.thawed_epochs, options.thawed_factor, stack.batch_norms)
    return replace(recipe, phases=(frozen, thawed))


def l2_sp(stack: Stack, options: Transfer) -> Strategy:
    """As `thaw_at_once`, with a penalty on the way from A's weights (Li, Grandvalet and Davoine
    2018, "Explicit Inductive Bias for Transfer Learning with Convolutional Networks")."""
    return replace(thaw_at_once(stack, options), l2_sp=options.l2_sp)


def surgical(stack: Stack, options: Transfer, block: int) -> Strategy:
    """As `freeze_then_thaw`, but block number `block` alone thaws, with the head (Lee et al. 2023,
    "Surgical Fine-Tuning Improves Adaptation to Distribution Shifts")."""
    recipe = freeze_then_thaw(stack, options)
    frozen, _ = recipe.phases
    still = _flat(own for number, own in enumerate(stack.blocks, start=1) if number != block)
    thawed = _phase(stack, options.thawed_epochs, options.thawed_factor, still)
    return replace(recipe, phases=(frozen, thawed))


def fitted(stack: Stack, head: Fitted) -> Strategy:
    """A `head` on A's features that is no network and learns in no epochs: `training.heads`."""
    return replace(_strategy(stack, _flat(stack.blocks), Phase(epochs=1)), fitted=head)


def strategies(
    source: Path, names: Sequence[StrategyName], options: Transfer
) -> Mapping[str, Strategy | str]:
    """How to start on the model at `source` by the strategies `names`, in their order; in
    place of a strategy that cannot be applied to it, the reason.

    Raises:
        InputError: as `Stack.read`.
    """
    stack = Stack.read(source)
    ways: dict[str, Strategy | str] = {}
    whole: dict[str, Callable[[Stack, Transfer], Strategy]] = {
        "freeze_then_thaw": freeze_then_thaw,
        "head_only": head_only,
        "thaw_at_once": thaw_at_once,
        "gradual_thaw": gradual_thaw,
        "discriminative": discriminative,
        "l2_sp": l2_sp,
    }
    for name in names:
        if name in whole:
            ways[name] = whole[name](stack, options)
        elif name == "linear" or name == "knn":
            ways[name] = fitted(stack, name)
        elif name == "batch_norm_frozen":
            ways[name] = (
                batch_norm_frozen(stack, options)
                if stack.batch_norms
                else f"{source} has no batch norm"
            )
        elif len(stack.blocks) == 1:
            ways[name] = f"{source} has a single hidden layer"
        elif name == "top_reinitialized":
            ways[name] = thaw_at_once(stack, options, reused=len(stack.blocks) - 1)
        elif name == "surgical":
            for block in range(1, len(stack.blocks) + 1):
                ways[f"surgical_{block}"] = surgical(stack, options, block)
        else:
            for count in range(1, len(stack.blocks)):
                ways[f"first_{count}"] = freeze_then_thaw(stack, options, reused=count)
    return ways


def _strategy(stack: Stack, copied: tuple[str, ...], *phases: Phase) -> Strategy:
    left = [layer for layer in (*_flat(stack.blocks), stack.head) if layer not in copied]
    return Strategy(
        copied=copied, not_copied=tuple(left), phases=tuple(p for p in phases if p.epochs)
    )


def _phase(stack: Stack, epochs: int, factor: float = 1.0, frozen: tuple[str, ...] = ()) -> Phase:
    layers = (*_flat(stack.blocks), HEAD)
    return Phase(
        epochs=epochs,
        learning_rate_factor=factor,
        layer_factors=tuple((layer, float(layer not in frozen)) for layer in layers),
    )


def _flat(blocks: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(layer for block in blocks for layer in block)
