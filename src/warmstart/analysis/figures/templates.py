"""The pictures as templates of `dvc plots`: `python -m warmstart.analysis.figures.templates`.

DVC fills in rows and titles, and draws with Vega-Lite 5.2. One panel is one study; where two
revisions are compared, rows carry `rev`, which decides dashes and shapes.
"""

import json
from pathlib import Path
from typing import Any

import altair as alt

from warmstart.analysis.figures import charts
from warmstart.analysis.figures.figure import styled
from warmstart.files import write_text

FOLDER = Path(".dvc/plots")
_X, _Y = "<DVC_METRIC_X_LABEL>", "<DVC_METRIC_Y_LABEL>"


def templates() -> dict[str, dict[str, Any]]:
    """Name -> Vega-Lite with the anchors of DVC."""
    source = charts.Source(alt.InlineData(values="<DVC_METRIC_DATA>", name="rows"))
    along = charts.along
    drawn = {
        "ranking": charts.ranking(source, _X),
        "seeds": charts.seeds(source, _X),
        "learning_curves": charts.curves(source, along("epoch", _X), _Y),
        "times": charts.curves(source, along("seconds", _X, log=True), _Y),
        "learning_rates": charts.rates(source, along("learning_rate", _X, log=True), _Y),
        "label_efficiency": charts.curves(source, along("labels", _X, log=True), _Y),
        "layers": charts.layers(source, along("layer", _X), _Y),
    }
    return {name: _of_all_studies(chart, name) for name, chart in drawn.items()}


def _of_all_studies(chart: Any, name: str) -> dict[str, Any]:
    panel = "study"
    if name == "layers":  # dashes are taken, so revisions stand side by side
        panel = "view"
        chart = chart.transform_calculate(view="datum.panel + ' (' + datum.rev + ')'")
    facets = chart.facet(alt.Facet(f"{panel}:N", title=None), columns=2)
    own = ["x", "y", "color", "fill"]
    if name not in ("ranking", "seeds"):  # there shapes are revisions, here arms
        own.append("shape")
    facets = facets.resolve_scale(**dict.fromkeys(own, "independent"))
    spec: dict[str, Any] = styled(facets).to_dict(validate=False)
    spec["title"] = {"text": "<DVC_METRIC_TITLE>", "anchor": "start", "fontSize": 16}
    return spec | {"$schema": "https://vega.github.io/schema/vega-lite/v5.json"}


def main() -> None:
    """Write them where DVC looks for them."""
    for name, spec in templates().items():
        write_text(FOLDER / f"{name}.json", as_text(spec))


def as_text(spec: dict[str, Any]) -> str:
    return json.dumps(spec, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    main()
