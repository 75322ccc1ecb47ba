"""All studies in one picture: how far every arm is from the one that was chosen."""

from typing import Any

import altair as alt

from warmstart.analysis.figures.figure import Figure, inline, styled
from warmstart.analysis.figures.rows import Row
from warmstart.analysis.judging import Judgement
from warmstart.analysis.labels import label
from warmstart.analysis.results import Results
from warmstart.analysis.words import wording

VERDICTS = {
    "better": ("#00a078", "triangle-up"),
    "practically equal": ("#0070b0", "circle"),
    "open": ("#808890", "diamond"),
    "worse": ("#d04a20", "triangle-down"),
}
"""Verdict -> colour and shape."""
_TICKS = (0, 1, 3, 10, 30, 100, 300, 1000)
_FAR = 5
"""An arm that is so far away has its name beside it. Both in margins of practical equality."""


def forest(judgement: Judgement) -> Figure | None:
    """A row for each study: every arm's difference to the chosen one with its interval, over the
    band of practical equality; of `transfer` to B from scratch. The study in which most is at stake
    is on top, transfer at the bottom. None where there is nothing to compare.

    The axis is linear within the band and logarithmic beyond, better is right.
    """
    studies = [results for results in judgement.studies if len(results.arms) > 1]
    studies.sort(key=_stake, reverse=True)
    shown = [*studies, *([judgement.transfer] if judgement.transfer else [])]
    rows = [row for results in shown for row in _rows(results)]
    if not rows:
        return None
    scales = {(r.summary.metric, r.summary.margin) for r in shown}
    margin, said = shown[0].summary.margin, wording(shown[0].summary)
    alike = len(scales) == 1
    in_points = alike and said.metric.form == "share"
    factor = (100 * margin if in_points else margin) if alike else 1
    unit = f"{'points of ' if in_points else ''}{said.title}" if alike else "margins of equality"
    chart = _chart(rows, f"{unit}, right is better", factor)
    equal = said.within(margin) if alike else "within one margin"
    caption = (
        "Difference in the test of every arm to the one that validation chose, in transfer to B "
        f"from scratch, with intervals that hold for all pairs; shaded: practically equal, {equal}."
    )
    return Figure("forest", "Does the choice matter?", caption, inline(styled(chart), rows))


def _stake(results: Results) -> float:
    """The largest difference, in margins, that is shown."""
    summary = results.summary
    shown = [c for c in summary.contrasts.values() if c.verdict in ("better", "worse")]
    return max((abs(c.difference.mean) / summary.margin for c in shown), default=0.0)


def _rows(results: Results) -> list[Row]:
    summary, said = results.summary, wording(results.summary)
    sign = said.metric.gain(1) / summary.margin
    chosen = label(summary.reference, summary.stage)
    title = results.name.replace("_", " ")
    against = f"against {chosen}" if summary.stage == "transfer" else f"{chosen} chosen"
    order = {arm: place for place, arm in enumerate(summary.arms)}
    contrasts = sorted(summary.contrasts.values(), key=lambda c: order[c.arm])
    far = max(contrasts, key=lambda c: abs(c.difference.mean), default=None)
    found = []
    for place, contrast in enumerate(contrasts):
        apart = contrast.difference
        ends = [sign * end for end in (apart.low, apart.high) if end is not None]
        told = contrast.verdict in ("better", "worse")
        named = contrast is far and told and abs(apart.mean) > _FAR * summary.margin
        found.append(
            {
                "row": f"{title}|{against}",
                "label": label(contrast.arm, summary.stage),
                "slot": round((place + 0.5) / len(contrasts), 3),
                "place": float(f"{sign * apart.mean:.5g}"),
                "from": float(f"{min(ends):.5g}") if ends else None,
                "to": float(f"{max(ends):.5g}") if ends else None,
                "verdict": contrast.verdict,
                "shown": said.difference(apart),
                "named": label(contrast.arm, summary.stage) if named else None,
            }
        )
    return found


def _chart(rows: list[Row], title: str, factor: float) -> Any:
    ticks = [sign * tick for tick in _TICKS for sign in ((1, -1) if tick else (1,))]
    studies = list(dict.fromkeys(row["row"] for row in rows))
    x = alt.X(
        "place:Q",
        title=title,
        scale=alt.Scale(type="symlog", constant=1, nice=False, padding=10),
        axis=alt.Axis(
            titleAnchor="end",
            values=sorted(ticks),
            labelExpr=f"datum['value'] ? format(datum['value'] * {factor:g}, '+,.3~r') : '0'",
        ),
    )
    where: Any = {
        "y": alt.Y(
            "row:N",
            sort=studies,
            title=None,
            scale=alt.Scale(paddingInner=0.25, paddingOuter=0.1),
            axis=alt.Axis(
                titleAnchor="end",
                labelExpr="split(datum.label, '|')",
                labelLineHeight=14,
                labelOffset=-7,
                grid=False,
            ),
        ),
        "yOffset": alt.YOffset("slot:Q", scale=alt.Scale(domain=[0, 1])),
    }
    names = list(VERDICTS)
    colours, shapes = zip(*VERDICTS.values(), strict=True)
    picked = alt.selection_point("picked", fields=["verdict"], bind="legend", on="click")
    legend = alt.Legend(
        title=None,
        orient="bottom",
        symbolOpacity=1,
        columns=alt.ExprRef("max(1, floor(width / 130))"),
    )
    base: Any = alt.Chart().encode(
        color=alt.Color("verdict:N", scale=alt.Scale(domain=names, range=colours), legend=legend),
        opacity=alt.condition(picked, alt.value(1), alt.value(0.12)),
        **where,
    )
    near = (
        alt.Chart(alt.InlineData(values=[{"from": -1, "to": 1}]))
        .mark_rect(color="#808080", opacity=0.18)
        .encode(x="from:Q", x2="to:Q")
    )
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}])).mark_rule(color="#808080").encode(x="at:Q")
    bars = base.mark_rule(strokeWidth=1.5, strokeOpacity=0.6).encode(x=alt.X("from:Q"), x2="to:Q")
    dots = base.mark_point(filled=True, size=34).encode(
        x=x,
        shape=alt.Shape("verdict:N", scale=alt.Scale(domain=names, range=shapes)),
        tooltip=[
            alt.Tooltip("label:N", title="arm"),
            alt.Tooltip("shown:N", title="difference"),
            alt.Tooltip("verdict:N"),
        ],
    )
    words = (
        alt.Chart()
        .transform_filter("isValid(datum.named)")
        .mark_text(align="left", dx=8, fontSize=11)
        .encode(x=x, text="named:N", **where)
    )
    chart = alt.layer(near, zero, bars, dots.add_params(picked).properties(name="dots"), words)
    return chart.properties(
        width="container", height=alt.Step(42), data=alt.InlineData(name="rows", values=[])
    )
