"""What the results of one study say, in sentences."""

from warmstart.analysis.inference import MINIMUM_SEEDS, MOST_SEEDS
from warmstart.analysis.results import Results
from warmstart.analysis.summary import Contrast
from warmstart.analysis.words import accuracy, factor, listed, points

CHAPTER_ARM = "on_a"
"""The arm of `transfer` that is the chapter's: A's layers frozen, then thawed."""

_ARM_NAMES = {
    "a": "model A",
    "scratch": "B from scratch",
    "on_a": "B on A's layers",
    "on_stacked": "B on stacked autoencoders",
    "on_denoising": "B on a denoising autoencoder",
    "on_rotation": "B on rotation prediction",
}
_AGAINST_SCRATCH = {
    "better": "errs less than from scratch",
    "worse": "errs more than from scratch: here pretraining hurts",
    "tie": "cannot be told apart from scratch",
    "undecided": "has too few seeds to be judged",
}


def arm_name(arm: str) -> str:
    """An arm in words; the arms of `compare` are called what params.yaml calls them."""
    if arm.startswith("on_a_"):
        return f"B on A ({arm.removeprefix('on_a_').replace('_', ' ')})"
    return _ARM_NAMES.get(arm, arm)


def answer(results: Results) -> str:
    """Who wins, who ties, and against whom the difference is sure, in at most four sentences."""
    summary = results.summary
    best = next(iter(summary.arms))
    arms: dict[str, list[Contrast]] = {"tie": [], "worse": [], "undecided": []}
    for contrast in summary.contrasts.values():
        arms.setdefault(contrast.verdict, []).append(contrast)
    text = f"{best} has the highest test accuracy, {accuracy(summary.arms[best].test_accuracy)}."
    if arms["tie"]:
        text += f" It cannot be told apart from {_named(arms['tie'])}."
    if arms["worse"]:
        text += f" Significantly worse: {_named(arms['worse'])}."
    if arms["undecided"]:
        needed = max(c.seeds_needed or MINIMUM_SEEDS for c in arms["undecided"])
        text += f" Too few seeds to judge {_named(arms['undecided'])}: it takes at least {needed}."
    return text


def _named(contrasts: list[Contrast]) -> str:
    """`arms a and b`: an arm may be called `none`."""
    arms = [contrast.arm for contrast in contrasts]
    return f"{'arm' if len(arms) == 1 else 'arms'} {listed(arms)}"


def transfer_answer(results: Results) -> str:
    """What pretraining brought, helped or hurt: a sentence for the chapter's arm and for each
    arm that differs from scratch, and the others by name."""
    sentences, others = [], []
    for contrast in results.summary.contrasts.values():
        if contrast.arm != CHAPTER_ARM and contrast.verdict in ("tie", "undecided"):
            others.append(arm_name(contrast.arm))
            continue
        sentences.append(
            f"{arm_name(contrast.arm)} {_AGAINST_SCRATCH[contrast.verdict]}: "
            f"{points(contrast.accuracy_difference)} in accuracy, "
            f"error down by a factor of {factor(contrast.error_factor)}."
        )
    if others:
        sentences.append(f"Not told apart from scratch: {listed(others)}.")
    return " ".join(sentences)


def warnings(results: Results) -> list[str]:
    """What a careful reader should know before believing the table."""
    summary, sentences = results.summary, []
    for edge, word in (("lowest", "lower"), ("highest", "higher")):
        rates = {arm: s.learning_rate for arm, s in summary.arms.items() if s.at_edge == edge}
        if rates:
            arms = listed([f"{arm} ({rate:g})" for arm, rate in rates.items()])
            sentences.append(
                f"The {edge} learning rate was best even in a grid extended once for {arms}: "
                f"a {word} one might be better still."
            )
    if shares := {a: s.diverged_share for a, s in summary.arms.items() if s.diverged_share}:
        lost = listed([f"{arm} ({share:.0%})" for arm, share in shares.items()])
        sentences.append(f"Diverged at the best learning rate there is: {lost} of the seeds.")
    if summary.stage != "pretrain" and summary.seeds < 5:
        sentences.append(f"{summary.seeds} seeds tell only large differences apart.")
    return sentences


def seeds_needed(contrast: Contrast) -> str:
    """What it would take to tell the arms of a tie apart."""
    if contrast.verdict in ("better", "worse"):
        return "–"
    if contrast.seeds_needed is not None:
        return f"{contrast.seeds_needed:,} seeds"
    difference = contrast.accuracy_difference
    if difference.sd is None:
        return f"at least {MINIMUM_SEEDS} seeds"
    return "no difference" if difference.mean == 0 else f"over {MOST_SEEDS:,} seeds"
