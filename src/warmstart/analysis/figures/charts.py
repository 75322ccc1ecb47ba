"""The kinds of pictures, each written once: over the rows of one study in a page, over those of all
studies and revisions in a template of `dvc plots`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt

from warmstart.analysis.figures.looks import Look

WORSE = "datum.verdict == 'worse' || datum.verdict == 'better'"
_FIRST = "data('rows')[0]"
AS_VALUE = (
    f"{_FIRST}.unit == '%' ? format(100 * (1 - datum['value']), '.4~g') + ' %' : "
    f"format({_FIRST}.best ? 1 - datum['value'] : datum['value'], '.4~g')"
)
"""What a place on an axis of errors says: 0.02 is 98 % of accuracy, and an RMSE of 0.02."""
_BAND, _DIMMED = 0.16, 0.12


@dataclass(frozen=True)
class Source:
    """Whose rows are drawn."""

    data: Any
    """Of `rows`, called `rows`."""
    looks: Mapping[str, Look] | None = None
    """Label -> look, in the order of the legend; None: rows bring their `colour` and `shape`, and
    `rev`, the revision they are of."""

    @property
    def colour(self) -> Any:
        return alt.Color("label:N", scale=self._scale("colour"), legend=self._legend)

    def beside(self, channel: str) -> dict[str, Any]:
        """The same colour of lines and bands, one for each arm, beside the marks whose `colour` has
        the legend: with two scales of one channel Vega-Lite would neither join the legends of
        colours and shapes nor let them be clicked."""
        return {
            channel: {"field": "colour", "type": "nominal", "scale": None},
            "detail": ["label:N"] if self.looks else ["label:N", "rev:N"],
        }

    @property
    def shape(self) -> Any:
        return alt.Shape("label:N", scale=self._scale("shape"), legend=self._legend)

    @property
    def dash(self) -> dict[str, Any]:
        """Revisions by their dashes."""
        return {} if self.looks else {"strokeDash": alt.StrokeDash("rev:N", title="revision")}

    @property
    def arms(self) -> dict[str, Any]:
        """A line for each, the best on top; of several revisions one below the other."""
        best = alt.EncodingSortField("rank", op="min")
        y = {"y": alt.Y("label:N", sort=best, title=None)}
        return y if self.looks else y | {"yOffset": alt.YOffset("rev:N")}

    def _scale(self, column: str) -> alt.Scale:
        if self.looks is None:
            return alt.Scale(range=alt.FieldRange(field=column))
        values = [getattr(look, column) for look in self.looks.values()]
        return alt.Scale(domain=list(self.looks), range=values)

    @property
    def _legend(self) -> alt.Legend:
        if self.looks is None:
            return alt.Legend(title=None, symbolOpacity=1)
        width = 32 + 6.4 * max(map(len, self.looks))  # pixels of a name behind its symbol
        columns = alt.ExprRef(f"max(1, floor(width / {width}))")
        return alt.Legend(title=None, orient="bottom", columns=columns, symbolOpacity=1)

    def tips(self, *more: str) -> list[alt.Tooltip]:
        """What hovering shows: `COLUMN` or `COLUMN=TITLE`, the revision where there are several."""
        known = [("label", "arm")]
        if self.looks is None:
            known += [("rev", "revision"), ("measure", "of")]
        known += [(text.split("=")[0], text.split("=")[-1].replace("_", " ")) for text in more]
        return [alt.Tooltip(f"{column}:N", title=title) for column, title in known]


def error_axis(channel: Any, column: str, title: str | None) -> Any:
    """An axis of places on which better is right or up."""
    return channel(
        f"{column}:Q",
        title=title,
        scale=alt.Scale(type="log", reverse=True, nice=False, padding=8),
        axis=alt.Axis(
            labelExpr=AS_VALUE,
            tickCount=6,
            labelOverlap="greedy",
            labelSeparation=8,
        ),
    )


def ranking(source: Source, title: str) -> Any:
    """A dot and its interval per arm, the best on top, over what is practically equal to the
    reference; a hollow dot is shown to differ from it. `title` is the axis's."""
    base: Any = alt.Chart(source.data)
    y = source.arms
    colour = source.colour.legend(None)
    near = base.mark_rect(opacity=0.1, color="#808080").encode(
        x=error_axis(alt.X, "near_low", title).aggregate("min"), x2="max(near_high)"
    )
    bars = base.mark_rule(strokeWidth=3, opacity=0.55).encode(
        x=error_axis(alt.X, "place_low", title), x2="place_high", **source.beside("stroke"), **y
    )
    tips = source.tips("shown=test", "verdict", "difference", "learning_rate", "seeds", "rank")
    dots = base.mark_point(size=80, strokeWidth=2, filled=False).encode(
        x=error_axis(alt.X, "place", title),
        color=colour,
        fill=colour,
        fillOpacity=alt.condition(WORSE, alt.value(0), alt.value(1)),
        shape=source.shape.legend(None) if source.looks else alt.Shape("rev:N", title="revision"),
        tooltip=tips,
        **y,
    )
    return _sized(source, alt.layer(near, bars, dots.properties(name="dots")), alt.Step(22))


