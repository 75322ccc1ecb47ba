"""The report, section by section, as blocks of a document."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from warmstart.analysis.answers import answer, arm_name, transfer_answer, warnings
from warmstart.analysis.diagnosis import Flag
from warmstart.analysis.document import (
    Block,
    Column,
    bullets,
    code,
    dotted,
    figure,
    heading,
    paragraph,
    table,
)
from warmstart.analysis.judging import Judgement
from warmstart.analysis.picture import Shown
from warmstart.analysis.results import Results
from warmstart.analysis.scores import followed
from warmstart.analysis.series import observed_seed
from warmstart.analysis.summary import ArmSummary, Summary
from warmstart.analysis.ties import letters
from warmstart.analysis.words import Wording, wording
from warmstart.config.params import Splits
from warmstart.contrasts import flattery
from warmstart.metrics import METRICS

CAPTIONS = {
    "seeds": "Test {metric}; a line joins the same seed, a bar is the mean.",
    "ranking": "Test {metric} and 95 % interval; hollow: shown to differ from the reference.",
    "curves": "Validation {followed} at each arm's own learning rate, mean over seeds and 95 % "
    "band.",
    "ranks": "Critical differences: a bar joins arms that are not shown to differ; a dot on it is "
    "an arm that belongs to it.",
    "times": "The same curves against the time that training took, without compilation.",
    "rates": "Last validation {metric} by learning rate; the large dot was chosen.",
}
"""What a kind of picture shows, in the order of the page."""
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
    yield paragraph(f"{trials} trials; {how}.", "lead")
    if judgement.advice:
        yield paragraph(f"**What to use.** {judgement.advice.text}")
        yield code(judgement.advice.code, "python", "The Keras code of that network")
    for results in judgement.studies:
        yield paragraph(f"**{_title(results.name)}.** {answer(results)}")
    transfer = transfer_answer(judgement.transfer) if judgement.transfer else "Was not run."
    yield paragraph(f"**Transfer.** {transfer}")


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
        yield paragraph("The data have not been prepared: `dvc repro prepare`")
        return
    shape = " × ".join(map(str, card["feature_shape"]))
    yield bullets(
        [
            f"**Name:** {card['name']}, {card['n']:,} samples of {card['features']} features "
            f"({shape})",
            f"**Source:** {card['source']}",
            f"**Licence:** {card['licence']}",
            f"**Digest:** `{card['digest'][:16]}`",
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


def study(shown: Shown) -> Iterator[Block]:
    """One study of `compare`."""
    yield heading(2, _title(shown.results.name))
    yield paragraph(answer(shown.results))
    yield from ranking(shown)
    yield from figures(shown)


def absent(name: str) -> Iterator[Block]:
    """A study of params.yaml that has no results."""
    yield heading(2, _title(name))
    yield paragraph(f"The study was not run: `dvc repro compare@{name}`")


def ranking(shown: Shown) -> Iterator[Block]:
    """Two tables with a row per arm, and what to know before believing them."""
    results, summary = shown.results, shown.results.summary
    said, kin = wording(summary), followed(summary.metric)
    # in the unit of what is followed, which may be the loss
    every_epoch = said if kin.metric == said.metric else Wording(kin.metric)
    reference = "baseline" if summary.stage == "transfer" else "choice"
    rows = [(arm, judged, results.contrast(arm)) for arm, judged in summary.arms.items()]

    name = ("arm", "l", lambda row: dotted(arm_name(row[0]), shown.slots[row[0]]))
    yield table(
        rows,
        ("rank", "r", lambda row: row[1].rank),
        name,
        (f"test {said.title} (95 %)", "r", lambda row: said.mean(row[1].test)),
        ("ties", "l", lambda row: letters(row[0], summary.groups) or None),
        (
            f"against the {reference} (95 %)",
            "r",
            lambda row: row[2] and said.difference(row[2].difference),
        ),
        ("p", "r", lambda row: row[2] and number(row[2].p_value, ".2g")),
        ("verdict", "l", lambda row: row[2].verdict if row[2] else "reference"),
        ("seeds", "r", lambda row: row[1].test.n),
        (
            "learning rate",
            "r",
            lambda row: f"{_rate(row[1])}{'*' if row[1].at_edge else ''}",
        ),
        ("diverged", "r", lambda row: share(row[1].diverged_share, 0)),
    )
    yield paragraph(_how_to_read(summary))
    yield table(
        rows,
        name,
        (
            f"validation {said.title}, last epoch (95 %)",
            "r",
            lambda row: said.mean(row[1].validation),
        ),
        (
            "best epoch’s" if kin.title != "loss" else "best epoch’s loss",
            "r",
            lambda row: every_epoch.value(row[1].best_validation.mean),
        ),
        (
            "best of all epochs",
            "r",
            lambda row: f"{row[1].best_epoch:.1f} of {row[1].last_epoch:.1f}",
        ),
        (
            f"epochs to {every_epoch.value(summary.target)}",
            "r",
            lambda row: row[1].epochs_to_target and f"{row[1].epochs_to_target.mean:.1f}",
        ),
        ("seeds that reach it", "r", lambda row: share(row[1].reached_share, 0)),
        ("seconds to it", "r", lambda row: number(results.seconds_to_target(row[0]), ".2g")),
        ("ms / epoch", "r", lambda row: number(results.seconds_per_epoch(row[0]), ",.1f", 1000)),
    )
    yield from _others(rows, name)
    for warning in warnings(results):
        yield paragraph(warning, "warning")


def _others(rows: Sequence[tuple[str, ArmSummary, Any]], name: Column) -> Iterator[Block]:
    """The other metrics of the test, which decide nothing; nothing where there are none."""
    others = list(dict.fromkeys(metric for _, judged, _ in rows for metric in judged.others))
    if not others:
        return

    def column(metric: str) -> Column:
        said = Wording(METRICS[metric])
        return (f"test {said.title}", "r", lambda row: said.mean(row[1].others[metric]))

    yield table(rows, name, *map(column, others))


def _rate(arm: ArmSummary) -> str:
    """That of most seeds, and of how many: `0.3 (12 of 15)`."""
    rate, count = f"{arm.learning_rate:g}", sum(arm.rates.values())
    return rate if len(arm.rates) == 1 else f"{rate} ({arm.rates[rate]} of {count})"


def _how_to_read(summary: Summary) -> str:
    sentences = []
    if summary.groups:
        sentences.append(
            "Arms that share a letter under “ties” are not shown to differ, over all pairs."
        )
    sentences.append(
        f"“Practically equal” is {wording(summary).within(summary.margin)}; of all differences in "
        "this table that are called better or worse, any is false in at most 5 % of runs."
    )
    if summary.widening:
        sentences.append(
            "Intervals speak of these data; for new data like these they are "
            f"{summary.widening:.1f} times as wide with {summary.seeds} seeds."
        )
    if summary.splits == "official":
        sentences.append(
            "All seeds share the official test set: intervals speak of the other data split and "
            "trained anew, not of other test samples or new data."
        )
    if summary.deviation:
        off, said = flattery(len(summary.arms), summary.deviation, summary.seeds), wording(summary)
        means = "mean accuracies" if said.metric.name == "accuracy" else f"means of {said.title}"
        ends = ("highest", "above") if said.metric.higher_is_better else ("lowest", "below")
        sentences.append(
            f"Were all {len(summary.arms)} arms the same, the {ends[0]} of their {means} "
            f"would still lie {said.apart(off)} {ends[1]} the truth."
        )
    return " ".join(sentences)


def layers(shown: Shown, flags: Sequence[Flag]) -> Iterator[Block]:
    """What was seen in the layers of a study."""
    diagnostics = shown.results.diagnostics
    if diagnostics is None or diagnostics.empty:
        return
    yield heading(3, "In the layers")
    yield bullets([f"**{flag.arm}**: {flag.text}." for flag in flags])
    if not flags:
        yield paragraph("Nothing vanishes, explodes, dies or saturates.")
    for svg, caption in shown.profiles():
        yield figure(svg, f"{caption} {_again(shown)}")
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
    return paragraph(f"The stage `{stage}` was not run.")


def figures(shown: Shown) -> Iterator[Block]:
    """The pictures of one stage or study."""
    said = wording(shown.results.summary)
    words = {"metric": said.title, "followed": followed(said.metric.name).title}
    for kind, caption in CAPTIONS.items():
        if kind in shown.pictures:
            yield figure(shown.pictures[kind], f"{caption.format(**words)} {_again(shown)}")


def _again(shown: Shown) -> str:
    return f"`dvc repro {shown.results.summary.title} report`"


def _title(study: str) -> str:
    return study.replace("_", " ").capitalize()


def number(value: float | None, form: str, scale: float = 1) -> str | None:
    """`scale` times the value; None for what is no finite number."""
    return None if value is None or not math.isfinite(value) else format(scale * value, form)


def share(value: float | None, digits: int = 1) -> str | None:
    shown = number(value, f".{digits}f", 100)
    return shown and f"{shown} %"
