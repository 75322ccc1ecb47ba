"""Numbers as readers see them."""

from collections.abc import Mapping, Sequence

from warmstart.analysis.summary import Interval


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def accuracy(value: Interval) -> str:
    """`97.1 % (96.3 to 97.9)`."""
    if value.low is None or value.high is None:
        return percent(value.mean)
    return f"{percent(value.mean)} ({100 * value.low:.1f} to {100 * value.high:.1f})"


def signed(share: float) -> str:
    """In points, without the word."""
    return f"{100 * share:+.1f}"


def points(value: Interval) -> str:
    """A difference of accuracies, in percentage points."""
    text = f"{100 * value.mean:+.1f} points"
    if value.low is None or value.high is None:
        return text
    return f"{text} ({100 * value.low:+.1f} to {100 * value.high:+.1f})"


def errors(factor: Interval) -> str:
    """How many times fewer errors, or more where the `factor` of `Contrast` is below 1: `1.7 times
    fewer errors (1.1 to 2.6)`."""
    mean, low, high, word = factor.mean, factor.low, factor.high, "fewer"
    if mean < 1:
        mean, word = 1 / mean, "more"
        low, high = (1 / end if end else None for end in (factor.high, factor.low))
    text = f"{mean:.2f} times {word} errors"
    return text if low is None or high is None else f"{text} ({low:.2f} to {high:.2f})"


def rates(chosen: Mapping[str, int]) -> str:
    """`0.1 × 6, 0.3 × 2`: learning rates and the number of seeds that chose them."""
    if len(chosen) == 1:
        return next(iter(chosen))
    return ", ".join(f"{rate} × {count}" for rate, count in chosen.items())


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
