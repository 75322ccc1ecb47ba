"""What settings come to in trials and weights, counted before any is made."""

from collections.abc import Iterator
from itertools import pairwise

from warmstart.config import limits


def beyond(where: str, *, arms: int, rates: int, seeds: int, epochs: int) -> Iterator[str]:
    """A line where arms × rates × seeds are more trials than may be, or train longer."""
    trials = arms * rates * seeds
    product = f"{arms:,} arms × {rates:,} learning rates × {seeds:,} seeds"
    if trials > limits.TRIALS:
        yield (
            f"{where}: expected at most {limits.TRIALS:,} trials, received {trials:,} ({product}); "
            "take fewer of these"
        )
    elif trials * epochs > limits.TRIAL_EPOCHS:
        yield (
            f"{where}: expected at most {limits.TRIAL_EPOCHS:,} epochs of all trials, received "
            f"{trials * epochs:,} ({product} × {epochs:,} epochs); take fewer of these"
        )


def too_large(where: str, sizes: tuple[int, ...], weights: int = 0) -> Iterator[str]:
    """A line where dense layers of these `sizes`, and `weights` ahead of them, are more weights
    than may be."""
    weights += sum(one * other for one, other in pairwise(sizes))
    if weights > limits.WEIGHTS:
        yield (
            f"{where}: expected at most {limits.WEIGHTS:,} weights between layers, received "
            f"{weights:,}; make them narrower, or fewer"
        )
