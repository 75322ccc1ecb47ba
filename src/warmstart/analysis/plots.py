"""The pictures: lines over an axis, the ranking, seeds side by side, critical differences.

Each is an `<svg>` element, drawn from rows of `series`, the `slots` of their arms, which fix colour
and stroke (`style.palette`), and a `name` that is unique in the page. `smallest` is the smallest
error worth showing where shares are drawn.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

from warmstart.analysis.answers import arm_name
from warmstart.analysis.series import Row
from warmstart.analysis.style import (
    INK,
    MUTED,
    canvas,
    colour,
    error_scale,
    label_ends,
    page_style,
    pen,
    plain_powers,
    ticks,
    to_svg,
    verbatim,
)
from warmstart.metrics import Metric


@dataclass(frozen=True)
class Ruler:
    """An axis of a picture of lines."""

    key: str
    """The column of the rows that it shows."""
    label: str
    scale: Literal["whole", "log", "values", "error", "linear"]
    """`whole` numbers; `log`: logarithmic; `values`: logarithmic, with a tick at each value;
    `error`: shares, equal steps are equal factors of the error; `linear`."""


def ruler(key: str, label: str, metric: Metric) -> Ruler:
    """An axis of `metric`: of shares and of errors equal steps are equal factors of the error."""
    if metric.form == "share":
        return Ruler(key, label, "error")
    return Ruler(key, label, "linear" if metric.higher_is_better else "log")


EPOCHS = Ruler("epoch", "epoch", "whole")
SECONDS = Ruler("seconds", "seconds of training", "log")
RATES = Ruler("learning_rate", "learning rate", "values")
LABELS = Ruler("labels", "labels of task B", "values")
LAYERS = Ruler("layer", "hidden layer", "whole")
QUANTITIES = (
    Ruler("activation_deviation", "deviation of activations", "log"),
    Ruler("output_gradient", "back-propagated gradient, root mean square", "log"),
)
"""What is shown over the layers of a network."""


@page_style()
def lines(
    rows: Sequence[Row],
    slots: Mapping[str, int],
    name: str,
    x: Ruler,
    y: Ruler,
    *,
    smallest: float = 0.0,
    description: str = "",
    crossed: Collection[str] = (),
) -> str:
    """One line per arm, its name at its end.

    Args:
        rows: points with an `arm`, in the order of the line. Where they have `low` and `high`
            these are a band; `chosen` tells large dots from small ones on an axis of values; where
            `look` is `last` the line is pale, beside the one of the first look.
        slots: of the arms.
        name: of the picture.
        x: the horizontal axis.
        y: the vertical axis; on a logarithmic one what is not positive is left out.
        smallest: error worth showing, where y is a share.
        description: for those who do not see it; empty: what both axes say.
        crossed: arms whose line ends in a cross: a trial diverged.
    """
    figure, axis = canvas(3.9)
    rows = [row for row in rows if y.scale in ("error", "linear") or row[y.key]]
    _rule(axis, rows, x, y, smallest)
    ends = {}
    for arm in dict.fromkeys(row["arm"] for row in rows):
        for pale in (True, False):
            line = [r for r in rows if r["arm"] == arm and (r.get("look") == "last") == pale]
            if line:
                _line(axis, line, slots[arm], x, y, pale=pale)
                ends[arm] = line[-1][x.key], line[-1][y.key]
        if arm in crossed:
            axis.plot(*ends[arm], "x", color=colour(slots[arm]), markersize=9, mew=2)
    if y.scale == "log":
        plain_powers(axis, "y")
    label_ends(axis, ends, slots)
    described = f"{_headed(y)} by {x.label}, one line per arm"
    return to_svg(figure, name, description or described)


def _rule(axis: Axes, rows: Sequence[Row], x: Ruler, y: Ruler, smallest: float) -> None:
    """Scales, limits and labels of both axes, so that all of `rows` fit."""
    axis.set(xlabel=x.label, ylabel=y.label)
    columns = (y.key, "low") if x.scale == "values" else (y.key,)
    fit = [row[column] for row in rows for column in columns if row.get(column) is not None]
    measure_axis(axis, "y", y, fit, smallest)
    places = sorted({row[x.key] for row in rows}) or [1]
    if x.scale == "values":
        axis.set(xscale="log", xlim=(places[0] / 1.15, places[-1] * 1.15))
        ticks(axis, "x", {place: f"{place:g}" for place in places})
        return
    axis.grid(visible=False, axis="x")
    axis.set_xlim(places[0], max(places[-1], 2 * places[0]))
    if x.scale == "log":
        axis.set_xscale("log")
        plain_powers(axis, "x")
    else:
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))


def measure_axis(
    axis: Axes, which: Literal["x", "y"], along: Ruler, fit: Sequence[float], smallest: float
) -> None:
    """The scale of an axis of values, on which all of `fit` is seen."""
    if along.scale == "error":
        error_scale(axis, which, fit or [0.0], smallest=smallest)
    elif along.scale == "log":
        getattr(axis, f"set_{which}scale")("log")


def _line(axis: Axes, line: Sequence[Row], slot: int, x: Ruler, y: Ruler, *, pale: bool) -> None:
    places, heights = [row[x.key] for row in line], [row[y.key] for row in line]
    width, alpha = (3.2, 0.35) if pale else (1.9, 1.0)
    axis.plot(places, heights, linewidth=width, alpha=alpha, **pen(slot))
    if "low" in line[0]:
        low, high = (
            [row[y.key] if row[end] is None else row[end] for row in line]
            for end in ("low", "high")
        )
        axis.fill_between(places, low, high, color=colour(slot), alpha=0.1, linewidth=0)
    if x.scale == "values":
        for place, height, row in zip(places, heights, line, strict=True):
            size = 9 if row.get("chosen") else 3.5
            axis.plot(place, height, "o", color=colour(slot), markersize=size, clip_on=False)


@page_style()
def ranking(
    rows: Sequence[Row], slots: Mapping[str, int], name: str, *, along: Ruler, smallest: float
) -> str:
    """A dot and its 95 % interval per arm, the best on top; a hollow dot differs from the best.
    `along` is the axis of the test."""
    figure, axis = canvas(0.75 + 0.31 * len(rows))
    shown = [v for row in rows for v in (row[along.key], row["low"], row["high"]) if v]
    measure_axis(axis, "x", along, shown, smallest)
    axis.axvline(rows[0][along.key], color=MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
    for place, row in enumerate(reversed(rows)):
        hue = colour(slots[row["arm"]])
        if row["low"] is not None:
            axis.plot([row["low"], row["high"]], [place] * 2, color=hue, linewidth=3, alpha=0.55)
        axis.plot(row[along.key], place, "o", color=hue, markersize=8.5)
        if row["verdict"] in ("better", "worse"):
            axis.plot(row[along.key], place, "o", color="white", markersize=4.2)
    if along.scale == "log":
        plain_powers(axis, "x")
    axis.set_yticks(range(len(rows)), labels=[verbatim(row["arm"]) for row in reversed(rows)])
    axis.tick_params(axis="y", labelcolor=INK)
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel(f"{along.label}, mean over seeds and 95 % interval")
    return to_svg(figure, name, f"{_headed(along)} of {len(rows)} arms, best on top")


def _headed(along: Ruler) -> str:
    """Its label at the head of a sentence: `Test accuracy`, `Test RMSE of price`."""
    return f"{along.label[:1].upper()}{along.label[1:]}"


@page_style()
def seeds(
    rows: Sequence[Row], slots: Mapping[str, int], name: str, *, along: Ruler, smallest: float
) -> str:
    """The test of each seed under each arm: a thin line joins one seed, dots are trials."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    table = pd.DataFrame(rows).pivot(index="seed", columns="arm", values=along.key)[arms]
    figure, axis = canvas(3.6)
    measure_axis(axis, "y", along, [row[along.key] for row in rows], smallest)
    axis.plot(table.T.to_numpy(), color=MUTED, linewidth=0.9, alpha=0.6)
    for place, arm in enumerate(arms):
        hue, values = colour(slots[arm]), table[arm]
        mean = values.mean()
        axis.plot([place] * len(values), values, "o", color=hue, markersize=6, alpha=0.8)
        axis.plot([place - 0.13, place + 0.13], [mean, mean], color=hue, linewidth=3.5)
    if along.scale == "log":
        plain_powers(axis, "y")
    axis.set_xticks(range(len(arms)), labels=[verbatim(arm_name(arm)) for arm in arms])
    axis.tick_params(axis="x", labelcolor=INK)
    if len(arms) > 3:  # side by side the words would overlap
        axis.tick_params(axis="x", labelrotation=90)
    axis.set_xlim(-0.5, len(arms) - 0.5)
    axis.grid(visible=False, axis="x")
    axis.set_ylabel(along.label)
    return to_svg(figure, name, f"{_headed(along)} of every seed under every arm")


