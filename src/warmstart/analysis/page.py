"""The report: its pictures, its document and its files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from warmstart.analysis import label_efficiency, sections, series
from warmstart.analysis.answers import arm_name
from warmstart.analysis.document import Block, to_html, to_markdown
from warmstart.analysis.judging import Judgement
from warmstart.analysis.picture import Picture
from warmstart.analysis.plots import (
    ACCURACY,
    EPOCHS,
    LABELS,
    LAYERS,
    QUANTITIES,
    RATES,
    SECONDS,
    TEST_ACCURACY,
    critical_differences,
    lines,
    ranking,
    seeds,
)
from warmstart.analysis.results import Results
from warmstart.analysis.style import colour, palette
from warmstart.files import replacing, write_json

Slots = Mapping[str, int]
"""Arm -> its slot in the page's palette."""


def write_report(judgement: Judgement, output: Path) -> None:
    """Write the report of whatever stages have results.

    Args:
        judgement: of all results.
        output: folder for `report.html` (self-contained) and `report.md`, the report's pictures as
            `pictures/*.svg`, the colours of arms in them as `colours.json`, and the numbers behind
            them as `plots/*.json` for `dvc plots`.
    """
    everything = judgement.everything
    slots = {r.name: s for r, s in zip(everything, ..., strict=True)}
