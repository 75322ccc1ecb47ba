"""Numbers as readers see them."""

from collections.abc import Sequence

from warmstart.analysis.summary import Interval


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def accuracy(value: Interval) -> str:
    """`97.1 % (96.3 to 97.9)`."""
    if value.low is None or value.high is None:
        return percent(value.mean)
    return f"{percent(value.mean)} ({100 * value.low:.1f} to {100 * value.high:.1f})"


def points(value: Interval) -> str:
    """A difference of accuracies, in percentage points."""
    text = f"{100 * value.mean:+.1f} points"
    if value.low is None or value.high is None:
        return text
    return f"{text} ({100 * value.low:+.1f} to {100 * value.high:+.1f})"


def factor(value: Interval) -> str:
    if value.low is None or value.high is None:
        return f"{value.mean:.2f}"
    return f"{value.mean:.2f} ({value.low:.2f} to {value.high:.2f})"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
