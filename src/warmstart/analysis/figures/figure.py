"""A picture: one Vega-Lite specification for pages, notebooks, trackers and files."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from warmstart.analysis.figures.scripts import page
from warmstart.files import replacing

_FIELDS = re.compile(r'"(?:field|fields|sort)": \[?"(\w+)"|datum\.(\w+)')
_INK = "#1d2329"
WIDTH = 640
"""Pixels of a picture that stands by itself; in a page it is as wide as its place."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A Vega-Lite chart with its data, which a notebook shows and `save` keeps."""

    name: str
    """Unique in a page and fit for a file: `activation-ranking`."""
    title: str
    caption: str
    """One sentence, which also stands for the picture where it is not seen."""
    chart: Any
    """An altair chart."""

    def spec(self) -> dict[str, Any]:
        """Vega-Lite with its data, to be embedded in a page; the same for the same numbers."""
        spec: dict[str, Any] = self.chart.to_dict(validate=False)  # tests validate
        return spec | {"description": self.caption}

    def svg(self) -> str:
        """Black on white; stands by itself."""
        import vl_convert  # 40 MB, which only drawing needs

        return str(vl_convert.vegalite_to_svg(self._alone(), vl_version="6.4"))

    def png(self, scale: float = 2.0) -> bytes:
        """Black on white, `scale` dots to a pixel."""
        import vl_convert  # 40 MB, which only drawing needs

        return bytes(vl_convert.vegalite_to_png(self._alone(), vl_version="6.4", scale=scale))

    def save(self, path: str | Path) -> None:
        """Write `.svg`, `.png`, `.html` (interactive, loads nothing) or `.json` (Vega-Lite).

        Raises:
            ValueError: if the name ends otherwise.
        """
        path = Path(path)
        written = {
            ".svg": lambda: self.svg().encode(),
            ".png": self.png,
            ".html": lambda: page(
                self.title, [(self.name, self.caption, json.dumps(self._alone()))]
            ).encode(),
            ".json": lambda: json.dumps(self.spec(), indent=1, sort_keys=True).encode(),
        }.get(path.suffix)
        if written is None:
            raise ValueError(f"{path}: expected .svg, .png, .html or .json; rename it")
        with replacing(path) as unfinished:
            unfinished.write_bytes(written())

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Interactive where a notebook brings Vega-Lite, as JupyterLab and VS Code do, else SVG;
        altair's own HTML would load scripts from elsewhere."""
        spec = self._alone() | {"$schema": "https://vega.github.io/schema/vega-lite/v5.json"}
        return {
            "application/vnd.vegalite.v5+json": spec,
            "image/svg+xml": self.svg(),
            "text/plain": self.caption,
        }

    def _alone(self) -> dict[str, Any]:
        """Titled, dark on white, of a fixed width."""
        spec: dict[str, Any] = json.loads(json.dumps(self.spec()).replace("currentColor", _INK))
        if spec.get("width") == "container":
            spec["width"] = WIDTH
        return spec | {"background": "white", "title": {"text": self.title, "anchor": "start"}}


def inline(chart: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    """The chart, whose data are called `rows`, with these. Of each it holds what it draws or tells,
    so that a page holds nothing else: what is None is left out, so is what is false where only an
    expression asks for it, and what the text of an axis asks of the first row is there only."""
    text = json.dumps(chart.to_dict(validate=False))
    of_first = set(re.findall(r"data\('rows'\)\[0\]\.(\w+)", text))
    fields, asked = map(set, zip(*_FIELDS.findall(text), strict=True))
    drawn = fields | asked
    chart.data = alt.InlineData(
        name="rows",
        values=[
            {
                key: value
                for key, value in row.items()
                if value is not None
                and (value is not False or key in fields)
                and (key in drawn or (number == 0 and key in of_first))
            }
            for number, row in enumerate(rows)
        ],
    )
    return chart


def styled(chart: Any) -> Any:
    """In the style of all pictures: text in the colour of the page, at least 11 pixels high."""
    ink = "currentColor"
    return chart.configure(
        background="transparent",
        font="system-ui, sans-serif",
        axis=alt.AxisConfig(
            labelColor=ink, titleColor=ink, tickColor=ink, domainColor=ink, gridColor=ink,
            gridOpacity=0.1, domainOpacity=0.3, tickOpacity=0.3, labelFontSize=12,
            titleFontSize=12, titleFontWeight="normal", labelLimit=220,
        ),
        legend=alt.LegendConfig(labelColor=ink, titleColor=ink, labelFontSize=12, labelLimit=260),
        header=alt.HeaderConfig(labelColor=ink, titleColor=ink, labelFontSize=12),
        title=alt.TitleConfig(color=ink, fontSize=13),
        text=alt.MarkConfig(color=ink, fontSize=11),
        view=alt.ViewConfig(stroke=None),
    )  # fmt: skip
