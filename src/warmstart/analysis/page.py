"""The report: its sections in order, and its files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from warmstart.analysis import (
    claim_sections,
    label_efficiency,
    sections,
    series,
    transfer_sections,
    yardstick_sections,
)
from warmstart.analysis.answers import helps, matters
from warmstart.analysis.document import Block, contents, stacked, to_html, to_markdown
from warmstart.analysis.figures.forest import forest
from warmstart.analysis.figures.looks import palette
from warmstart.analysis.figures.shown import Shown
from warmstart.analysis.judging import Judgement
from warmstart.analysis.results import Results
from warmstart.files import replacing, write_json


def write_report(judgement: Judgement, output: Path) -> None:
    """Write the report of whatever stages have results.

    Args:
        judgement: of all results.
        output: folder for `report.html` (self-contained) and `report.md`, the report's pictures as
            `pictures/*.svg`, the colours of arms in them as `colours.json`, and the numbers behind
            them as `plots/*.json` for `dvc plots`.
    """
    looks = palette({results.name: _networks(results) for results in judgement.everything})
    shown = {
        r.name: Shown(r, looks[r.name], judgement.labels if r is judgement.transfer else {})
        for r in judgement.everything
    }
    rows: dict[str, list[series.Row]] = {name: [] for name in series.PLOTS}
    for one in judgement.everything:
        for name, content in series.rows(one).items():
            rows[name] += content
    rows["label_efficiency"] = label_efficiency.rows(judgement.labels)
    everything = forest(judgement)
    first = stacked(sections.first(judgement, everything))
    rest = stacked(_rest(judgement, shown, rows["label_efficiency"]))
    title = f"warmstart: {judgement.params.data.name}"
    for name, text in {
        "report.html": to_html(title, first, contents(_contents(judgement)), rest),
        "report.md": to_markdown(first, rest),
    }.items():
        with replacing(output / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    colours = {name: one.colours for name, one in shown.items()}
    write_json(output / "colours.json", colours)  # for whoever draws the same arms elsewhere
    figures = [figure for one in shown.values() for figure in one.figures.values()]
    for figure in [everything, *figures] if everything else figures:
        figure.save(output / "pictures" / f"{figure.name}.svg")
    for name, content in rows.items():
        write_json(output / "plots" / f"{name}.json", content)


def _rest(
    judgement: Judgement,
    shown: Mapping[str, Shown],
    label_rows: list[series.Row],
) -> Iterator[Block]:
    """What follows the first screen, section by section."""
    for results in judgement.studies:
        yield sections.study(shown[results.name], judgement.flags.get(results.name, ()))
    for name in judgement.params.compare.studies:
        if name not in shown:
            yield sections.absent(name)
    yield from transfer_sections.transfer(judgement, shown.get("transfer"), label_rows)
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
    yield "About this run", "about", "data, commands, how to read it"


def _networks(results: Results) -> list[str]:
    """The arms of a study, then the networks that were only looked into, never trained."""
    looks = results.diagnostics
    return list(dict.fromkeys([*results.arms, *([] if looks is None else looks["arm"])]))
