"""Ranking, learning curves by epoch and by time, learning rates, and seeds side by side.

Every picture is given its arms with their slots, which fix colour and stroke (`style.palette`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl

from warmstart.analysis import series
from warmstart.analysis.style import (
    INK,
    MUTED,
    canvas,
    colour,
    error_scale,
    label_ends,
    plain_powers,
    stroke,
    to_svg,
)
from warmstart.analysis.summary import Summary
from warmstart.records import Record

WIDTH = 7.2  # inches; the page scales it


def ranking(summary: Summary, arms: Mapping[str, int], name: str) -> str:
    """A dot and its 95 % interval per arm, the best on top; hollow dots: told apart from it.

    Args:
        summary: of one study.
        arms: of the study, with their slots.
        name: of the picture, unique in the page.

    Returns:
        An SVG element.
    """
    rows = series.ranking(summary)
    smallest = 0.5 / summary.n_test
    figure, axis = canvas(WIDTH, 0.75 + 0.31 * len(rows))
    shown = [v for row in rows for v in (row["test_accuracy"], row["low"], row["high"]) if v]
    error_scale(axis, "x", [min(max(v, 0.0), 1 - smallest) for v in shown], smallest=smallest)
    best = rows[0]["test_accuracy"]
    axis.axvline(min(best, 1 - smallest), color=MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
    for place, row in enumerate(reversed(rows)):
        hue = colour(arms[row["arm"]])
        if row["low"] is not None:
            ends = [max(row["low"], 0.0), min(row["high"], 1 - smallest)]
            axis.plot(ends, [place, place], color=hue, linewidth=3, alpha=0.55)
        told_apart = row["verdict"] in ("better", "worse")
        dot = min(row["test_accuracy"], 1 - smallest)
        axis.plot([dot], [place], "o", color=hue, markersize=8.5)
        if told_apart:
            axis.plot([dot], [place], "o", color="white", markersize=4.2)
    axis.set_yticks(range(len(rows)), labels=[row["arm"] for row in reversed(rows)])
    axis.tick_params(axis="y", labelcolor=INK)
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("test accuracy, mean over seeds and 95 % interval")
    return to_svg(figure, name, f"Test accuracy of {len(rows)} arms, best on top")


def learning_curves(
    records: Sequence[Record],
    arms: Mapping[str, int],
    name: str,
    *,
    smallest: float,
    seconds: Mapping[str, float] | None = None,
) -> str:
    """Validation accuracy by epoch at each arm's chosen rate: mean over seeds, 95 % band.

    A cross ends a curve where a seed diverged. `smallest` is the smallest error worth showing.
    With `seconds` per epoch of each arm the axis is the time that training took.
    """
    rows = series.learning_curves(records)
    lengths = {arm: max(len(r.epochs["loss"]) for r in records if r.arm == arm) for arm in arms}
    pace = seconds or dict.fromkeys(arms, 1.0)
    figure, axis = canvas(WIDTH, 3.9)
    error_scale(axis, "y", [row["val_accuracy"] for row in rows] or [0.0], smallest=smallest)
    first, last = min(pace.values()), max(lengths[arm] * pace[arm] for arm in arms)
    axis.set_xlim(first, max(last, 2 * first))
    if seconds:
        axis.set_xscale("log")
    ends = {}
    for arm, slot in arms.items():
        curve = [row for row in rows if row["arm"] == arm]
        if not curve:
            continue
        places, means = [r["epoch"] * pace[arm] for r in curve], [r["val_accuracy"] for r in curve]
        axis.plot(places, means, color=colour(slot), linestyle=stroke(slot), linewidth=1.9)
        lows = [r["val_accuracy"] if r["low"] is None else max(r["low"], 0.0) for r in curve]
        highs = [r["val_accuracy"] if r["high"] is None else min(r["high"], 1.0) for r in curve]
        axis.fill_between(places, lows, highs, color=colour(slot), alpha=0.1, linewidth=0)
        if len(curve) < lengths[arm]:
            axis.plot(places[-1:], means[-1:], "x", color=colour(slot), markersize=9, mew=2)
        ends[arm] = (places[-1], means[-1])
    axis.set_xlabel("seconds of training" if seconds else "epoch")
    axis.set_ylabel("validation accuracy")
    if seconds:
        plain_powers(axis, "x")
    else:
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    axis.grid(visible=False, axis="x")
    label_ends(axis, ends, arms, gap=0.062)
    by = "seconds of training" if seconds else "epoch"
    return to_svg(figure, name, f"Validation accuracy by {by}, one curve per arm")


def learning_rates(
    records: Sequence[Record], arms: Mapping[str, int], name: str, *, smallest: float
) -> str:
    """Last validation accuracy by learning rate, one line per arm, the chosen rate ringed."""
    rows = series.learning_rates(records)
    figure, axis = canvas(WIDTH, 3.9)
    error_scale(axis, "y", [row["val_accuracy"] for row in rows], smallest=smallest)
    rates = sorted({row["learning_rate"] for row in rows})
    axis.set_xscale("log")
    axis.set_xlim(rates[0] / 1.15, rates[-1] * 1.15)
    axis.set_xticks(rates, labels=[f"{rate:g}" for rate in rates])
    axis.set_xticks([], minor=True)
    ends = {}
    for arm, slot in arms.items():
        line = [row for row in rows if row["arm"] == arm]
        points = [(r["learning_rate"], min(r["val_accuracy"], 1 - smallest)) for r in line]
        style: dict[str, Any] = {"color": colour(slot)}
        axis.plot(*zip(*points, strict=True), linestyle=stroke(slot), linewidth=1.9, **style)
        for point, row in zip(points, line, strict=True):
            axis.plot(*point, "o", markersize=9 if row["chosen"] else 3.5, clip_on=False, **style)
        ends[arm] = points[-1]
    axis.set_xlabel("learning rate")
    axis.set_ylabel("validation accuracy")
    label_ends(axis, ends, arms, gap=0.062)
    return to_svg(figure, name, "Validation accuracy by learning rate, one line per arm")


def seeds(
    records: Sequence[Record],
    arms: Mapping[str, int],
    names: Mapping[str, str],
    name: str,
    *,
    smallest: float,
) -> str:
    """Test accuracy of each seed under each arm: a thin line joins one seed, dots are trials.

    `names` says in words what each arm is.
    """
    rows = series.per_seed(records)
    order = list(arms)
    figure, axis = canvas(WIDTH, 3.6)
    error_scale(axis, "y", [row["test_accuracy"] for row in rows], smallest=smallest)
    for seed in sorted({row["seed"] for row in rows}):
        found = {row["arm"]: row["test_accuracy"] for row in rows if row["seed"] == seed}
        places = [i for i, arm in enumerate(order) if arm in found]
        heights = [min(found[order[i]], 1 - smallest) for i in places]
        axis.plot(places, heights, color=MUTED, linewidth=0.9, alpha=0.6)
        for place, height in zip(places, heights, strict=True):
            hue = colour(arms[order[place]])
            axis.plot([place], [height], "o", color=hue, markersize=6, alpha=0.8)
    for place, arm in enumerate(order):
        values = [row["test_accuracy"] for row in rows if row["arm"] == arm]
        level = min(sum(values) / len(values), 1 - smallest)
        axis.plot(
            [place - 0.13, place + 0.13], [level, level], color=colour(arms[arm]), linewidth=3.5
        )
    axis.set_xticks(range(len(arms)), labels=[names.get(arm, arm) for arm in arms])
    axis.tick_params(axis="x", labelcolor=INK)
    if len(arms) > 3:  # side by side the words would overlap
        axis.tick_params(axis="x", labelrotation=90)
    axis.set_xlim(-0.5, len(arms) - 0.5)
    axis.grid(visible=False, axis="x")
    axis.set_ylabel("test accuracy")
    return to_svg(figure, name, "Test accuracy of every seed under every arm")
