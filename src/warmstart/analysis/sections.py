"""The report's first screen, its studies, and what was run on what, as blocks of a document."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from warmstart.analysis.answers import answer, gist, transfer_gist
from warmstart.analysis.diagnosis import Flag, observed_seed
from warmstart.analysis.document import (
    Block,
    Column,
    bullets,
    chart,
    code,
    folded,
    heading,
    joined,
    mono,
    paragraph,
    section,
    strong,
    table,
)
from warmstart.analysis.figures.figure import Figure
from warmstart.analysis.figures.shown import Shown
from warmstart.analysis.judging import Judgement
from warmstart.analysis.ranking_sections import details, ranking
from warmstart.analysis.results import Results
from warmstart.analysis.words import listed, number, share
from warmstart.config.data import DRAWN, Splits

_DRAWN: dict[Splits, str] = {
    "resampled": "each with its own split of the data and",
    "official": "each with its own split of all data but the official test set and",
    "fixed": "all on one split of the data, each with",
}


def first(judgement: Judgement, forest: Figure | None) -> Iterator[Block]:
    """The answers: what to use, what transfer brought, all studies in one picture."""
    yield heading(1, f"How should a network start on {judgement.params.data.name}?")
    advice = judgement.advice
    if advice:
        yield paragraph(strong(advice.headline), style="advice")
    absent = f"Left out, since {why}." if (why := judgement.no_transfer) else "Was not run."
    brought = transfer_gist(judgement.transfer) if judgement.transfer else absent
    yield paragraph(strong("Transfer."), f" {brought}", style="transfer")
    if forest:
        yield chart(forest)
    trials = sum(results.summary.trials for results in judgement.everything)
    yield paragraph(
        f"{trials:,} trials: every arm on the same seeds, {_DRAWN[judgement.params.data.splits]} a "
        "learning rate that its validation part chose; the test part is looked at once and chooses "
        "nothing.",
        style="lead",
    )
    if advice:
        text = [paragraph(advice.text), code(advice.code, "python")]
        yield folded("The advice in full, and the Keras code of that network", text)


def study(shown: Shown, flags: Sequence[Flag]) -> Block:
    """One study of `compare`."""
    results = shown.results
    return section(
        title(results.name),
        anchor(results.name),
        [
            paragraph(gist(results)),
            ranking(shown),
            *details(shown, answer(results)),
            layers(shown, flags),
        ],
    )


def absent(name: str) -> Block:
    """A study of params.yaml that has no results."""
    missing = paragraph("The study was not run: ", mono(f"dvc repro compare@{name}"))
    return section(title(name), anchor(name), [missing])


def layers(shown: Shown, flags: Sequence[Flag]) -> Block:
    """What was seen in the layers of a study."""
    diagnostics = shown.results.diagnostics
    if diagnostics is None or diagnostics.empty:
        return Block("", "")
    healthy = "nothing vanishes, explodes, dies or saturates"
    arms = list(dict.fromkeys(flag.arm for flag in flags))
    which = listed(arms) if len(arms) < 3 else f"{len(arms)} arms"
    said = bullets([joined(strong(flag.arm), f": {flag.text}.") for flag in flags])
    return folded(
        f"Layers: {f'look at {which}' if flags else 'healthy'}",
        [said if flags else paragraph(f"{healthy.capitalize()}."), *_looks(shown, diagnostics)],
    )


def _looks(shown: Shown, diagnostics: pd.DataFrame) -> Iterator[Block]:
    """Pictures over depth, and what clipping and batch norm did."""
    for kind, figure in shown.figures.items():
        if kind.startswith(("activations", "gradients")):
            yield chart(figure)
    looks = observed_seed(diagnostics)
    clipped = looks[looks["clipped"].notna()].drop_duplicates(["arm", "epoch"])
    if len(clipped):
        yield table(
            "What clipping did to the gradients of one seed",
            clipped.to_dict("records"),
            Column("clipping", "l", lambda row: row["arm"]),
            Column("epoch", "r", lambda row: row["epoch"], lambda row: row["epoch"]),
            Column("acts on mini-batches", "r", lambda row: share(row["clipped"], 0)),
            Column(
                "cosine between raw and clipped gradient",
                "r",
                lambda row: f"{row['clip_cosine']:.3f}",
            ),
        )
    last = looks[looks["epoch"] == looks.groupby("arm")["epoch"].transform("max")]
    normalized = last[last["gamma_mean"].notna()]
    if len(normalized):
        yield table(
            "Batch norm: mean and deviation over a layer's units, after the last epoch of one seed",
            normalized.to_dict("records"),
            Column("batch norm", "l", lambda row: row["arm"]),
            Column("layer", "r", lambda row: row["layer"] or "input", lambda row: row["layer"]),
            Column("γ", "r", lambda row: _spread(row, "gamma")),
            Column("β", "r", lambda row: _spread(row, "beta")),
            Column("moving mean", "r", lambda row: _spread(row, "moving_mean")),
            Column("moving variance", "r", lambda row: _spread(row, "moving_variance")),
        )


def _spread(row: Mapping[str, Any], quantity: str) -> str:
    return f"{row[f'{quantity}_mean']:.2f} ± {row[f'{quantity}_deviation']:.2f}"


def about(judgement: Judgement) -> Block:
    """Data, machine and commands: how the page came about."""
    return section(
        "About this run",
        "about",
        [data(judgement.card), _runs(judgement.everything), _reproduce()],
    )


def _runs(stages: Sequence[Results]) -> Block:
    """What was run, and on which machine."""
    timed = [results.timings for results in stages if results.timings]
    machine = []
    if timed:
        first, versions = timed[0]["machine"], timed[0]["versions"]
        parts = [f"{first['cores']} cores of {first['cpu']}"]
        parts += [f"{name} {version}" for name, version in versions.items()]
        machine = [paragraph(f"On {', '.join(parts)}.")]
    of = table(
        "Stages and studies, with the seconds that they took",
        stages,
        Column("stage", "l", lambda results: results.summary.title),
        *(
            Column(name, "r", count, count)
            for name, count in (
                ("arms", lambda results: len(results.summary.arms)),
                ("learning rates", lambda results: len(results.summary.learning_rates)),
                ("seeds", lambda results: results.summary.seeds),
                ("trials", lambda results: results.summary.trials),
            )
        ),
        Column(
            "seconds",
            "r",
            lambda results: number(results.timings.get("seconds"), ".1f"),
            lambda results: results.timings.get("seconds"),
        ),
    )
    return folded(
        f"What was run: {len(stages)} stages and studies, on which machine", [of, *machine]
    )


def data(card: Mapping[str, Any] | None) -> Block:
    """What the card of the prepared data says."""
    if card is None:
        return paragraph("The data have not been prepared: ", mono("dvc repro prepare"))
    facts = {
        "Name": f"{card['name']}, {card['size']}",
        "Task": f"{card['kind']}; the target {card['target']['name']} is {card['why']}",
        "Split": _drawn(card),
        "Source": card["source"],
        "Licence": card["licence"],
    }
    said = bullets(
        [
            *(joined(strong(f"{name}:"), f" {fact}") for name, fact in facts.items()),
            joined(strong("Digest:"), " ", mono(card["digest"][:16])),
            *(joined(strong("Look at:"), f" {line}") for line in card["warnings"]),
        ]
    )
    tasks = table(
        "Samples of each task",
        [item for item in card["tasks"].items() if not item[0].startswith("b_")],  # no pairs
        Column("task", "l", lambda item: item[0]),
        Column("classes", "p", lambda item: ", ".join(item[1].get("class_names") or ()) or None),
        *(_part(name) for name in ("train", "validation", "test")),
    )
    warned = f", {len(card['warnings'])} to look at" if card["warnings"] else ""
    return folded(joined(f"Data: {card['name']}, {card['size']}{warned}"), [said, tasks])


def _part(name: str) -> Column:
    return Column(
        name, "r", lambda item: f"{item[1][name]['n']:,}", lambda item: item[1][name]["n"]
    )


def _drawn(card: Mapping[str, Any]) -> str:
    """How, and what is left out of it."""
    how = DRAWN[card["splits"]]
    full = card["tasks"]["full"]
    left = card["n"] - sum(full[part]["n"] for part in ("train", "validation", "test"))
    if left < 1:
        return how
    return (
        f"{how}; {left:,} rows are left out of each, so that what belongs together stays together"
    )


def _reproduce() -> Block:
    """Commands, and how to read the tables."""
    commands = code(
        "dvc repro                    # everything that has changed\n"
        "dvc repro compare@activation # one study\n"
        "dvc plots show               # the curves in your browser\n"
        "dvc metrics show             # the numbers\n"
        "make mlflow                  # every trial",
        "sh",
    )
    said = paragraph(
        "* the edge of the grid of learning rates, though it was extended once. “Points” are "
        "percentage points. Intervals of arms are t intervals over seeds; those of differences "
        "hold at once for all pairs of arms of a study. A click on a heading sorts a table."
    )
    return folded("How to read and to reproduce it", [said, commands])


def not_run(stage: str) -> Block:
    """In place of what a stage would have left."""
    return paragraph("The stage ", mono(stage), " was not run.")


def title(study: str) -> str:
    return study.replace("_", " ").capitalize()


def anchor(study: str) -> str:
    """By which links point at a study."""
    return f"study-{study}"
