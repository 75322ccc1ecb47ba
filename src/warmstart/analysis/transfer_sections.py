"""The report's section about transfer: model B on pretrained layers."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

from warmstart.analysis import pairs as every_pair
from warmstart.analysis.answers import transfer_answer, transfer_gist
from warmstart.analysis.document import (
    Block,
    Column,
    bullets,
    chart,
    folded,
    image,
    joined,
    mono,
    paragraph,
    section,
    strong,
    table,
)
from warmstart.analysis.encoders import Encoders
from warmstart.analysis.figures.figure import Figure
from warmstart.analysis.figures.rows import Row
from warmstart.analysis.figures.shown import Shown
from warmstart.analysis.judging import Judgement
from warmstart.analysis.label_efficiency import answers
from warmstart.analysis.labels import label
from warmstart.analysis.ranking_sections import details, ranking
from warmstart.analysis.results import Results
from warmstart.analysis.scores import tested
from warmstart.analysis.sections import not_run
from warmstart.analysis.words import Wording, errors, listed, number, share, wording
from warmstart.config.params import asked
from warmstart.config.transfer import Transfer
from warmstart.metrics import METRICS
from warmstart.records import Record

TITLE, ANCHOR = "Transfer: model B on pretrained layers", "transfer"


def transfer(
    judgement: Judgement, shown: Shown | None, label_rows: Sequence[Row]
) -> Iterator[Block]:
    """Model A, model B, labels, pairs and encoders; nothing where the data have no model B."""
    if judgement.no_transfer:
        return
    own = judgement.params.transfer.a if judgement.params.transfer else None
    model_b = _model_b(shown, asked(judgement.params)) if shown else [not_run("transfer")]
    yield section(
        TITLE,
        ANCHOR,
        [
            *model_b,
            pretrain(judgement.pretrain, str(own) if own else None),
            labels(label_rows, shown.figures.get("labels") if shown else None),
            pairs(judgement.pairs),
            encoders(judgement.encoders),
        ],
    )


def _model_b(shown: Shown, recipe: Transfer) -> Iterator[Block]:
    """Model B on pretrained layers."""
    results, epochs = shown.results, recipe.frozen_epochs + recipe.thawed_epochs
    budget = f"All see the same {recipe.train_size} labels for {epochs} epochs"
    at_once = [label(a) for a in results.arms if not results.summary.arms[a].learning_rate]
    if at_once:
        budget += f", but for {listed(at_once)}: fitted as a whole, their strength on validation"
    yield paragraph(f"{transfer_gist(results)} {budget}.")
    yield ranking(shown)
    how = (
        f"By the chapter's recipe the new head learns alone for {recipe.frozen_epochs} of the "
        f"epochs, then everything at {recipe.thawed_factor:g} times the learning rate."
    )
    yield from details(shown, f"{transfer_answer(results)} {how}")
    yield _seed_by_seed(results)


def pretrain(results: Results | None, own: str | None) -> Block:
    """Model A; `own` is the user's, where it is."""
    if own:
        return paragraph(
            "Model A is the user's own: ", mono(own), ". All seeds see the same split."
        )
    if results is None:
        return not_run("pretrain")
    (model_a, *_) = results.summary.arms.values()
    said = wording(results.summary)
    return paragraph(f"Model A: test {said.title} {said.mean(model_a.test)} on task A.")


def _seed_by_seed(results: Results) -> Block:
    """Test and loss of every seed, and the differences."""
    tests = {(r.seed, r.arm): r for r in results.records if r.chosen}
    said = wording(results.summary)

    def column(seed: int) -> Column:
        return Column(
            f"seed {seed}",
            "r",
            lambda arm: said.value(tested(tests[seed, arm])) if (seed, arm) in tests else None,
            lambda arm: tested(tests[seed, arm]) if (seed, arm) in tests else None,
        )

    seeds = sorted({seed for seed, _ in tests})
    by_seed = table(
        f"Test {said.title} by seed", results.arms, Column("arm", "l", label), *map(column, seeds)
    )
    differences = bullets(
        joined(
            strong(label(contrast.arm)),
            f" minus {label(contrast.reference)}: {said.difference(contrast.difference)}, loss "
            f"{contrast.loss_difference.mean:+.3f}",
            f", {errors(contrast.error_factor, said.metric.name)}" if contrast.error_factor else "",
        )
        for contrast in results.summary.contrasts.values()
    )
    return folded("Seed by seed", [by_seed, differences])


