"""The report: its sections in order, and its files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from warmstart.analysis import (
    claim_sections,
    label_efficiency,
    sections,
    transfer_sections,
    yardstick_sections,
)
from warmstart.analysis.answers import helps, matters
from warmstart.analysis.document import Block, contents, stacked, to_html, to_markdown
from warmstart.analysis.figures.files import shown, write_figures
from warmstart.analysis.figures.forest import forest
from warmstart.analysis.figures.shown import Shown
from warmstart.analysis.judging import Judgement
from warmstart.files import write_text


def write_report(judgement: Judgement, output: Path) -> None:
    """Write the report of whatever stages have results.

    Args:
        judgement: of all results.
        output: folder for `report.html` (self-contained), `report.md` and the pictures, as
            `write_figures` says.
    """
    studies = shown(judgement)
    write_figures(judgement, studies, output)
    everything = forest(judgement)
    first = stacked(sections.first(judgement, everything))
    rest = stacked(_rest(judgement, studies))
    title = f"warmstart: {judgement.params.data.name}"
    for name, text in {
        "report.html": to_html(title, first, contents(_contents(judgement)), rest),
        "report.md": to_markdown(first, rest),
    }.items():
        write_text(output / name, text)


def _rest(judgement: Judgement, studies: Mapping[str, Shown]) -> Iterator[Block]:
    """What follows the first screen, section by section."""
    for results in judgement.studies:
        yield sections.study(studies[results.name], judgement.flags.get(results.name, ()))
    for name in judgement.params.compare.studies:
        if name not in studies:
            yield sections.absent(name)
    yield from transfer_sections.transfer(
        judgement, studies.get("transfer"), label_efficiency.rows(judgement.labels)
    )
    yield from yardstick_sections.yardsticks(judgement)
    yield claim_sections.claims(judgement.claims)
    yield sections.about(judgement)


def _contents(judgement: Judgement) -> Iterator[tuple[str, str, str]]:
    """Each section's title and anchor, and what is said there in a few words."""
    for results in judgement.studies:
        said = f"{results.summary.reference}; {matters(results)}"
        yield sections.title(results.name), sections.anchor(results.name), said
    run = {results.name for results in judgement.studies}
    for name in judgement.params.compare.studies:
        if name not in run:
            yield sections.title(name), sections.anchor(name), "not run"
    if not judgement.no_transfer:
        said = helps(judgement.transfer) if judgement.transfer else "not run"
        yield "Transfer", transfer_sections.ANCHOR, said
    if judgement.yardsticks:
        yield yardstick_sections.TITLE, yardstick_sections.ANCHOR, ""
    yield claim_sections.TITLE, claim_sections.ANCHOR, claim_sections.tally(judgement.claims)
    yield "About this run", "about", ""
