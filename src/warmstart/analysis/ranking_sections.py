"""Pictures and tables of the arms of one stage or study: the ranking, and folded up all else."""

from collections.abc import Iterator, Sequence
from typing import Any

from warmstart.analysis.answers import warnings
from warmstart.analysis.document import (
    Block,
    Column,
    beside,
    chart,
    folded,
    marked,
    paragraph,
    table,
)
from warmstart.analysis.figures.shown import Shown
from warmstart.analysis.labels import label
from warmstart.analysis.scores import followed
from warmstart.analysis.summary import ArmSummary, Contrast, Summary
from warmstart.analysis.ties import letters
from warmstart.analysis.words import Wording, number, rate, rates, share, wording
from warmstart.contrasts import flattery
from warmstart.metrics import METRICS

ORDER = ("reference", "better", "practically equal", "open", "worse")
"""By which verdicts are sorted."""
PICTURES = {
    "seeds": "seeds",
    "curves": "curves",
    "times": "times",
    "rates": "rates",
}
"""Kinds of pictures that are folded up, in the order of the page, by what the fold says."""
_READING = "Hollow: differs; shaded: practically equal."
Row = tuple[str, ArmSummary, Contrast | None]


def ranking(shown: Shown) -> Block:
    """The picture of all arms beside a table with a row per arm."""
    parts = [chart(shown.figures["ranking"], _READING)] if "ranking" in shown.figures else []
    return beside(*parts, _ranked(shown, _rows(shown)))


def details(shown: Shown, said: str) -> Iterator[Block]:
    """What the ranking leaves out: the answer in the words `said`, what to know before believing
    it, validation, speed, other metrics, the other pictures."""
    rows, results = _rows(shown), shown.results
    cautions = [paragraph(warning, style="warning") for warning in warnings(results)]
    counted = f", {len(cautions)} caution{'s' * (len(cautions) > 1)}" if cautions else ""
    yield folded(
        f"In words, ties, p-values{counted}",
        [
            paragraph(said),
            *cautions,
            _tests(shown, rows),
            paragraph(how_to_read(results.summary)),
        ],
    )
    others = list(dict.fromkeys(metric for _, arm, _ in rows for metric in arm.others))
    yield folded(
        f"Validation, speed{', other metrics' if others else ''}",
        [_training(shown, rows), *([_others(shown, rows, others)] if others else [])],
    )
    figures = {kind: shown.figures[kind] for kind in PICTURES if kind in shown.figures}
    yield folded(
        f"Pictures: {', '.join(PICTURES[kind] for kind in figures)}", map(chart, figures.values())
    )


def _rows(shown: Shown) -> list[Row]:
    arms = shown.results.summary.arms
    return [(arm, judged, shown.results.contrast(arm)) for arm, judged in arms.items()]


def _name(shown: Shown) -> Column:
    stage = shown.results.summary.stage
    return Column("arm", "l", lambda row: marked(label(row[0], stage), shown.looks[row[0]]))


def _ranked(shown: Shown, rows: Sequence[Row]) -> Block:
    """Six columns, in the order of validation."""
    summary = shown.results.summary
    said = wording(summary)
    unit, apart = (" (%)", " (points)") if said.metric.form == "share" else ("", "")
    return table(
        "Best on validation first; 95 % intervals",
        rows,
        _name(shown),
        Column("verdict", "l", lambda row: _verdict(row), lambda row: ORDER.index(_verdict(row))),
        Column(
            f"test {said.title}{unit}",
            "r",
            lambda row: said.in_column(said.mean(row[1].test)),
            lambda row: row[1].test.known,
        ),
        Column(
            f"difference{apart}",
            "r",
            lambda row: row[2] and said.in_column(said.difference(row[2].difference)),
            lambda row: row[2].difference.mean if row[2] else 0.0,
        ),
        Column(
            "learning rate",
            "r",
            lambda row: rate(row[1].learning_rate, "*" if row[1].at_edge else ""),
            lambda row: row[1].learning_rate,
        ),
        Column("seeds", "r", lambda row: row[1].test.n, lambda row: row[1].test.n),
    )


