"""How many labels a pretrained start is worth: B's accuracy against the number of labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from warmstart.analysis.plots import WIDTH
from warmstart.analysis.style import canvas, colour, error_scale, label_ends, stroke, to_svg
from warmstart.analysis.summary import Summary

Row = dict[str, Any]
SCRATCH = "scratch"


def rows(summaries: Mapping[int, Summary]) -> list[Row]:
    """One row per arm and number of labels, ascending: mean test accuracy over seeds, each with
    labels of its own, and its interval.

    Args:
        summaries: number of labels -> what the study with so many says.
    """
    counts = sorted(summaries)
    common = [a for a in summaries[counts[0]].arms if all(a in s.arms for s in summaries.values())]
    return [
        {
            "arm": arm,
            "labels": count,
            "test_accuracy": found.mean,
            "low": found.low,
            "high": found.high,
        }
        for arm in sorted(common, key=lambda arm: (arm != SCRATCH, arm))
        for count in counts
        for found in [summaries[count].arms[arm].test_accuracy]
    ]


def answers(found: Sequence[Row], words: Callable[[str], str]) -> list[str]:
    """A sentence per arm and number of labels: with how many scratch is as accurate on average."""
    scratch = {r["labels"]: r["test_accuracy"] for r in found if r["arm"] == SCRATCH}
    sentences = []
    for arm in dict.fromkeys(r["arm"] for r in found if r["arm"] != SCRATCH):
        parts = []
        for row in (r for r in found if r["arm"] == arm):
            worth = labels_worth(row["test_accuracy"], scratch)
            if worth is None:
                text = f"more than {max(scratch)}"
            elif worth <= min(scratch):
                text = f"{min(scratch)} or fewer"
            else:
                text = f"about {worth:.0f}"
            parts.append(f"{row['labels']} labels equal scratch with {text}")
        sentences.append(f"{words(arm)}: {', '.join(parts)}.")
    return sentences


def labels_worth(accuracy: float, scratch: Mapping[int, float]) -> float | None:
    """The number of labels with which scratch reaches `accuracy` on average, interpolated between
    those it was trained with (`scratch`, number -> mean accuracy) on a logarithmic scale; None if
    it never does. A count that does worse than a smaller one counts as good as that."""
    counts = sorted(scratch)
    reached = np.maximum.accumulate([scratch[count] for count in counts])
    if accuracy > reached[-1]:
        return None
    place = int(np.argmax(reached >= accuracy))
    if place == 0:
        return float(counts[0])
    share = (accuracy - reached[place - 1]) / (reached[place] - reached[place - 1])
    low, high = np.log(counts[place - 1]), np.log(counts[place])
    return float(np.exp(low + share * (high - low)))


def picture(found: Sequence[Row], arms: Mapping[str, int], name: str, *, smallest: float) -> str:
    """Mean test accuracy by number of labels, one line per arm with its 95 % band, as SVG.

    `arms` says which colour each arm has in the page, by number.
    """
    figure, axis = canvas(WIDTH, 3.9)
    lows = [row["test_accuracy"] if row["low"] is None else max(row["low"], 0.0) for row in found]
    error_scale(axis, "y", [*lows, *(r["test_accuracy"] for r in found)], smallest=smallest)
    counts = sorted({row["labels"] for row in found})
    axis.set_xscale("log")
    axis.set_xlim(counts[0] / 1.1, counts[-1] * 1.1)
    axis.set_xticks(counts, labels=[str(count) for count in counts])
    axis.set_xticks([], minor=True)
    ends = {}
    for arm in dict.fromkeys(row["arm"] for row in found):
        index = arms[arm]
        line = [row for row in found if row["arm"] == arm]
        x = [row["labels"] for row in line]
        y = [min(row["test_accuracy"], 1 - smallest) for row in line]
        axis.plot(x, y, "o", linestyle=stroke(index), color=colour(index), markersize=4)
        low = [r["test_accuracy"] if r["low"] is None else max(r["low"], 0.0) for r in line]
        high = [r["test_accuracy"] if r["high"] is None else min(r["high"], 1.0) for r in line]
        axis.fill_between(x, low, high, color=colour(index), alpha=0.1, linewidth=0)
        ends[arm] = (x[-1], y[-1])
    axis.set_xlabel("labels of task B")
    axis.set_ylabel("test accuracy")
    label_ends(axis, ends, arms, gap=0.062)
    return to_svg(figure, name, "Test accuracy by number of labels, one line per arm")
