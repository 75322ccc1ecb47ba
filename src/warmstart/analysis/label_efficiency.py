"""How many labels a pretrained start is worth: B's test against the number of labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from warmstart.analysis.figures.rows import Row
from warmstart.analysis.labels import label
from warmstart.analysis.results import REFERENCES
from warmstart.analysis.summary import Summary
from warmstart.metrics import METRICS

BASELINE = REFERENCES["transfer"]
"""The arm whose labels are counted."""


def rows(summaries: Mapping[int, Summary]) -> list[Row]:
    """One row per arm and number of labels, ascending: mean of the test over seeds, each with
    labels of its own, and its interval; the baseline first.

    Args:
        summaries: number of labels -> what the study with so many says.

    Returns:
        No rows unless there are two numbers of labels.
    """
    if len(summaries) < 2:
        return []
    common = set.intersection(*(set(summary.arms) for summary in summaries.values()))
    return [
        {"arm": arm, "labels": count}
        | {f"test_{summaries[count].metric}": summaries[count].arms[arm].test.mean}
        for arm in sorted(common, key=lambda arm: (arm != BASELINE, arm))
        for count in sorted(summaries)
        if summaries[count].arms[arm].test.n
    ]


def answers(label_rows: Sequence[Row], metric: str = "accuracy") -> list[str]:
    """From the rows of `rows`, a sentence per arm: with how many labels the baseline is as good as
    the arm with each number of them."""
    gains: dict[str, dict[int, float]] = {}
    for row in label_rows:
        gain = METRICS[metric].gain(row[f"test_{metric}"])
        gains.setdefault(row["arm"], {})[row["labels"]] = gain
    if not (baseline := gains.pop(BASELINE, {})):
        return []
    return [
        f"{label(arm)}: "
        + ", ".join(
            f"{count} labels equal scratch with {_worth_in_words(gain, baseline)}"
            for count, gain in by_count.items()
        )
        + "."
        for arm, by_count in gains.items()
    ]


def _worth_in_words(gain: float, baseline: Mapping[int, float]) -> str:
    worth = labels_worth(gain, baseline)
    if worth is None:
        return f"more than {max(baseline)}"
    return f"{min(baseline)} or fewer" if worth <= min(baseline) else f"about {worth:.0f}"


def labels_worth(gain: float, baseline: Mapping[int, float]) -> float | None:
    """The number of labels with which the baseline reaches `gain` on average, interpolated
    between those it was trained with on a logarithmic scale.

    Args:
        gain: mean over seeds, of the metric that decides.
        baseline: number of labels -> mean gain. A number that does worse than a smaller one
            counts as good as that.

    Returns:
        None if the baseline never reaches it.
    """
    counts = sorted(baseline)
    reached = np.maximum.accumulate([baseline[count] for count in counts])
    if gain > reached[-1]:
        return None
    if gain <= reached[0]:
        return float(counts[0])
    place = int(np.argmax(reached >= gain))
    nearest = slice(place - 1, place + 1)
    return float(np.exp(np.interp(gain, reached[nearest], np.log(counts[nearest]))))
