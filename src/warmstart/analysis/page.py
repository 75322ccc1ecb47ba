"""Results -> the content of the report: sentences, tables and pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from warmstart.analysis import plots
from warmstart.analysis.claims import Claim
from warmstart.analysis.inference import MINIMUM_SEEDS, MOST_SEEDS
from warmstart.analysis.plots_ranks import critical_differences
from warmstart.analysis.results import Results
from warmstart.analysis.style import DARK, LIGHT
from warmstart.analysis.summary import Contrast
from warmstart.analysis.ties import letters
from warmstart.analysis.words import accuracy, factor, listed, percent, points

RECIPE = "on_a"
"""The arm of `transfer` that is the chapter's: A's layers frozen, then thawed."""

ARM_WORDS = {
    "a": "model A",
    "scratch": "B from scratch",
    "on_a": "B on A's layers",
    "on_stacked": "B on stacked autoencoders",
    "on_denoising": "B on a denoising autoencoder",
    "on_rotation": "B on rotation prediction",
}


def answer(results: Results) -> str:
    """The study in two sentences: who wins, who ties, and against whom the difference is sure."""
    summary = results.summary
    best = next(iter(summary.arms))
    ties = [c.arm for c in summary.contrasts.values() if c.verdict == "tie"]
    worse = [c for c in summary.contrasts.values() if c.verdict == "worse"]
    text = f"{best} has the highest test accuracy, {accuracy(summary.arms[best].test_accuracy)}."
    if ties:
        text += f" It cannot be told apart from {listed(ties)}."
    if worse:
        text += f" Worse beyond doubt: {listed([c.arm for c in worse])}."
    if undecided := [c for c in summary.contrasts.values() if c.verdict == "undecided"]:
        text += (
            f" Too few seeds to judge {listed([c.arm for c in undecided])}: it takes at least "
            f"{max(c.seeds_needed or MINIMUM_SEEDS for c in undecided)}."
        )
    return text


def transfer_answer(results: Results) -> str:
    """What pretraining brought, helped or hurt: a sentence for the chapter's recipe and for each
    arm that can be told apart from scratch, and the others by name."""
    said = {
        "better": "errs less than from scratch",
        "worse": "errs more than from scratch: here pretraining hurts",
        "tie": "cannot be told apart from scratch",
        "undecided": "has too few seeds to be judged",
    }
    sentences, others = [], []
    for contrast in results.summary.contrasts.values():
        if contrast.arm != RECIPE and contrast.verdict in ("tie", "undecided"):
            others.append(words(contrast.arm))
            continue
        sentences.append(
            f"{words(contrast.arm)} {said[contrast.verdict]}: "
            f"{points(contrast.accuracy_difference)} in accuracy, "
            f"error down by a factor of {factor(contrast.error_factor)}."
        )
    if others:
        sentences.append(f"Not told apart from scratch: {listed(others)}.")
    return " ".join(sentences)


def warnings(results: Results) -> list[str]:
    """What a careful reader should know before believing the table."""
    summary, found = results.summary, []
    for edge, word in (("lowest", "lower"), ("highest", "higher")):
        arms = {arm: s.learning_rate for arm, s in summary.arms.items() if s.at_edge == edge}
        if arms:
            found.append(
                f"The {edge} learning rate was best even in a grid extended once for "
                f"{listed([f'{arm} ({rate:g})' for arm, rate in arms.items()])}: "
                f"a {word} one might be better still."
            )
    if lost := {arm: s.diverged_share for arm, s in summary.arms.items() if s.diverged_share}:
        shares = listed([f"{arm} ({share:.0%})" for arm, share in lost.items()])
        found.append(f"Diverged at the best learning rate there is: {shares} of the seeds.")
    if summary.stage != "pretrain" and summary.seeds < 5:
        found.append(f"{summary.seeds} seeds tell only large differences apart.")
    if summary.folds:
        found.append(
            f"Trials of its {summary.folds} folds share training samples, for which intervals and "
            "p-values make up (Nadeau and Bengio 2003)."
        )
    return found


def tally(claims: Sequence[Claim]) -> str:
    """How many rules came out how."""
    verdicts = [claim.verdict for claim in claims]
    return listed([f"{verdicts.count(v)} {v}" for v in ("supported", "contradicted", "undecided")])


def pictures(results: Results, slots: Mapping[str, int] | None = None) -> dict[str, str]:
    """SVG elements by what they show.

    Args:
        results: of one stage or study.
        slots: of its arms in the page's palette; None: the study stands alone.
    """
    name, records, smallest = results.name, results.records, results.smallest
    arms = slots or {arm: number for number, arm in enumerate(results.arms)}
    drawn = {"curves": plots.learning_curves(records, arms, f"{name}-curves", smallest=smallest)}
    seconds = {arm: s for arm in arms if (s := results.seconds_per_epoch(arm))}
    if len(seconds) == len(arms) > 1:
        drawn["times"] = plots.learning_curves(
            records, arms, f"{name}-times", smallest=smallest, seconds=seconds
        )
    if len(results.summary.learning_rates) > 1:
        drawn["rates"] = plots.learning_rates(records, arms, f"{name}-rates", smallest=smallest)
    if results.summary.stage == "transfer":
        names = {arm: words(arm) for arm in results.arms}
        drawn["seeds"] = plots.seeds(records, arms, names, f"{name}-seeds", smallest=smallest)
    elif results.summary.stage == "compare":
        drawn["ranking"] = plots.ranking(results.summary, arms, f"{name}-ranking")
    if results.summary.groups and len(arms) > 2:
        drawn["ranks"] = critical_differences(results.summary, arms, f"{name}-ranks")
    return drawn


def seed_rows(results: Results) -> list[dict[str, Any]]:
    """Per seed, accuracy and loss of every arm at its chosen rate."""
    rows: dict[int, dict[str, Any]] = {}
    for record in results.records:
        if record.chosen:
            row = rows.setdefault(record.seed, {"seed": record.seed})
            row[record.arm] = record.test
    return [rows[seed] for seed in sorted(rows)]


def render(template: str, **content: Any) -> str:
    """A template of this package with everything in this module at hand."""
    environment = Environment(
        loader=PackageLoader("warmstart.analysis", "."),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "percent": percent,
        "interval": accuracy,
        "points": points,
        "factor": factor,
        "words": words,
        "milliseconds": lambda s: "–" if s is None else f"{1000 * s:,.1f}",
        "seconds": lambda s: "–" if s is None else f"{s:.2g}",
        "seeds_needed": seeds_needed,
    }
    colours = {
        mode: "; ".join(f"--arm-{i}: {hue}" for i, hue in enumerate(hues))
        for mode, hues in (("light", LIGHT), ("dark", DARK))
    }
    return environment.get_template(template).render(
        colours=colours,
        answer=answer,
        letters=letters,
        tally=tally,
        transfer_answer=transfer_answer,
        warnings=warnings,
        pictures=pictures,
        seed_rows=seed_rows,
        **content,
    )


def words(arm: str) -> str:
    if arm.startswith("on_a_"):
        return f"B on A ({arm.removeprefix('on_a_').replace('_', ' ')})"
    return ARM_WORDS.get(arm, arm)


def seeds_needed(contrast: Contrast) -> str:
    """What it would take to tell the arms of a tie apart."""
    if contrast.verdict in ("better", "worse"):
        return "–"
    if contrast.seeds_needed is not None:
        return f"{contrast.seeds_needed:,} seeds"
    found = contrast.accuracy_difference
    if found.sd is None:
        return f"at least {MINIMUM_SEEDS} seeds"
    return "no difference" if found.mean == 0 else f"over {MOST_SEEDS:,} seeds"
