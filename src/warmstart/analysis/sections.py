"""The report, section by section, as blocks of a document."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from warmstart.analysis.answers import answer, transfer_answer
from warmstart.analysis.diagnosis import Flag
from warmstart.analysis.document import (
    Block,
    bullets,
    code,
    figure,
    heading,
    joined,
    mono,
    paragraph,
    strong,
    table,
)
from warmstart.analysis.judging import Judgement
from warmstart.analysis.picture import Shown
from warmstart.analysis.ranking_sections import again, figures, ranking
from warmstart.analysis.results import Results
from warmstart.analysis.series import observed_seed
from warmstart.analysis.words import number, share
from warmstart.config.params import DRAWN, Splits

_DRAWN: dict[Splits, str] = {
    "resampled": "each with its own split of the data and",
    "official": "each with its own split of all data but the official test set and",
    "fixed": "all on one split of the data, each with",
}


def head(judgement: Judgement) -> Iterator[Block]:
    """The answers."""
    trials = sum(results.summary.trials for results in judgement.everything)
    yield heading(1, f"How should a network start on {judgement.params.data.name}?")
    how = (
        f"every arm on the same seeds, {_DRAWN[judgement.params.data.splits]} a learning rate that "
        "its validation part chose; the test part is looked at once and chooses nothing"
    )
    yield paragraph(f"{trials} trials; {how}.", style="lead")
    if judgement.advice:
        yield paragraph(strong("What to use."), f" {judgement.advice.text}")
        yield code(judgement.advice.code, "python", "The Keras code of that network")
    for results in judgement.studies:
        yield paragraph(strong(f"{_title(results.name)}."), f" {answer(results)}")
    absent = f"Left out, since {why}." if (why := judgement.no_transfer) else "Was not run."
    transfer = transfer_answer(judgement.transfer) if judgement.transfer else absent
    yield paragraph(strong("Transfer."), f" {transfer}")


def runs(stages: Sequence[Results]) -> Iterator[Block]:
    """What was run, and on which machine."""
    yield heading(2, "What was run")
    yield table(
        stages,
        ("stage", "l", lambda results: results.summary.title),
        ("arms", "r", lambda results: len(results.summary.arms)),
        ("learning rates", "r", lambda results: len(results.summary.learning_rates)),
        ("seeds", "r", lambda results: results.summary.seeds),
        ("trials", "r", lambda results: results.summary.trials),
        ("seconds", "r", lambda results: number(results.timings.get("seconds"), ".1f")),
    )
    if timed := [results.timings for results in stages if results.timings]:
        machine, versions = timed[0]["machine"], timed[0]["versions"]
        parts = [f"{machine['cores']} cores of {machine['cpu']}"]
        parts += [f"{name} {version}" for name, version in versions.items()]
        yield paragraph(f"On {', '.join(parts)}.")


def data(card: Mapping[str, Any] | None) -> Iterator[Block]:
    """What the card of the prepared data says."""
    yield heading(2, "Data")
    if card is None:
        yield paragraph("The data have not been prepared: ", mono("dvc repro prepare"))
        return
    facts = {
        "Name": f"{card['name']}, {card['size']}",
        "Task": f"{card['kind']}; the target {card['target']['name']} is {card['why']}",
        "Split": _drawn(card),
        "Source": card["source"],
        "Licence": card["licence"],
    }
    yield bullets(
        [
            *(joined(strong(f"{name}:"), f" {fact}") for name, fact in facts.items()),
            joined(strong("Digest:"), " ", mono(card["digest"][:16])),
            *(joined(strong("Look at:"), f" {line}") for line in card["warnings"]),
        ]
    )
    yield table(
        [item for item in card["tasks"].items() if not item[0].startswith("b_")],  # no pairs
        ("task", "l", lambda item: item[0]),
        ("classes", "p", lambda item: ", ".join(item[1].get("class_names") or ()) or None),
        ("train", "r", lambda item: f"{item[1]['train']['n']:,}"),
        ("validation", "r", lambda item: f"{item[1]['validation']['n']:,}"),
        ("test", "r", lambda item: f"{item[1]['test']['n']:,}"),
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


def study(shown: Shown) -> Iterator[Block]:
    """One study of `compare`."""
    yield heading(2, _title(shown.results.name))
    yield paragraph(answer(shown.results))
    yield from ranking(shown)
    yield from figures(shown)


def absent(name: str) -> Iterator[Block]:
    """A study of params.yaml that has no results."""
    yield heading(2, _title(name))
    yield paragraph("The study was not run: ", mono(f"dvc repro compare@{name}"))


def layers(shown: Shown, flags: Sequence[Flag]) -> Iterator[Block]:
    """What was seen in the layers of a study."""
    diagnostics = shown.results.diagnostics
    if diagnostics is None or diagnostics.empty:
        return
    yield heading(3, "In the layers")
    yield bullets([joined(strong(flag.arm), f": {flag.text}.") for flag in flags])
    if not flags:
        yield paragraph("Nothing vanishes, explodes, dies or saturates.")
    for svg, caption in shown.profiles():
        yield figure(svg, f"{caption} ", again(shown))
    looks = observed_seed(diagnostics)
    clipped = looks[looks["clipped"].notna()].drop_duplicates(["arm", "epoch"])
    if len(clipped):
        yield table(
            clipped.to_dict("records"),
            ("clipping", "l", lambda row: row["arm"]),
            ("epoch", "r", lambda row: row["epoch"]),
            ("acts on mini-batches", "r", lambda row: share(row["clipped"], 0)),
            (
                "cosine between raw and clipped gradient",
                "r",
                lambda row: f"{row['clip_cosine']:.3f}",
            ),
        )
    last = looks[looks["epoch"] == looks.groupby("arm")["epoch"].transform("max")]
    normalized = last[last["gamma_mean"].notna()]
    if len(normalized):
        yield table(
            normalized.to_dict("records"),
            ("batch norm", "l", lambda row: row["arm"]),
            ("layer", "r", lambda row: row["layer"] or "input"),
            ("γ", "r", lambda row: _spread(row, "gamma")),
            ("β", "r", lambda row: _spread(row, "beta")),
            ("moving mean", "r", lambda row: _spread(row, "moving_mean")),
            ("moving variance", "r", lambda row: _spread(row, "moving_variance")),
        )
        yield paragraph(
            "Mean and deviation over a layer's units, after the last epoch of one seed."
        )


def _spread(row: Mapping[str, Any], quantity: str) -> str:
    return f"{row[f'{quantity}_mean']:.2f} ± {row[f'{quantity}_deviation']:.2f}"


def reproduce() -> Iterator[Block]:
    """Commands, and how to read the tables."""
    yield heading(2, "How to reproduce")
    yield code(
        "dvc repro                    # everything that has changed\n"
        "dvc repro compare@activation # one study\n"
        "dvc plots show               # the curves in your browser\n"
        "dvc metrics show             # the numbers\n"
        "make mlflow                  # every trial",
        "sh",
    )
    yield paragraph(
        "* the edge of the grid of learning rates, though it was extended once. “Points” are "
        "percentage points. Intervals of arms are t intervals over seeds; those of differences "
        "hold at once for all pairs of arms of a study."
    )


def not_run(stage: str) -> Block:
    """In place of what a stage would have left."""
    return paragraph("The stage ", mono(stage), " was not run.")


def _title(study: str) -> str:
    return study.replace("_", " ").capitalize()