def labels(rows: Sequence[Row], figure: Figure | None) -> Block:
    """How many labels a start is worth; nothing where only one number was tried."""
    if not rows:
        return Block("", "")
    metric = next(key for key in rows[0] if key.startswith("test_")).removeprefix("test_")
    counts = sorted({row["labels"] for row in rows})
    return folded(
        f"How many labels a start is worth: {counts[0]} to {counts[-1]} labels",
        [*map(paragraph, answers(rows, metric)), *([chart(figure)] if figure else [])],
    )


def pairs(judged: every_pair.Pairs | None) -> Block:
    """Every pair of classes as task B; nothing where there was only one task B."""
    if judged is None:
        return Block("", "")
    said = Wording(METRICS[judged.metric])
    rows = table(
        "Every pair of classes as task B, largest gain first",
        judged.rows,
        Column("classes", "l", lambda row: ", ".join(row.classes)),
        Column(
            "from scratch (95 %)",
            "r",
            lambda row: said.mean(row.reference),
            lambda row: row.reference.mean,
        ),
        Column(
            "on A’s layers (95 %)", "r", lambda row: said.mean(row.arm), lambda row: row.arm.mean
        ),
        Column(
            "difference (95 %)",
            "r",
            lambda row: said.difference(row.contrast.difference),
            lambda row: row.contrast.difference.mean,
        ),
        Column(
            "errors",
            "r",
            lambda row: row.contrast.error_factor and errors(row.contrast.error_factor),
        ),
        Column("likeness", "r", lambda row: f"{row.likeness:.2f}", lambda row: row.likeness),
        Column(
            "p",
            "r",
            lambda row: number(row.contrast.p_value, ".2g"),
            lambda row: row.contrast.p_value,
        ),
        Column("transfer", "l", lambda row: every_pair.WORDS[row.contrast.verdict]),
    )
    how = paragraph(
        "For each pair model A was trained on all other classes. p-values are corrected over all "
        "pairs (Holm). Likeness is the share of what tells the two class means apart that lies "
        "where the other class means differ, too. The difference over all pairs is taken in every "
        "seed, then over seeds."
    )
    summary = f"Every pair of classes as task B: {len(judged.rows)} pairs"
    return folded(summary, [paragraph(every_pair.answer(judged)), rows, how])


def encoders(seen: Encoders | None) -> Block:
    """Pretraining without labels."""
    if seen is None:
        return not_run("autoencode")
    how = paragraph(
        "The encoders that model B starts on saw the training samples of both tasks and none of "
        "their labels. The loss of an autoencoder is the mean squared error on standardized "
        "samples, where 1 is what the mean gives; that of rotation is the cross-entropy of four "
        "turns. Values are means over splits, each at its own best learning rate."
    )
    by_arm: dict[str, list[Record]] = defaultdict(list)
    for record in seen.chosen:
        by_arm[record.arm].append(record)

    def last(title: str, metric: str) -> Column:
        def value(records: list[Record]) -> float:
            return fmean(record.epochs[metric][-1] for record in records)

        if metric == "val_accuracy":
            return Column(title, "r", lambda records: share(value(records)))
        return Column(title, "r", lambda records: number(value(records), ".4f"), value)

    trained = table(
        "Encoders, by what they were trained on",
        [*by_arm.values()],
        Column("trained", "l", lambda records: records[0].arm.replace("_", ", layer ")),
        Column("splits", "r", len, len),
        Column("learning rate", "r", _rates),
        last("training loss", "loss"),
        last("validation loss", "val_loss"),
        last("validation accuracy", "val_accuracy"),
    )
    pictures = [image(uri, caption) for caption, uri in seen.pictures.items()]
    methods = ", ".join(dict.fromkeys(arm.split("_")[0] for arm in by_arm))
    return folded(f"Pretraining without labels: {methods}", [how, trained, *pictures])


def _rates(records: list[Record]) -> str:
    return " or ".join(f"{rate:g}" for rate in sorted({r.learning_rate for r in records}))