def _verdict(row: Row) -> str:
    return row[2].verdict if row[2] else "reference"


def _tests(shown: Shown, rows: Sequence[Row]) -> Block:
    summary = shown.results.summary
    return table(
        "Ties over all pairs of arms, p-values against the reference, learning rates",
        rows,
        _name(shown),
        Column("rank on validation", "r", lambda row: row[1].rank, lambda row: row[1].rank),
        Column("ties", "l", lambda row: letters(row[0], summary.groups) or None),
        Column(
            "p", "r", lambda row: row[2] and number(row[2].p_value, ".2g"), lambda row: _p(row[2])
        ),
        Column("rates by seeds", "l", lambda row: rates(row[1].rates)),
        Column(
            "diverged",
            "r",
            lambda row: share(row[1].diverged_share, 0),
            lambda row: row[1].diverged_share,
        ),
    )


def _p(contrast: Contrast | None) -> float | None:
    return contrast.p_value if contrast else None


def _training(shown: Shown, rows: Sequence[Row]) -> Block:
    """Validation and speed."""
    results, summary = shown.results, shown.results.summary
    said, kin = wording(summary), followed(summary.metric)
    # in the unit of what is followed, which may be the loss
    every_epoch = said if kin.metric == said.metric else Wording(kin.metric)

    def epochs(row: Row) -> float | None:
        return row[1].epochs_to_target.mean if row[1].epochs_to_target else None

    def reached(row: Row) -> float | None:
        return row[1].best_validation.known

    def timed(title: str, seconds: Any, form: str, scale: float = 1) -> Column:
        return Column(
            title,
            "r",
            lambda row: number(seconds(row[0]), form, scale),
            lambda row: seconds(row[0]),
        )

    return table(
        "Validation and speed of training",
        rows,
        _name(shown),
        Column(
            f"validation {said.title}, last epoch (95 %)",
            "r",
            lambda row: said.mean(row[1].validation),
            lambda row: row[1].validation.known,
        ),
        Column(
            "best epoch’s" if kin.title != "loss" else "best epoch’s loss",
            "r",
            lambda row: every_epoch.value(best) if (best := reached(row)) is not None else None,
            reached,
        ),
        Column(
            "best of all epochs",
            "r",
            lambda row: f"{row[1].best_epoch:.1f} of {row[1].last_epoch:.1f}",
            lambda row: row[1].best_epoch,
        ),
        Column(
            f"epochs to {every_epoch.value(summary.target)}",
            "r",
            lambda row: number(epochs(row), ".1f"),
            epochs,
        ),
        Column(
            "seeds that reach it",
            "r",
            lambda row: share(row[1].reached_share, 0),
            lambda row: row[1].reached_share,
        ),
        timed("seconds to it", results.seconds_to_target, ".2g"),
        timed("ms / epoch", results.seconds_per_epoch, ",.1f", 1000),
    )


def _others(shown: Shown, rows: Sequence[Row], others: Sequence[str]) -> Block:
    """The other metrics of the test, which decide nothing."""

    def column(metric: str) -> Column:
        said = Wording(METRICS[metric])
        return Column(
            f"test {said.title}",
            "r",
            lambda row: said.mean(row[1].others[metric]),
            lambda row: row[1].others[metric].known,
        )

    caption = "Other metrics of the test, which decide nothing, with 95 % intervals"
    return table(caption, rows, _name(shown), *map(column, others))


def how_to_read(summary: Summary) -> str:
    """What the words and the intervals of a study's table mean."""
    sentences = []
    if summary.groups:
        sentences.append(
            "Arms that share a letter under “ties” are not shown to differ, over all pairs."
        )
    sentences.append(
        f"“Practically equal” is {wording(summary).within(summary.margin)}; of all differences in "
        "the table that are called better or worse, any is false in at most 5 % of runs."
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
