"""The report: its pictures, its document and its files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from warmstart.analysis import label_efficiency, sections, series, transfer_sections
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
from warmstart.analysis.series import Row
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
    slots = palette({results.name: _networks(results) for results in everything})
    drawn = {
        f"{results.name}_{kind}": element
        for results in everything
        for kind, element in pictures(results, slots[results.name]).items()
    }
    rows: dict[str, list[Row]] = {name: [] for name in series.PLOTS}
    for results in everything:
        for name, more in series.rows(results).items():
            rows[name] += more
    if judgement.transfer and (by_labels := label_efficiency.rows(judgement.labels)):
        rows["label_efficiency"] = by_labels
        drawn["label_efficiency"] = _label_picture(by_labels, judgement.transfer, slots)
    blocks = list(_document(judgement, slots, drawn, rows["label_efficiency"]))
    title = f"warmstart: {judgement.params.data.name}"
    for name, text in {
        "report.html": to_html(title, blocks),
        "report.md": to_markdown(blocks),
    }.items():
        with replacing(output / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    colours = {
        results.name: {arm: colour(slots[results.name][arm]) for arm in results.arms}
        for results in everything
    }
    write_json(output / "colours.json", colours)  # for whoever draws the same arms elsewhere
    for name, element in drawn.items():
        Picture(element).save(output / "pictures" / f"{name}.svg")
    for name, content in rows.items():
        write_json(output / "plots" / f"{name}.json", content)


def _document(
    judgement: Judgement,
    slots: Mapping[str, Slots],
    drawn: Mapping[str, str],
    by_labels: list[Row],
) -> Iterator[Block]:
    """The report, section by section."""
    yield from sections.head(judgement)
    yield from sections.runs(judgement.everything)
    yield from sections.data(judgement.card)
    yield from transfer_sections.pretrain(judgement.pretrain)
    if judgement.transfer:
        transfer = judgement.transfer
        yield from transfer_sections.transfer(
            transfer, judgement.params, slots[transfer.name], drawn
        )
        yield from transfer_sections.labels(label_efficiency.answers(by_labels, arm_name), drawn)
        yield from transfer_sections.pairs(judgement.pairs)
    else:
        yield sections.not_run("transfer")
    yield from transfer_sections.encoders(judgement.encoders)
    for results in judgement.studies:
        yield from sections.study(results, slots[results.name], drawn)
        profiles = _profiles(results, slots[results.name])
        yield from sections.layers(results, judgement.flags.get(results.name, ()), profiles)
    ran = {results.name for results in judgement.studies}
    for name in judgement.params.compare.studies:
        if name not in ran:
            yield from sections.absent(name)
    yield from sections.claims(judgement.claims)
    yield from sections.reproduce()


def pictures(results: Results, slots: Slots | None = None) -> dict[str, str]:
    """SVG elements by what they show, a key of `sections.CAPTIONS`.

    Args:
        results: of one stage or study.
        slots: of its arms; None: the study stands alone.
    """
    name, summary, smallest = results.name, results.summary, results.smallest
    arms = {arm: slots[arm] if slots else place for place, arm in enumerate(results.arms)}
    rows = series.rows(results)
    diverged = {r.arm for r in results.records if r.chosen and r.outcome == "diverged"}
    kinds = {"curves": ("learning_curves", EPOCHS, diverged)}
    if len(arms) > 1 and all(results.seconds_per_epoch(arm) for arm in arms):
        kinds["times"] = ("times", SECONDS, diverged)
    if len(summary.learning_rates) > 1:
        kinds["rates"] = ("learning_rates", RATES, set())
    drawn = {
        kind: lines(
            rows[plot], arms, f"{name}-{kind}", x, ACCURACY, smallest=smallest, crossed=crossed
        )
        for kind, (plot, x, crossed) in kinds.items()
    }
    if summary.stage == "transfer":
        labels = {arm: arm_name(arm) for arm in arms}
        drawn["seeds"] = seeds(rows["transfer"], arms, labels, f"{name}-seeds", smallest=smallest)
    elif summary.stage == "compare":
        drawn["ranking"] = ranking(rows["ranking"], arms, f"{name}-ranking", smallest=smallest)
    if summary.groups and len(arms) > 2:
        mean_ranks = {arm: judged.mean_rank for arm, judged in summary.arms.items()}
        drawn["ranks"] = critical_differences(mean_ranks, summary.groups, arms, f"{name}-ranks")
    return drawn


def _label_picture(by_labels: Sequence[Row], transfer: Results, slots: Mapping[str, Slots]) -> str:
    """Accuracy of task B by number of labels."""
    arms = {row["arm"]: slots[transfer.name][row["arm"]] for row in by_labels}
    smallest = transfer.smallest
    return lines(by_labels, arms, "labels", LABELS, TEST_ACCURACY, smallest=smallest)


def _profiles(results: Results, slots: Slots) -> Iterator[tuple[str, str]]:
    """An SVG element and its caption for each quantity and each depth that networks have."""
    rows = series.rows(results).get("layers", [])
    for depth in sorted({row["depth"] for row in rows}):
        members = [row for row in rows if row["depth"] == depth]
        for y in QUANTITIES:
            caption = f"{y.label.capitalize()} over {depth} hidden layers at initialization"
            trained = any(row["look"] == "last" for row in members)
            caption += "; pale: after training." if trained else "."
            name = f"{results.name}-{y.key}-{depth}"
            yield lines(members, slots, name, LAYERS, y, description=caption), caption


def _networks(results: Results) -> list[str]:
    """The arms of a study, then the networks that were only looked into, never trained."""
    looks = results.diagnostics
    return list(dict.fromkeys([*results.arms, *([] if looks is None else looks["arm"])]))