@page_style()
def critical_differences(
    rows: Sequence[Row], groups: Sequence[Sequence[str]], slots: Mapping[str, int], name: str
) -> str:
    """Arms by mean rank, best on the left, over bars that join arms that do not differ.

    After Demšar (2006), "Statistical comparisons of classifiers over multiple data sets", with
    seeds for data sets. The bars are the study's `groups`, by one pooled error and the
    studentized range, and not Nemenyi's test of the ranks, whose outcome for two arms depends on
    which others are in the study (Benavoli et al. 2016). A dot on a bar is an arm that belongs
    to it.
    """
    ranks = dict(sorted(((r["arm"], r["mean_rank"]) for r in rows), key=lambda item: item[1]))
    bars = [group for group in groups if len(group) > 1]
    count, half = len(ranks), (len(ranks) + 1) // 2
    lowest = len(bars) + half + 1
    figure, axis = canvas(0.75 + 0.27 * lowest)
    for line, group in enumerate(bars, start=1):
        places = [ranks[arm] for arm in group]
        axis.plot([min(places), max(places)], [-line, -line], color=INK, linewidth=2.5)
        for arm in group:
            axis.plot(ranks[arm], -line, "o", color=colour(slots[arm]), markersize=6)
    for number, (arm, rank) in enumerate(ranks.items()):
        left = number < half
        line = len(bars) + 1 + (number if left else count - 1 - number)
        edge = 1 - 0.03 * (count - 1) if left else count + 0.03 * (count - 1)
        hue = colour(slots[arm])
        axis.plot([rank, rank, edge], [0, -line, -line], color=hue, linewidth=1.2)
        axis.plot(rank, 0, "o", color=hue, markersize=6, clip_on=False)
        axis.annotate(
            verbatim(f"{arm} {rank:.1f}" if left else f"{rank:.1f} {arm}"),
            xy=(edge, -line),
            xytext=(-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=10,
            color=INK,
            annotation_clip=False,
        )
    axis.axhline(0, color=MUTED, linewidth=0.9)
    axis.set(xlim=(1, max(count, 2)), ylim=(-lowest, 0.4))
    axis.set(xlabel="mean rank over seeds", xticks=range(1, count + 1), yticks=[])
    axis.xaxis.set_ticks_position("top")
    axis.xaxis.set_label_position("top")
    axis.grid(visible=False)
    axis.spines["bottom"].set_visible(False)
    return to_svg(figure, name, f"Mean ranks of {count} arms, bars join what cannot be told apart")
