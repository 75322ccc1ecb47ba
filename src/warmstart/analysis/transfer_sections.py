"""The report's section about transfer: model B on pretrained layers."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from statistics import fmean

from warmstart.analysis import pairs as every_pair
from warmstart.analysis.answers import arm_name, transfer_answer
from warmstart.analysis.document import (
    Block,
    Column,
    bullets,
    figure,
    heading,
    joined,
    mono,
    paragraph,
    strong,
    table,
)
from warmstart.analysis.encoders import Encoders
from warmstart.analysis.label_efficiency import answers
from warmstart.analysis.picture import Shown
from warmstart.analysis.ranking_sections import figures, ranking
from warmstart.analysis.results import Results
from warmstart.analysis.scores import tested
from warmstart.analysis.sections import not_run
from warmstart.analysis.series import Row
from warmstart.analysis.words import Wording, errors, number, share, wording
from warmstart.config.params import Transfer
from warmstart.metrics import METRICS
from warmstart.records import Record


def pretrain(results: Results | None, own: str | None) -> Iterator[Block]:
    """The title of everything about transfer, and model A; `own` is the user's, where it is."""
    yield heading(2, "Transfer: model B on pretrained layers")
    if own:
        yield paragraph("Model A is the user's own: ", mono(own), ". All seeds see the same split.")
        return
    if results is None:
        yield not_run("pretrain")
        return
    (model_a, *_) = results.summary.arms.values()
    said = wording(results.summary)
    reached = said.mean(model_a.test)
    text = f"Model A reaches {reached} test {said.title}"
    if said.metric.form != "share":
        text = f"Model A reaches a test {said.title} of {reached}"
    yield paragraph(f"{text} on task A.")


def transfer(shown: Shown, recipe: Transfer) -> Iterator[Block]:
    """Model B on pretrained layers."""
    yield paragraph(
        f"{transfer_answer(shown.results)} All arms see the same {recipe.train_size} labels and "
        f"train for {recipe.frozen_epochs + recipe.thawed_epochs} epochs; by the chapter's recipe "
        f"the new head learns alone for {recipe.frozen_epochs} of them, then everything at "
        f"{recipe.thawed_factor:g} times the learning rate."
    )
    yield from ranking(shown)
    yield from _seed_by_seed(shown.results)
    yield from figures(shown)


def _seed_by_seed(results: Results) -> Iterator[Block]:
    """Test and loss of every seed, and the differences."""
    yield heading(3, "Seed by seed")
    tests = {(r.seed, r.arm): r for r in results.records if r.chosen}
    said = wording(results.summary)

    def columns(arm: str) -> Iterator[Column]:
        yield (
            f"{arm_name(arm)}: {said.title}",
            "r",
            lambda seed: said.value(tested(tests[seed, arm])),
        )
        yield "loss", "r", lambda seed: f"{tests[seed, arm].test['test_loss']:.3f}"

    seeds = sorted({seed for seed, _ in tests})
    yield table(seeds, ("seed", "r", str), *chain.from_iterable(map(columns, results.arms)))
    yield bullets(
        joined(
            strong(arm_name(contrast.arm)),
            f" minus {arm_name(contrast.reference)}: {said.difference(contrast.difference)}, loss "
            f"{contrast.loss_difference.mean:+.3f}",
            f", {errors(contrast.error_factor, said.metric.name)}" if contrast.error_factor else "",
        )
        for contrast in results.summary.contrasts.values()
    )


def labels(rows: Sequence[Row], picture: str, metric: str) -> Iterator[Block]:
    """How many labels a start is worth; nothing where only one number was tried."""
    if not rows:
        return
    yield heading(3, "How many labels a start is worth")
    yield from map(paragraph, answers(rows, metric))
    yield figure(
        picture,
        f"Test {METRICS[metric].title} by number of labels: mean over seeds, each of which draws "
        "its own labels, and 95 % band; every arm with a learning rate of its own at every "
        "number. ",
        mono("dvc repro transfer report"),
    )


def pairs(judged: every_pair.Pairs | None) -> Iterator[Block]:
    """Every pair of classes as task B; nothing where there was only one task B."""
    if judged is None:
        return
    yield heading(3, "Every pair of classes as task B")
    yield paragraph(every_pair.answer(judged))
    said = Wording(METRICS[judged.metric])
    yield table(
        judged.rows,
        ("classes", "l", lambda row: ", ".join(row.classes)),
        ("from scratch (95 %)", "r", lambda row: said.mean(row.reference)),
        ("on A’s layers (95 %)", "r", lambda row: said.mean(row.arm)),
        ("difference (95 %)", "r", lambda row: said.difference(row.contrast.difference)),
        (
            "errors",
            "r",
            lambda row: row.contrast.error_factor and errors(row.contrast.error_factor),
        ),
        ("likeness", "r", lambda row: f"{row.likeness:.2f}"),
        ("p", "r", lambda row: number(row.contrast.p_value, ".2g")),
        ("transfer", "l", lambda row: every_pair.WORDS[row.contrast.verdict]),
    )
    yield paragraph(
        "For each pair model A was trained on all other classes. p-values are corrected over all "
        "pairs (Holm). Likeness is the share of what tells the two class means apart that lies "
        "where the other class means differ, too. The difference over all pairs is taken in every "
        "seed, then over seeds."
    )


def encoders(seen: Encoders | None) -> Iterator[Block]:
    """Pretraining without labels."""
    if seen is None:
        yield not_run("autoencode")
        return
    yield heading(3, "Pretraining without labels")
    yield paragraph(
        "The encoders that model B starts on saw the training samples of both tasks and none of "
        "their labels. The loss of an autoencoder is the mean squared error on standardized "
        "samples, where 1 is what the mean gives; that of rotation is the cross-entropy of four "
        "turns. Values are means over splits, each at its own best learning rate."
    )
    by_arm: dict[str, list[Record]] = defaultdict(list)
    for record in seen.chosen:
        by_arm[record.arm].append(record)

    def last(records: list[Record], metric: str) -> float:
        return fmean(record.epochs[metric][-1] for record in records)

    yield table(
        [*by_arm.values()],
        ("trained", "l", lambda records: records[0].arm.replace("_", ", layer ")),
        ("splits", "r", len),
        ("learning rate", "r", _rates),
        ("training loss", "r", lambda records: number(last(records, "loss"), ".4f")),
        ("validation loss", "r", lambda records: number(last(records, "val_loss"), ".4f")),
        ("validation accuracy", "r", lambda records: share(last(records, "val_accuracy"))),
    )
    for caption, uri in seen.pictures.items():
        yield figure(f'<img src="{uri}" alt="">', caption)


def _rates(records: list[Record]) -> str:
    return " or ".join(f"{rate:g}" for rate in sorted({r.learning_rate for r in records}))
