"""The report, section by section, as blocks of a document."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from warmstart.analysis import pairs
from warmstart.analysis.answers import answer, arm_name, seeds_needed, transfer_answer, warnings
from warmstart.analysis.claims import Claim
from warmstart.analysis.document import (
    Block,
    Bullets,
    Definitions,
    Details,
    Dot,
    Figure,
    Heading,
    Listing,
    Paragraph,
    Span,
    Table,
    Text,
)
from warmstart.analysis.encoders import Encoders
from warmstart.analysis.judging import Judgement
from warmstart.analysis.pairs import Pairs
from warmstart.analysis.results import Results
from warmstart.analysis.ties import letters
from warmstart.analysis.words import accuracy, factor, listed, percent, points

CAPTIONS = {
    "seeds": "Test accuracy; a line joins the same seed, a bar is the mean.",
    "ranking": "Test accuracy and 95 % interval; a hollow dot can be told apart from the best.",
    "curves": "Validation accuracy at each arm's own learning rate, mean over seeds and 95 % band.",
    "ranks": "Critical differences: a bar joins arms that cannot be told apart; a dot on it is an "
    "arm that belongs to it.",
    "times": "The same curves against the time that training took, without compilation.",
    "rates": "Last validation accuracy by learning rate; the large dot was chosen.",
}
"""What a kind of picture shows."""

Pictures = Mapping[str, Mapping[str, str]]
"""Study or stage -> kind of picture -> SVG element."""


def head(judgement: Judgement) -> Iterator[Block]:
    """The answers."""
    trials = sum(results.summary.trials for results in judgement.everything)
    yield Heading(1, f"How should a network start on {judgement.params.data.name}?")
    yield Paragraph(
        f"{trials} trials; every arm with its own learning rate chosen on validation, on the same "
        "seeds, tested once.",
        "lead",
    )
    if judgement.advice:
        yield Paragraph((Span("What to use.", "b"), f" {judgement.advice.text}"))
        yield Details(
            "The Keras code of that network", Listing(judgement.advice.code, "python")
        )
    for results in judgement.studies:
        yield Paragraph((Span(f"{_title(results.name)}.", "b"), f" {answer(results)}"))
    transfer = transfer_answer(judgement.transfer) if judgement.transfer else "Was not run."
    yield Paragraph((Span("Transfer.", "b"), f" {transfer}"))


def runs(judgement: Judgement) -> Iterator[Block]:
    """What was run, and on which machine."""
    yield Heading(2, "What was run")
    yield Table(
        "lrrrrr",
        ("stage", "arms", "learning rates", "seeds", "trials", "seconds"),
        [
            (
                results.summary.title,
                str(len(results.summary.arms)),
                str(len(results.summary.learning_rates)),
                str(results.summary.seeds),
                str(results.summary.trials),
                _or_dash(results.timings.get("seconds"), "{:.1f}"),
            )
            for results in judgement.everything
        ],
    )
    if timed := [results.timings for results in judgement.everything if results.timings]:
        machine, versions = timed[0]["machine"], timed[0]["versions"]
        parts = [f"{machine['cores']} cores of {machine['cpu']}"]
        parts += [f"{name} {version}" for name, version in versions.items()]
        yield Paragraph(f"On {', '.join(parts)}.")


def data(card: Mapping[str, Any] | None) -> Iterator[Block]:
    """What the card of the prepared data says."""
    yield Heading(2, "Data")
    if card is None:
        yield Paragraph(("The data have not been prepared: ", Span("dvc repro prepare", "code")))
        return
    shape = " × ".join(map(str, card["feature_shape"]))
    yield Definitions(
        (
            ("name", f"{card['name']}: {card['n']:,} samples of {card['features']} features ({shape})"),
            ("source", card["source"]),
            ("licence", card["licence"]),
            ("digest", Span(card["digest"][:16], "code")),
        )
    )
    yield Table(
        "lprrr",
        ("task", "classes", "train", "validation", "test"),
        [
            (
                name,
                ", ".join(task["class_names"]),
                *(f"{task[part]['n']:,}" for part in ("train", "validation", "test")),
            )
            for name, task in card["tasks"].items()
        ],
    )


def transfer(judgement: Judgement, slots: Mapping[str, int], drawn: Mapping[str, str]) -> Iterator[Block]:
    """Model B on pretrained layers."""
    yield Heading(2, "Transfer: model B on pretrained layers")
    if judgement.pretrain:
        (model_a, *_) = judgement.pretrain.summary.arms.values()
        yield Paragraph(f"Model A reaches {accuracy(model_a.test_accuracy)} test accuracy on task A.")
    else:
        yield _not_run("pretrain")
    results = judgement.transfer
    if results is None:
        yield _not_run("transfer")
        return
    options = judgement.params.transfer
    yield Paragraph(
        f"{transfer_answer(results)} All arms see the same {options.train_size} labels and train "
        f"for {options.frozen_epochs + options.thawed_epochs} epochs; by the chapter's recipe the "
        f"new head learns alone for {options.frozen_epochs} of them, then everything at "
        f"{options.thawed_factor:g} times the learning rate."
    )
    yield from ranking(results, slots)
    yield from _seed_by_seed(results)
    for kind in ("seeds", "curves", "ranks", "times", "rates"):
        yield from _figure(results, kind, drawn)
    yield from _labels(judgement, drawn)
    if judgement.pairs:
        yield from _pairs(judgement.pairs)


def study(judgement: Judgement, results: Results, slots: Mapping[str, int], drawn: Mapping[str, str]) -> Iterator[Block]:
    """One study of `compare`."""
    yield Heading(2, _title(results.name))
    yield Paragraph(answer(results))
    yield from ranking(results, slots)
    for kind in ("ranking", "curves", "ranks", "times", "rates"):
        yield from _figure(results, kind, drawn)


def absent(name: str) -> Iterator[Block]:
    """A study of params.yaml that has no results."""
    yield Heading(2, _title(name))
    yield Paragraph(("The study was not run: ", Span(f"dvc repro compare@{name}", "code")))


def ranking(results: Results, slots: Mapping[str, int]) -> Iterator[Block]:
    """Two tables with a row per arm, and what to know before believing them."""
    summary = results.summary
    reference = "baseline" if summary.stage == "transfer" else "best"
    rows = []
    for arm, judged in summary.arms.items():
        contrast = results.contrast(arm)
        rows.append(
            (
                str(judged.rank),
                (Dot(slots[arm]), arm_name(arm)),
                accuracy(judged.test_accuracy),
                letters(arm, summary.groups) or "–",
                points(contrast.accuracy_difference) if contrast else "–",
                _or_dash(contrast and contrast.p_value, "{:.2g}"),
                contrast.verdict if contrast else "reference",
                seeds_needed(contrast) if contrast else "–",
                f"{judged.learning_rate:g}{'*' if judged.at_edge else ''}",
                f"{judged.diverged_share:.0%}",
            )
        )
    yield Table(
        "rlrlrrlrrr",
        ("rank", "arm", "test accuracy (95 %)", "ties", f"against the {reference} (95 %)", "p", "verdict", "it would take", "learning rate", "diverged"),
        rows,
    )
    ties = "Arms that share a letter under “ties” cannot be told apart, over all pairs. "
    yield Paragraph(
        f"{ties if summary.groups else ''}“It would take” counts the seeds that tell a tie apart "
        "with a chance of 80 %, were the difference as large as it looks."
    )
    yield Table(
        "lrrrrrrr",
        ("arm", "validation accuracy, last epoch (95 %)", "best epoch’s", "best of all epochs", f"epochs to {percent(summary.target_accuracy)}", "seeds that reach it", "seconds to it", "ms / epoch"),
        [
            (
                (Dot(slots[arm]), arm_name(arm)),
                accuracy(judged.val_accuracy),
                percent(judged.best_val_accuracy.mean),
                f"{judged.best_epoch:.1f} of {judged.last_epoch:.1f}",
                f"{judged.epochs_to_target.mean:.1f}" if judged.epochs_to_target else "–",
                f"{judged.reached_share:.0%}",
                _or_dash(results.seconds_to_target(arm), "{:.2g}"),
                _or_dash(results.seconds_per_epoch(arm), "{:,.1f}", 1000),
            )
            for arm, judged in summary.arms.items()
        ],
    )
    for warning in warnings(results):
        yield Paragraph(warning, "warning")


def _seed_by_seed(results: Results) -> Iterator[Block]:
    """Test accuracy and loss of every seed, and the differences."""
    yield Heading(3, "Seed by seed")
    tests = {(r.seed, r.arm): r.test for r in results.records if r.chosen}
    titles = [title for arm in results.arms for title in (f"{arm_name(arm)}: accuracy", "loss")]
    rows = []
    for seed in sorted({seed for seed, _ in tests}):
        row = [str(seed)]
        for arm in results.arms:
            test = tests[seed, arm]
            row += [percent(test["test_accuracy"]), f"{test['test_loss']:.3f}"]
        rows.append(row)
    yield Table("r" * (1 + len(titles)), ("seed", *titles), rows)
    yield Bullets(
        [
            (
                Span(arm_name(contrast.arm), "b"),
                f" minus {arm_name(contrast.reference)}: {points(contrast.accuracy_difference)}, "
                f"loss {contrast.loss_difference.mean:+.3f}, "
                f"error down by {factor(contrast.error_factor)}",
            )
            for contrast in results.summary.contrasts.values()
        ]
    )


def _pairs(judged: Pairs) -> Iterator[Block]:
    """Every pair of classes as task B."""
    yield Heading(3, "Every pair of classes as task B")
    yield Paragraph(pairs.answer(judged))
    yield Table(
        "lrrrrrrlr",
        ("classes", "from scratch (95 %)", "on A’s layers (95 %)", "difference (95 %)", "error down by", "likeness", "p", "transfer", "it would take"),
        [
            (
                ", ".join(row.classes),
                accuracy(row.reference),
                accuracy(row.arm),
                points(row.contrast.accuracy_difference),
                factor(row.contrast.error_factor),
                f"{row.likeness:.2f}",
                _or_dash(row.contrast.p_value, "{:.2g}"),
                pairs.WORDS[row.contrast.verdict],
                seeds_needed(row.contrast),
            )
            for row in judged.rows
        ],
    )
    yield Paragraph(
        "For each pair model A was trained on all other classes. p-values are corrected over all "
        "pairs (Holm). Likeness is the share of what tells the two class means apart that lies "
        "where the other class means differ, too. The difference over all pairs is taken in every "
        "seed, then over seeds."
    )


def encoders(seen: Encoders | None) -> Iterator[Block]:
    """Pretraining without labels."""
    if seen is None:
        yield _not_run("autoencode")
        return
    yield Heading(3, "Pretraining without labels")
    yield Paragraph(
        "The encoders that model B starts on saw the training samples of both tasks and none of "
        "their labels. The loss of an autoencoder is the mean squared error on standardized "
        "samples, where 1 is what the mean gives; that of rotation is the cross-entropy of four "
        "turns."
    )
    rows = []
    for record in seen.chosen:
        loss, val_loss, val_accuracy = (
            record.epochs[metric][-1] for metric in ("loss", "val_loss", "val_accuracy")
        )
        rows.append(
            (
                record.arm.replace("_", ", layer "),
                f"{record.learning_rate:g}",
                _or_dash(loss, "{:.4f}"),
                _or_dash(val_loss, "{:.4f}"),
                _or_dash(val_accuracy, "{:.1f} %", 100),
            )
        )
    yield Table("lrrrr", ("trained", "learning rate", "training loss", "validation loss", "validation accuracy"), rows)
    if seen.reconstructions:
        yield Figure(
            seen.reconstructions,
            "Validation samples, never trained on, in the first row; below, what is left of them "
            f"after {', then '.join(seen.rebuilt)}.",
        )
    for method, picture in seen.filters.items():
        yield Figure(
            picture,
            f"First-layer filters of {method}, those with the largest weights: what each unit "
            "looks for; grey is zero.",
        )


def layers(
    results: Results, flags: Sequence[Flag], profiles: Iterable[tuple[str, str]]
) -> Iterator[Block]:
    """What was seen in the layers of a study."""
    if results.diagnostics is None or results.diagnostics.empty:
        return
    yield Heading(3, "In the layers")
    if flags:
        yield Bullets([(Span(flag.arm, "b"), f": {flag.text}.") for flag in flags])
    else:
        yield Paragraph("Nothing vanishes, explodes, dies or saturates.")
    for svg, caption in profiles:
        yield Figure(svg, (f"{caption} ", _again(results)))
    looks = observed_seed(results.diagnostics)
    clipped = looks[looks["clipped"].notna()].drop_duplicates(["arm", "epoch"])
    if len(clipped):
        yield Table(
            "lrrr",
            (
                "clipping",
                "epoch",
                "acts on mini-batches",
                "cosine between raw and clipped gradient",
            ),
            [
                (row.arm, str(row.epoch), f"{row.clipped:.0%}", f"{row.clip_cosine:.3f}")
                for row in clipped.itertuples()
            ],
        )
    last = looks[looks["epoch"] == looks.groupby("arm")["epoch"].transform("max")]
    normalized = last[last["gamma_mean"].notna()].to_dict("records")
    if normalized:
        quantities = ("gamma", "beta", "moving_mean", "moving_variance")
        yield Table(
            "lrrrrr",
            ("batch norm", "layer", "γ", "β", "moving mean", "moving variance"),
            [
                (
                    row["arm"],
                    str(row["layer"] or "input"),
                    *(f"{row[f'{q}_mean']:.2f} ± {row[f'{q}_deviation']:.2f}" for q in quantities),
                )
                for row in normalized
            ],
        )
        yield Paragraph(
            "Mean and deviation over the units of a layer, after the last epoch of one seed."
        )


def claims(judged: Sequence[Claim]) -> Iterator[Block]:
    """The chapter's rules."""
    verdicts = [claim.verdict for claim in judged]
    tally = listed([f"{verdicts.count(v)} {v}" for v in ("supported", "contradicted", "undecided")])
    yield Heading(2, "Claims")
    yield Paragraph(
        "Rules of the chapter, each held against this data by one paired comparison over seeds: "
        f"{tally}. p-values are corrected over all of them (Holm)."
    )
    yield Table(
        "plprrp",
        ("rule", "verdict", "effect (95 %)", "seeds", "p", "test, and what it would take"),
        [
            (
                claim.statement,
                Span(claim.verdict, claim.verdict),
                claim.shown or "–",
                str(claim.seeds or "–"),
                _or_dash(claim.p_value, "{:.2g}"),
                (claim.test, ". ", Span("It would take", "b"), f" {claim.takes}") if claim.takes else claim.test,
            )
            for claim in judged
        ],
    )


REPRODUCE = """\
dvc repro                    # everything that has changed
dvc repro compare@activation # one study
dvc plots show               # the curves in your browser
dvc metrics show             # the numbers
make mlflow                  # every trial"""


def reproduce() -> Iterator[Block]:
    """Commands, and how to read the tables."""
    yield Heading(2, "How to reproduce")
    yield Listing(REPRODUCE, "sh")
    yield Paragraph(
        "* the edge of the grid of learning rates, though it was extended once. “Points” are "
        "percentage points. Intervals are t intervals over seeds, differences are paired by seed."
    )


def _figure(results: Results, kind: str, drawn: Mapping[str, str]) -> Iterator[Block]:
    if kind in drawn:
        yield Figure(drawn[kind], (f"{CAPTIONS[kind]} ", _again(results)))


def _again(results: Results) -> Span:
    return Span(f"dvc repro {results.summary.title} report", "code")


def _not_run(stage: str) -> Paragraph:
    return Paragraph(("The stage ", Span(stage, "code"), " was not run."))


def _title(study: str) -> str:
    return study.replace("_", " ").capitalize()


def _or_dash(value: float | None, form: str, scale: float = 1) -> str:
    """`scale` times the value; a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else form.format(scale * value)
