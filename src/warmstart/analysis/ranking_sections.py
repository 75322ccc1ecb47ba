"""Tables and pictures of the arms of one stage or study."""

from collections.abc import Iterator, Sequence
from typing import Any

from warmstart.analysis.answers import arm_name, warnings
from warmstart.analysis.document import Block, Column, dotted, figure, mono, paragraph, table
from warmstart.analysis.picture import Shown
from warmstart.analysis.scores import followed
from warmstart.analysis.summary import ArmSummary, Summary
from warmstart.analysis.ties import letters
from warmstart.analysis.words import Wording, number, share, wording
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


def ranking(shown: Shown) -> Iterator[Block]:
    """Two tables with a row per arm, and what to know before believing them."""
    results, summary = shown.results, shown.results.summary
    said, kin = wording(summary), followed(summary.metric)
    # in the unit of what is followed, which may be the loss
    every_epoch = said if kin.metric == said.metric else Wording(kin.metric)
    reference = "baseline" if summary.stage == "transfer" else "choice"
    rows = [(arm, judged, results.contrast(arm)) for arm, judged in summary.arms.items()]

    name = ("arm", "l", lambda row: dotted(arm_name(row[0], summary.stage), shown.slots[row[0]]))
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
        yield paragraph(warning, style="warning")


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


def figures(shown: Shown) -> Iterator[Block]:
    """The pictures of one stage or study."""
    said = wording(shown.results.summary)
    words = {"metric": said.title, "followed": followed(said.metric.name).title}
    for kind, caption in CAPTIONS.items():
        if kind in shown.pictures:
            yield figure(shown.pictures[kind], f"{caption.format(**words)} ", again(shown))


def again(shown: Shown) -> Block:
    """The command that makes it anew."""
    return mono(f"dvc repro {shown.results.summary.title} report")
