"""The critical-difference diagram."""

from collections.abc import Mapping

from warmstart.analysis.style import INK, MUTED, canvas, colour, to_svg
from warmstart.analysis.summary import Summary

WIDTH = 7.2  # inches; the page scales it
_STEP = 0.27  # inches between two lines


def critical_differences(summary: Summary, arms: Mapping[str, int], name: str) -> str:
    """Arms by mean rank, best on the left, over bars that join what cannot be told apart.

    After Demšar (2006), "Statistical comparisons of classifiers over multiple data sets", with
    seeds for data sets. The bars are the study's groups of ties, by paired t-tests with Holm's
    correction, and not Nemenyi's test of the ranks, whose outcome for two arms depends on which
    others are in the study (Benavoli et al. 2016). A dot on a bar is an arm that belongs to it.

    Args:
        summary: of one study.
        arms: of the study, with their slots.
        name: of the picture, unique in the page.

    Returns:
        An SVG element.
    """
    ranks = {arm: found.mean_rank for arm, found in summary.arms.items()}
    order = sorted(ranks, key=lambda arm: ranks[arm])
    bars = [group for group in summary.groups if len(group) > 1]
    half = (len(order) + 1) // 2
    depth = len(bars) + half + 1
    figure, axis = canvas(WIDTH, 0.75 + _STEP * depth)
    for line, group in enumerate(bars, start=1):
        places = [ranks[arm] for arm in group]
        axis.plot([min(places), max(places)], [-line, -line], color=INK, linewidth=2.5)
        for arm in group:
            axis.plot([ranks[arm]], [-line], "o", color=colour(arms[arm]), markersize=6)
    count = len(order)
    for number, arm in enumerate(order):
        left = number < half
        line = len(bars) + 1 + (number if left else count - 1 - number)
        edge = 1 - 0.03 * (count - 1) if left else count + 0.03 * (count - 1)
        hue = colour(arms[arm])
        axis.plot([ranks[arm], ranks[arm], edge], [0, -line, -line], color=hue, linewidth=1.2)
        axis.plot([ranks[arm]], [0], "o", color=hue, markersize=6, clip_on=False)
        label = f"{arm} {ranks[arm]:.1f}" if left else f"{ranks[arm]:.1f} {arm}"
        axis.annotate(
            label,
            xy=(edge, -line),
            xytext=(-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=10,
            color=INK,
            annotation_clip=False,
        )
    axis.set_xlim(1, max(count, 2))
    axis.set_ylim(-depth, 0.4)
    axis.xaxis.set_ticks_position("top")
    axis.xaxis.set_label_position("top")
    axis.set_xticks(range(1, count + 1))
    axis.set_xlabel("mean rank over seeds")
    axis.set_yticks([])
    axis.grid(visible=False)
    axis.axhline(0, color=MUTED, linewidth=0.9)
    axis.spines["bottom"].set_visible(False)
    return to_svg(figure, name, f"Mean ranks of {count} arms, bars join what cannot be told apart")
