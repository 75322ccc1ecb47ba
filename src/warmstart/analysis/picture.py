"""The pictures of one stage or study, for the page, a notebook or a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from warmstart.analysis import plots, series
from warmstart.analysis.results import Results
from warmstart.analysis.scores import followed
from warmstart.analysis.style import LIGHT, variables
from warmstart.analysis.words import Wording, wording
from warmstart.files import replacing

_COLOURS = f"--muted: #767676; --rule: #8884; {variables(LIGHT)}"
"""Readable on white and on black."""


@dataclass(frozen=True)
class Picture:
    """An SVG element of `plots`, which leaves its colours to the page."""

    element: str

    def _repr_html_(self) -> str:
        """In the colours of the notebook's theme."""
        style = f"{_COLOURS}; max-width: 45em; font-family: sans-serif"
        return f'<div style="{style}">{self.element}</div>'

    def save(self, path: str | Path) -> None:
        """Write an SVG file that stands by itself, black on white."""
        svg = self.element.replace("currentColor", "#000")
        for declaration in _COLOURS.split("; "):
            name, hue = declaration.split(": ")
            svg = svg.replace(f"var({name})", hue)
        svg = svg.replace(
            "<svg ",
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            'style="background: #fff; font-family: sans-serif" ',
            1,
        )
        with replacing(Path(path)) as unfinished:
            unfinished.write_text(svg, encoding="utf-8")


@dataclass(frozen=True, eq=False)
class Shown:
    """One stage or study with the numbers that are drawn, computed once, and their pictures."""

    results: Results
    slots: Mapping[str, int]
    """Arm -> its slot in the page's palette, also of networks that were only looked into."""

    @cached_property
    def rows(self) -> dict[str, list[series.Row]]:
        return series.rows(self.results)

    @cached_property
    def pictures(self) -> dict[str, str]:
        """SVG elements by what they show, a key of `ranking_sections.CAPTIONS`."""
        results, rows, name = self.results, self.rows, self.results.name
        smallest, metric = results.smallest, results.summary.metric
        said, kin = wording(results.summary), followed(metric)
        every_epoch = Wording(kin.metric, said.predicted).title if kin.title != "loss" else "loss"
        curve = plots.ruler(series.curve_name(metric), f"validation {every_epoch}", kin.metric)
        last = plots.ruler(f"val_{metric}", f"validation {said.title}", said.metric)
        test = plots.ruler(f"test_{metric}", f"test {said.title}", said.metric)
        draw = partial(plots.lines, slots=self.slots, smallest=smallest)
        diverged = {r.arm for r in results.records if r.chosen and r.outcome == "diverged"}
        drawn = {
            "curves": draw(
                rows["learning_curves"],
                name=f"{name}-curves",
                x=plots.EPOCHS,
                y=curve,
                crossed=diverged,
            )
        }
        if len(results.arms) > 1 and all(map(results.seconds_per_epoch, results.arms)):
            drawn["times"] = draw(
                rows["times"], name=f"{name}-times", x=plots.SECONDS, y=curve, crossed=diverged
            )
        if len(results.summary.learning_rates) > 1:
            drawn["rates"] = draw(
                rows["learning_rates"], name=f"{name}-rates", x=plots.RATES, y=last
            )
        if results.summary.stage == "transfer":
            drawn["seeds"] = plots.seeds(
                rows["transfer"], self.slots, f"{name}-seeds", along=test, smallest=smallest
            )
        elif results.summary.stage == "compare":
            drawn["ranking"] = plots.ranking(
                rows["ranking"], self.slots, f"{name}-ranking", along=test, smallest=smallest
            )
        if results.summary.groups and len(results.arms) > 2:
            drawn["ranks"] = plots.critical_differences(
                rows["ranks"], results.summary.groups, self.slots, f"{name}-ranks"
            )
        return drawn

    def profiles(self) -> Iterator[tuple[str, str]]:
        """An SVG element and its caption for each quantity and each depth that networks have."""
        rows = self.rows.get("layers", [])
        for depth in sorted({row["depth"] for row in rows}):
            members = [row for row in rows if row["depth"] == depth]
            trained = any(row["look"] == "last" for row in members)
            for y in plots.QUANTITIES:
                caption = f"{y.label.capitalize()} over {depth} hidden layers at initialization"
                caption += "; pale: after training." if trained else "."
                name = f"{self.results.name}-{y.key}-{depth}"
                svg = plots.lines(members, self.slots, name, plots.LAYERS, y, description=caption)
                yield svg, caption
