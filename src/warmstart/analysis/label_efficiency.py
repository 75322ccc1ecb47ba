"""How many labels a pretrained start is worth: B's accuracy against the number of labels."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from warmstart.analysis.series import Row
from warmstart.analysis.summary import Summary

BASELINE = "scratch"
"""The arm of `transfer` whose labels are counted."""


def rows(summaries: Mapping[int, Summary]) -> list[Row]:
    """One row per arm and number of labels, ascending: mean test accuracy over seeds, each with
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
        {
            "arm": arm,
            "labels": count,
            "test_accuracy": accuracy.mean,
            "low": accuracy.low,
            "high": accuracy.high,
        }
        for arm in sorted(common, key=lambda arm: (arm != BASELINE, arm))
        for count in sorted(summaries)
        for accuracy in [summaries[count].arms[arm].test_accuracy]
    ]


def answers(label_rows: Sequence[Row], name_of: Callable[[str], str]) -> list[str]:
    """A sentence per arm and number of labels: with how many the baseline is as accurate.

    Args:
        label_rows: of `rows`.
        name_of: an arm -> its name in words.
    """
    baseline = {r["labels"]: r["test_accuracy"] for r in label_rows if r["arm"] == BASELINE}
    parts: dict[str, list[str]] = {}
    for row in label_rows:
        if row["arm"] == BASELINE:
            continue
        worth = labels_worth(row["test_accuracy"], baseline)
        if worth is None:
            number = f"more than {max(baseline)}"
        elif worth <= min(baseline):
            number = f"{min(baseline)} or fewer"
        else:
            number = f"about {worth:.0f}"
        text = f"{row['labels']} labels equal scratch with {number}"
        parts.setdefault(row["arm"], []).append(text)
    return [f"{name_of(arm)}: {', '.join(texts)}." for arm, texts in parts.items()]


def labels_worth(accuracy: float, baseline: Mapping[int, float]) -> float | None:
    """The number of labels with which the baseline reaches `accuracy` on average, interpolated
    between those it was trained with on a logarithmic scale.

    Args:
        accuracy: mean over seeds, a share.
        baseline: number of labels -> mean accuracy. A number that does worse than a smaller one
            counts as good as that.

    Returns:
        None if the baseline never reaches it.
    """
    counts = sorted(baseline)
    reached = np.maximum.accumulate([baseline[count] for count in counts])
    if accuracy > reached[-1]:
        return None
    if accuracy <= reached[0]:
        return float(counts[0])
    place = int(np.argmax(reached >= accuracy))
    nearest = slice(place - 1, place + 1)
    return float(np.exp(np.interp(accuracy, reached[nearest], np.log(counts[nearest]))))