def seeds(source: Source, title: str) -> Any:
    """The test of each seed under each arm, and a bar at the mean; a line joins the seed that the
    pointer is on."""
    base: Any = alt.Chart(source.data)
    y = source.arms
    x = error_axis(alt.X, "place", title)
    colour = source.colour.legend(None)
    on = alt.selection_point("on", fields=["seed"], on="pointerover", empty=False)
    line = base.mark_line(strokeWidth=1.5, color="#808080").encode(
        x=x,
        **y,
        detail=["seed:N", *([] if source.looks else ["rev:N"])],
        order="rank:Q",
        opacity=alt.condition(on, alt.value(0.9), alt.value(0)),
    )
    dots = base.mark_point(filled=True, size=48).encode(
        x=x,
        **y,
        color=colour,
        shape=source.shape.legend(None) if source.looks else alt.Shape("rev:N", title="revision"),
        opacity=alt.condition(on, alt.value(1), alt.value(0.55)),
        tooltip=source.tips("seed", "shown=test"),
    )
    mean = base.mark_tick(thickness=3, height=16).encode(
        x=x.copy().aggregate("mean"), **y, **source.beside("fill")
    )
    return _sized(
        source, alt.layer(line, mean, dots.add_params(on).properties(name="dots")), alt.Step(22)
    )


def curves(source: Source, x: Any, title: str) -> Any:
    """One line per arm. Of the arm that is picked, in the legend or on a point, and of the
    reference a band is the 95 % interval; a cross is where a trial diverged.

    Args:
        source: rows with `place`, `reference` and maybe `diverged`.
        x: the horizontal axis.
        title: of the vertical one.
    """
    base, picked = alt.Chart(source.data).encode(x=x), _picked()
    place = error_axis(alt.Y, "place", title)
    seen = alt.condition(picked, alt.value(1), alt.value(_DIMMED))
    own: Any = {"test": {"or": [{"param": "picked", "empty": False}, "datum.reference"]}}
    shown = alt.condition(own, alt.value(_BAND), alt.value(0))
    band = base.mark_area(orient="vertical").encode(
        y=error_axis(alt.Y, "place_low", title),
        y2="place_high",
        fillOpacity=shown,
        **source.beside("fill"),
    )
    line = base.mark_line(strokeWidth=2).encode(
        y=place, opacity=seen, **source.beside("stroke"), **source.dash
    )
    tips = source.tips(x.shorthand.split(":")[0], "shown=value")
    dots = base.mark_point(filled=True, size=40).encode(
        y=place, color=source.colour, opacity=seen, shape=source.shape, tooltip=tips
    )
    lost = base.transform_filter(alt.datum.diverged).mark_point(
        shape="M-1,-1L1,1M-1,1L1,-1", size=200, strokeWidth=2.5
    )
    layers = [
        band,
        line,
        dots.add_params(picked).properties(name="dots"),
        lost.encode(y=place, **source.beside("stroke")),
    ]
    return _sized(source, alt.layer(*layers), 300)


def rates(source: Source, x: Any, title: str) -> Any:
    """One line per arm over its learning rates; the large dot is the one that most seeds chose."""
    picked = _picked()
    base = alt.Chart(source.data).encode(
        x=x,
        y=error_axis(alt.Y, "place", title),
        opacity=alt.condition(picked, alt.value(1), alt.value(_DIMMED)),
    )
    dots = base.mark_point(filled=True).encode(
        color=source.colour,
        shape=source.shape,
        size=alt.condition(alt.datum.chosen, alt.value(150), alt.value(30)),
        tooltip=source.tips("learning_rate", "shown=value", "chosen"),
    )
    line = base.mark_line(strokeWidth=1.8).encode(**source.beside("stroke"), **source.dash)
    return _sized(source, alt.layer(line, dots.add_params(picked).properties(name="dots")), 280)


def layers(source: Source, x: Any, title: str) -> Any:
    """One line per network over its hidden layers; the thin, dashed one is after training."""
    picked = _picked()
    base = alt.Chart(source.data).encode(
        x=x,
        y=alt.Y("value:Q", title=title, scale=alt.Scale(type="log", nice=False, padding=8))
        .axis(format=".0e", tickCount=6, labelOverlap="greedy", labelSeparation=8),
        opacity=alt.condition(picked, alt.value(1), alt.value(_DIMMED)),
    )  # fmt: skip
    late = alt.datum.look == "after training"
    line = base.mark_line().encode(
        strokeDash=alt.StrokeDash(
            "look:N",
            title=None,
            scale=alt.Scale(domain=["at initialization", "after training"], range=[[1, 0], [5, 4]]),
            legend=alt.Legend(orient="bottom", symbolStrokeColor="#808080"),
        ),
        strokeWidth=alt.condition(late, alt.value(1.2), alt.value(2.2)),
        **source.beside("stroke"),
    )
    dots = (
        base.transform_filter("datum.depth <= 20 || datum.layer % 10 == 0")
        .mark_point(filled=True, size=36)
        .encode(
            color=source.colour,
            shape=source.shape,
            tooltip=source.tips("layer", "value", "look", "depth"),
        )
    )
    return _sized(source, alt.layer(line, dots.add_params(picked).properties(name="dots")), 280)


def along(column: str, title: str, *, log: bool = False) -> alt.X:
    """A horizontal axis of whole or, where they are factors apart, of logarithmic numbers."""
    if log:
        ticks = alt.Axis(
            format="~g", tickCount=6, labelOverlap="greedy", labelSeparation=8, grid=False
        )
        scale = alt.Scale(type="log", nice=False, padding=10)
        return alt.X(f"{column}:Q", title=title, axis=ticks, scale=scale, stack=None)
    whole = alt.Axis(format="d", tickMinStep=1, grid=False)
    scale = alt.Scale(zero=False, nice=False, padding=10)
    return alt.X(f"{column}:Q", title=title, axis=whole, scale=scale, stack=None)


def _picked() -> Any:
    """Arms picked in the legend or on a point; all, as long as none is."""
    return alt.selection_point("picked", fields=["label"], bind="legend", on="click")


def _sized(source: Source, chart: Any, height: Any) -> Any:
    """As wide as its place in a page; in a template as one panel of many."""
    if source.looks is not None:
        return chart.properties(width="container", height=height)
    return chart.properties(width=320, height=220 if isinstance(height, int) else height)
