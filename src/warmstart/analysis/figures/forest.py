"""All studies in one picture: how far every arm is from the one that was chosen."""

import altair as alt

from warmstart.analysis.figures.figure import Figure, titled
from warmstart.analysis.judging import Judgement
from warmstart.analysis.labels import label


def forest(judgement: Judgement) -> Figure:
    """One row per study: each arm's difference to the chosen one, with its interval, over the band
    of practical equality; transfer's is to B from scratch."""
    rows = [
        {
            "study": results.name,
            "label": label(contrast.arm, results.summary.stage),
            "difference": contrast.difference.mean,
            "verdict": contrast.verdict,
        }
        for results in (*judgement.studies, judgement.transfer)
        if results
        for contrast in results.summary.contrasts.values()
    ]
    chart = alt.Chart(alt.InlineData(values=rows, name="rows"), name="forest").mark_point()
    chart = chart.encode(x="difference:Q", y="study:N", tooltip="label:N")
    title = "Does the choice matter?"
    caption = "Difference of every arm to the chosen one; shaded: practically equal."
    return Figure("forest", title, caption, titled(chart))
