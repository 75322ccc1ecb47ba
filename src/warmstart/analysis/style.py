"""How every picture looks: one colour per arm, readable in light and in dark, the same bytes
for the same numbers.

matplotlib draws with stand-in colours; in the SVG they become CSS variables, which the page
defines once for light and once for dark. Text stays text and takes the font of the page.
"""

import io
import itertools
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.optimize import isotonic_regression

# Okabe & Ito, "Color Universal Design" (2008), told apart with every kind of colour vision. Their
# yellow is unreadable on white: an ochre here. Their black is the page's own ink.
_HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c7a00")
_HUES_ON_DARK = ("#4ba3e3", "#f0803c", "#2fc79a", "#e39bc4", "#f2b73f", "#8fd0f5", "#c9b840")
STROKES: tuple[object, ...] = ("solid", (0, (5, 2)), (0, (1.5, 1.5)))
"""After seven arms the hues come round again, darker and drawn by another stroke."""


def _with_darker(hues: Sequence[str]) -> tuple[str, ...]:
    """Also 65 % of each: as far from the others as they come, and readable on a dark page."""
    return (*hues, *(f"#{bytes(c * 65 // 100 for c in bytes.fromhex(h[1:])).hex()}" for h in hues))


LIGHT, DARK = _with_darker(_HUES), _with_darker(_HUES_ON_DARK)
"""Colours of arms as `#rrggbb`, by slot: on a white page, and the same arms' on a dark one."""

INK, MUTED, RULE = "#010203", "#010204", "#010205"
WIDTH_INCHES = 7.2
"""Of every picture; the page scales it."""
LABEL_GAP = 0.062
"""Least distance between two names beside a picture of lines, as a share of its axis's height."""

_ERRORS = (0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005)
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 11,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "lines.solid_capstyle": "round",
} | {f"{axis}tick.{kind}.size": 0 for axis in "xy" for kind in ("major", "minor")}


@contextmanager
def page_style() -> Iterator[None]:
    """Draw in the page's style, whatever the user's matplotlibrc or notebook has set."""
    own = mpl.rcParamsDefault.items()
    with mpl.rc_context({k: v for k, v in own if not k.startswith("backend")} | _RC):
        yield


