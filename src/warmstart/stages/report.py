"""The report: what was run, what came out, and how sure that is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from warmstart.analysis import claims, encoders, label_efficiency, layers, page, pairs, series
from warmstart.analysis.advice import advise
from warmstart.analysis.picture import Picture
from warmstart.analysis.results import read_results
from warmstart.analysis.style import colour, palette
from warmstart.config.params import Params
from warmstart.files import read_json, replacing, write_json
from warmstart.records import Summary


class Linked(Protocol):
    """A page, and the study or stage that it is about, if it is one."""

    @property
    def about(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def url(self) -> str: ...


def report(
    params: Params,
    results: Path,
    prepared: Path,
    models: Path,
    output: Path,
    links: Sequence[Linked] = (),
) -> None:
    """Write `report.html` (self-contained), `report.md`, `claims.json`, its pictures as
    `pictures/*.svg`, the colours of arms in them as `colours.json`, and `plots/*.json` for
    `dvc plots` into `output`, from whatever stages have results below `results`.

    Args:
        params: of the run.
        results: folder with `pretrain`, `autoencode`, `transfer` and `compare/STUDY`.
        prepared: folder with `card.json`.
        models: folder with `a.keras` and `b.keras`.
        output: folder to write to.
        links: to further pages, as of a tracker's.
    """
    pretrain = read_results(results / "pretrain")
    transfer = read_results(results / "transfer")
    studies = [
        found
        for name in params.compare.studies
        if (found := read_results(results / "compare" / name))
    ]
    ran = {found.name for found in studies}
    everything = [found for found in (pretrain, transfer, *studies) if found]
    card = read_json(prepared / "card.json") if (prepared / "card.json").exists() else None
    more_labels = [  # than the stage itself has: what fewer labels are held against
        read_results(folder)
        for folder in sorted((results / "transfer" / "labels").glob("*"))
        if int(folder.name) > params.transfer.train_size
    ]
    judged = claims.judge(
        {found.name: found for found in (transfer, *studies, *more_labels) if found},
        training_samples=card["tasks"]["full"]["train"]["n"] if card else None,
    )
    every_pair = results / "transfer" / "pairs" / "pairs.json"
    by_labels = _by_labels(results / "transfer")
    colours = palette(
        {found.name: found.arms for found in everything}
        | {f"{found.name}, layers": layers.names(found) for found in studies}
    )
    label_picture = ""
    if by_labels and transfer:
        label_picture = label_efficiency.picture(
            by_labels, colours[transfer.name], "labels", smallest=transfer.smallest
        )
    content = {
        "advice": advise(
            params.compare,
            studies,
            features=card["features"],
            classes=len(card["tasks"]["full"]["class_names"]),
            task=prepared / "full.npz",
        )
        if card
        else None,
        "params": params,
        "card": card,
        "encoders": encoders.read(results / "autoencode", card["feature_shape"] if card else ()),
        "pretrain": pretrain,
        "transfer": transfer,
        "studies": studies,
        "absent": [name for name in params.compare.studies if name not in ran],
        "everything": everything,
        "palette": colours,
        "layers": {
            found.name: layers.of(found, colours[f"{found.name}, layers"]) for found in studies
        },
        "claims": judged,
        "label_answers": label_efficiency.answers(by_labels, page.words),
        "label_picture": label_picture,
        "pairs": pairs.Pairs.read(every_pair) if every_pair.exists() else None,
        "pairs_answer": pairs.answer,
        "pair_words": pairs.WORDS,
        "models": sorted(path.name for path in models.glob("*.keras")),
        "links": links,
    }
    for name in ("report.html", "report.md"):
        with replacing(output / name) as unfinished:
            unfinished.write_text(page.render(f"{name}.j2", **content), encoding="utf-8")
    write_json(output / "claims.json", claims.as_json(judged))
    # for whoever draws the same arms elsewhere
    hues = {
        found.name: {arm: colour(slot) for arm, slot in colours[found.name].items()}
        for found in everything
    }
    write_json(output / "colours.json", hues)
    drawn = {
        f"{found.name}_{kind}": svg
        for found in everything
        for kind, svg in page.pictures(found, colours[found.name]).items()
    } | {"label_efficiency": label_picture}
    for name, svg in drawn.items():
        if svg:
            Picture(svg).save(output / "pictures" / f"{name}.svg")
    compared = [found for found in (transfer, *studies) if found]
    rows = {
        "ranking": [row for found in compared for row in series.ranking(found.summary)],
        "ranks": [row for found in compared for row in series.ranks(found.summary)],
        "times": [
            row
            for found in compared
            for row in series.times(found.records, found.seconds_per_epoch)
        ],
        "learning_curves": [
            r for found in everything for r in series.learning_curves(found.records)
        ],
        "learning_rates": [r for found in everything for r in series.learning_rates(found.records)],
        "layers": [
            row
            for found in studies
            if found.diagnostics is not None
            for row in series.layers(found.diagnostics)
        ],
        "transfer": series.per_seed(transfer.records) if transfer else [],
        "label_efficiency": by_labels,
    }
    for name, content_of_plot in rows.items():
        write_json(output / "plots" / f"{name}.json", content_of_plot)
    for found in studies:
        print(f"{found.summary.title}: {page.answer(found)}")
    if transfer:
        print(f"transfer: {page.transfer_answer(transfer)}")


def _by_labels(transfer: Path) -> list[label_efficiency.Row]:
    """Of the stage itself and of its studies with other numbers of labels; none if it did only
    one."""
    files = [transfer / "summary.json", *transfer.glob("labels/*/summary.json")]
    summaries = {}
    for summary in (Summary.read(file) for file in files if file.exists()):
        labels = next(iter(summary.arms.values())).settings.get("labels", "0")
        summaries[int(labels)] = summary
    return label_efficiency.rows(summaries) if len(summaries) > 1 else []
