"""Activations and gradients over depth."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd

from warmstart.analysis import series
from warmstart.analysis.style import canvas, colour, label_ends, plain_powers, stroke, to_svg

WIDTH = 7.2  # inches; the page scales it

QUANTITIES = {
    "activation_deviation": "deviation of activations",
    "output_gradient": "back-propagated gradient, root mean square",
}


def profiles(frame: pd.DataFrame, slots: Mapping[str, int], name: str) -> Iterator[tuple[str, str]]:
    """An SVG element and its caption for each quantity and each depth that networks have.

    Args:
        frame: rows of one study, as `diagnostics.read` gives them.
        slots: of all its networks, which fix colour and stroke (`style.palette`).
        name: starts the pictures' names, unique in the page.
    """
    rows = series.layers(frame)
    for depth in sorted({row["depth"] for row in rows}):
        members = [row for row in rows if row["depth"] == depth]
        for column, words in QUANTITIES.items():
            trained = any(row["look"] == "last" for row in members)
            caption = f"{words.capitalize()} over {depth} hidden layers at initialization"
            caption += "; pale: after training." if trained else "."
            yield (
                _over_depth(members, column, words, slots, f"{name}-{column}-{depth}", caption),
                caption,
            )


def _over_depth(
    rows: Sequence[dict[str, Any]],
    column: str,
    words: str,
    slots: Mapping[str, int],
    name: str,
    caption: str,
) -> str:
    """One line per network on a logarithmic scale; what is 0 or no finite number is left out."""
    figure, axis = canvas(WIDTH, 3.9)
    axis.set_yscale("log")
    ends = {}
    for arm, slot in slots.items():
        style: dict[str, Any] = {"color": colour(slot), "linestyle": stroke(slot)}
        for look, width, alpha in (("last", 3.2, 0.35), ("first", 1.9, 1.0)):
            points = [
                (row["layer"], row[column])
                for row in rows
                if row["arm"] == arm and row["look"] == look and row[column]
            ]
            if points:
                axis.plot(*zip(*points, strict=True), linewidth=width, alpha=alpha, **style)
                ends[arm] = points[-1]
    axis.set_xlim(1, max(row["layer"] for row in rows))
    axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    axis.grid(visible=False, axis="x")
    axis.set_xlabel("hidden layer")
    axis.set_ylabel(words)
    plain_powers(axis, "y")
    label_ends(axis, ends, slots, gap=0.062)
    return to_svg(figure, name, caption)