def palette(studies: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """Each study's arms with their slots, from which `colour`, `variable` and `pen` follow.

    An arm keeps its slot in every study that has an arm of this name, unless another arm of that
    study came with the same slot. A new arm takes the first slot that is free in its study.
    """
    known: dict[str, int] = {}
    slots_by_study = {}
    for study, arms in studies.items():
        kept = {known[arm]: arm for arm in reversed(arms) if arm in known}
        slots = {arm: slot for slot, arm in kept.items()}
        free = (slot for slot in itertools.count() if slot not in kept)
        slots_by_study[study] = {arm: slots[arm] if arm in slots else next(free) for arm in arms}
        known |= slots_by_study[study]
    return slots_by_study


def colour(slot: int) -> str:
    """The colour of a slot on a white page, as `#rrggbb`; fourteen slots differ."""
    return LIGHT[slot % len(LIGHT)]


def variable(slot: int) -> str:
    """The CSS value by which a page shows the same colour, in light and in dark."""
    return f"var(--arm-{slot % len(LIGHT)})"


def variables(hues: Sequence[str]) -> str:
    """CSS declarations that define what `variable` refers to, from LIGHT or DARK."""
    return "; ".join(f"--arm-{slot}: {hue}" for slot, hue in enumerate(hues))


def pen(slot: int) -> dict[str, Any]:
    """Colour and stroke of a slot's lines, as matplotlib takes them."""
    return {"color": colour(slot), "linestyle": STROKES[slot // len(_HUES) % len(STROKES)]}


def canvas(height_inches: float) -> tuple[Figure, Axes]:
    """An empty picture, within `page_style`."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    return figure, figure.add_subplot()


def to_svg(figure: Figure, name: str, description: str) -> str:
    """An `<svg>` element, the same bytes for the same `figure` on a `canvas`.

    All identifiers in it start with `name`, so that a page can hold several; `description` is for
    those who do not see it.
    """
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        # text stays text, and is drawn in the fonts of whoever looks at it
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)[^>]*>.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"(?m) +$", "", svg)
    page_colours = {INK: "currentColor", MUTED: "var(--muted)", RULE: "var(--rule)"}
    page_colours |= {hue: variable(slot) for slot, hue in enumerate(LIGHT)}
    # as values of attributes: a text may hold such a word, too
    stand_ins = re.compile(rf"(?<=[\": ])({'|'.join(page_colours)})(?=[\";])")
    svg = stand_ins.sub(lambda match: page_colours[match[1]], svg)
    width, height = figure.get_size_inches() * 72
    label = escape(description)
    head = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}"'
    return re.sub(r"<svg [^>]*", lambda _: head, svg, count=1)


def error_scale(
    axis: Axes, which: Literal["x", "y"], accuracies: Sequence[float], *, smallest: float
) -> None:
    """Make an axis of accuracies on which equal steps are equal factors of the error.

    Between 96 and 98 % the error halves, as it does between 60 and 80 %: on a linear axis the
    first is invisible beside an arm that does not learn. All `accuracies` (shares) fit. The scale
    ends at the error `smallest`, since no error at all lies infinitely far away; an accuracy beyond
    it is drawn there.
    """

    def forward(accuracy: np.ndarray) -> np.ndarray:
        return -np.log10(np.maximum(1 - np.asarray(accuracy), smallest))

    def inverse(position: np.ndarray) -> np.ndarray:
        return 1 - 10.0 ** -np.asarray(position)

    errors = np.clip(1 - np.asarray(accuracies), smallest, 1)
    low, high = max(min(errors) / 1.15, smallest * 0.999), min(max(errors) * 1.15, 1.0)
    steps = _ERRORS if high / low > 20 else (*_ERRORS, 0.7, 0.3, 0.03)
    shown = sorted(1 - e for e in steps if low <= e <= high) or [1 - high, 1 - low]
    getattr(axis, f"set_{which}scale")("function", functions=(forward, inverse))
    axis.set(**{f"{which}lim": (1 - high, 1 - low)})
    ticks(axis, which, {value: f"{100 * value:.4g} %" for value in shown})


def verbatim(name: str) -> str:
    """What matplotlib draws as `name`: dollars in it would enclose a formula."""
    return name.replace("$", r"\$")


def ticks(axis: Axes, which: Literal["x", "y"], labels: Mapping[float, str]) -> None:
    """Ticks of the `which` axis at these values and nowhere else."""
    ruler = getattr(axis, f"{which}axis")
    ruler.set_ticks(list(labels), labels=list(labels.values()))
    ruler.set_ticks([], minor=True)


def plain_powers(axis: Axes, which: Literal["x", "y"]) -> None:
    """Label the logarithmic `which` axis of `axis`, its lines already on it, in plain numbers:
    matplotlib's formulas take a fifth of a picture's time."""
    axis.autoscale_view()
    ruler = getattr(axis, f"{which}axis")
    low, high = ruler.get_view_interval()
    steps = (1.0,) if high > 100 * low else (1.0, 2.0, 5.0)
    ruler.set_major_locator(mpl.ticker.LogLocator(subs=steps))
    ruler.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
    ruler.set_minor_formatter(mpl.ticker.NullFormatter())


def label_ends(
    axis: Axes, ends: Mapping[str, tuple[float, float]], slots: Mapping[str, int]
) -> None:
    """Each arm's name to the right of its line's end, moved as little as possible (least squares)
    for names not to overlap.

    The lines are on the axis and its limits are set; `ends`: arm -> x and y of its last point, in
    data coordinates.
    """
    axis.autoscale_view()
    to_shares = axis.transData - axis.transAxes
    shares = {arm: to_shares.transform(point) for arm, point in ends.items()}
    order = sorted(shares, key=lambda arm: (shares[arm][1], arm))
    steps = LABEL_GAP * np.arange(len(order))
    heights = isotonic_regression([shares[arm][1] for arm in order] - steps).x + steps
    on_the_axis: dict[str, Any] = {"transform": axis.transAxes, "clip_on": False}
    for arm, height in zip(order, heights, strict=True):
        x, y = shares[arm]
        # not annotate(): its arrow takes as long to draw as the rest of the picture
        line = Line2D([x, 1.03], [y, height], linewidth=1.2, **pen(slots[arm]), **on_the_axis)
        axis.add_line(line)
        axis.text(1.04, height, verbatim(arm), va="center", fontsize=10, color=INK, **on_the_axis)
