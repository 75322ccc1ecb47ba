"""The report: its sections in order, and its files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from warmstart.analysis import (
    claim_sections,
    label_efficiency,
    plots,
    sections,
    series,
    transfer_sections,
    yardstick_sections,
)
from warmstart.analysis.document import Block, to_html, to_markdown
from warmstart.analysis.judging import Judgement
from warmstart.analysis.picture import Picture, Shown
from warmstart.analysis.results import Results
from warmstart.analysis.style import colour, palette
from warmstart.analysis.words import wording
from warmstart.config.params import asked
from warmstart.files import replacing, write_json


def write_report(judgement: Judgement, output: Path) -> None:
    """Write the report of whatever stages have results.

    Args:
        judgement: of all results.
        output: folder for `report.html` (self-contained) and `report.md`, the report's pictures as
            `pictures/*.svg`, the colours of arms in them as `colours.json`, and the numbers behind
            them as `plots/*.json` for `dvc plots`.
    """
    slots = palette({results.name: _networks(results) for results in judgement.everything})
    shown = {r.name: Shown(r, slots[r.name]) for r in judgement.everything}
    rows = {
        name: [row for one in shown.values() for row in one.rows.get(name, ())]
        for name in series.PLOTS
    }
    pictures = {
        f"{name}_{kind}": picture
        for name, one in shown.items()
        for kind, picture in one.pictures.items()
    }
    transfer = judgement.transfer
    if transfer and (by_labels := label_efficiency.rows(judgement.labels)):
        rows["label_efficiency"] = by_labels
        x, said = plots.LABELS, wording(transfer.summary)
        y = plots.ruler(f"test_{said.metric.name}", f"test {said.title}", said.metric)
        pictures["label_efficiency"] = plots.lines(
            by_labels, slots[transfer.name], "labels", x, y, smallest=transfer.smallest
        )
    by_labels_section = transfer_sections.labels(
        rows["label_efficiency"],
        pictures.get("label_efficiency", ""),
        transfer.summary.metric if transfer else "accuracy",
    )
    blocks = list(_document(judgement, shown, by_labels_section))
    title = f"warmstart: {judgement.params.data.name}"
    for name, text in {
        "report.html": to_html(title, blocks),
        "report.md": to_markdown(blocks),
    }.items():
        with replacing(output / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    colours = {
        results.name: {arm: colour(slots[results.name][arm]) for arm in results.arms}
        for results in judgement.everything
    }
    write_json(output / "colours.json", colours)  # for whoever draws the same arms elsewhere
    for name, picture in pictures.items():
        Picture(picture).save(output / "pictures" / f"{name}.svg")
    for name, content in rows.items():
        write_json(output / "plots" / f"{name}.json", content)


def _transfer(
    judgement: Judgement, shown: Mapping[str, Shown], by_labels: Iterator[Block]
) -> Iterator[Block]:
    """Model A, model B and encoders."""
    own = judgement.params.transfer.a if judgement.params.transfer else None
    yield from transfer_sections.pretrain(judgement.pretrain, own)
    if "transfer" in shown:
        yield from transfer_sections.transfer(shown["transfer"], asked(judgement.params))
        yield from by_labels
        yield from transfer_sections.pairs(judgement.pairs)
    else:
        yield sections.not_run("transfer")
    yield from transfer_sections.encoders(judgement.encoders)


def _document(
    judgement: Judgement, shown: Mapping[str, Shown], by_labels: Iterator[Block]
) -> Iterator[Block]:
    """The report, section by section."""
    yield from sections.head(judgement)
    yield from sections.runs(judgement.everything)
    yield from sections.data(judgement.card)
    yield from yardstick_sections.yardsticks(judgement)
    if not judgement.no_transfer:
        yield from _transfer(judgement, shown, by_labels)
    for results in judgement.studies:
        yield from sections.study(shown[results.name])
        yield from sections.layers(shown[results.name], judgement.flags.get(results.name, ()))
    for name in judgement.params.compare.studies:
        if name not in shown:
            yield from sections.absent(name)
    yield from claim_sections.claims(judgement.claims)
    yield from sections.reproduce()


def _networks(results: Results) -> list[str]:
    """The arms of a study, then the networks that were only looked into, never trained."""
    looks = results.diagnostics
    return list(dict.fromkeys([*results.arms, *([] if looks is None else looks["arm"])]))
