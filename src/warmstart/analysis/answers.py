"""What the results of one study say, in sentences."""

from collections.abc import Sequence
from typing import get_args

from warmstart.analysis.labels import label
from warmstart.analysis.results import Results
from warmstart.analysis.summary import Contrast
from warmstart.analysis.words import errors, listed, wording
from warmstart.contrasts import Verdict

CHAPTER_ARM = "on_a"
"""The arm of `transfer` that is the chapter's: A's layers frozen, then thawed."""

_AGAINST_SCRATCH: dict[Verdict, str] = {
    "better": "better than from scratch",
    "worse": "worse than from scratch: here pretraining hurts",
    "practically equal": "practically equal to from scratch",
    "open": "open (shown to be neither better nor worse than from scratch)",
}
_BROUGHT: dict[Verdict, str] = {
    "better": "helps",
    "worse": "hurts",
    "practically equal": "changes little",
    "open": "is not shown to help or hurt",
}
CHEAPER = 0.9
"""Of the time that the best arm takes: what is not faster by that much is not called cheaper."""


def answer(results: Results) -> str:
    """Which arm validation chooses, and which are practically equal to it, better, worse or
    open."""
    summary = results.summary
    best, arms, said = summary.reference, _by_verdict(results), wording(summary)
    equal = arms["practically equal"]
    text = (
        f"{_scope(results)}, validation chooses {best}: test {said.title} "
        f"{said.mean(summary.arms[best].test)}; {said.nothing(summary.chance)}."
    )
    if equal:
        text += f" Practically equal to it ({said.within(summary.margin)}): {_named(equal)}"
        cheapest = _cheapest(results, [best, *equal])
        text += f"; {cheapest} is the cheapest of them to train." if cheapest else "."
    # validation and the test may disagree
    if arms["better"]:
        text += f" Better in the test: {_named(arms['better'])}."
    if arms["worse"]:
        text += f" Worse: {_named(arms['worse'])}."
    if arms["open"]:
        text += f" Open: {_named(arms['open'])}."
    return f"{text} {_of_new_data(results)}".rstrip()


def gist(results: Results) -> str:
    """The same in two sentences that name no other arm."""
    summary = results.summary
    best, said = summary.reference, wording(summary)
    text = f"Validation chooses {best}: test {said.title} {said.mean(summary.arms[best].test)}."
    return f"{text} {_others(results)}" if summary.contrasts else text


def matters(results: Results) -> str:
    """Whether it matters which arm is taken, in a few words: `worse: silu, relu and sigmoid`. The
    test may show an arm to be better than the one that validation chose."""
    arms, counts = _by_verdict(results), _counts(results)
    verdicts: tuple[Verdict, ...] = ("better", "worse")
    for verdict in verdicts:
        if found := [label(arm, results.summary.stage) for arm in arms[verdict]]:
            few = len(found) < 4
            return f"{verdict}: {listed(found)}" if few else f"{len(found)} of {counts} {verdict}"
    if equal := arms["practically equal"]:
        every = len(equal) == counts
        return "all practically equal" if every else f"{len(equal)} of {counts} practically equal"
    return "no difference shown" if counts else "one arm"


def transfer_gist(results: Results) -> str:
    """What transfer brought, in two sentences."""
    contrast = results.contrast(CHAPTER_ARM)
    sentences = []
    if contrast:
        ours, theirs = label(CHAPTER_ARM), label(contrast.reference)
        gain = wording(results.summary).difference(contrast.difference)
        sentences.append(f"Pretraining {helps(results)}: {ours}, against {theirs} {gain}.")
    if _counts(results) > 1:
        sentences.append(_others(results, "pretrained starts"))
    return " ".join(sentences)


def helps(results: Results) -> str:
    """What the chapter's way of transfer does, in a few words."""
    contrast = results.contrast(CHAPTER_ARM)
    return _BROUGHT[contrast.verdict] if contrast else matters(results)


def _others(results: Results, called: str = "others") -> str:
    """`Of 9 others 3 are practically equal, 3 worse and 3 open.`"""
    kinds = {verdict: len(arms) for verdict, arms in _by_verdict(results).items() if arms}
    count, first = _counts(results), next(iter(kinds))
    if len(kinds) == 1:
        return f"All {count} {called} are {first}." if count > 1 else f"The other is {first}."
    number = kinds.pop(first)
    said = [f"{number} {'is' if number == 1 else 'are'} {first}"]
    return (
        f"Of {count} {called} {listed(said + [f'{n} {verdict}' for verdict, n in kinds.items()])}."
    )


def _counts(results: Results) -> int:
    return len(results.summary.contrasts)


def _of_new_data(results: Results) -> str:
    """What also holds of other data from where these come from; empty where that is not known."""
    summary = results.summary
    if summary.widening is None:
        return ""
    held = {
        verdict: [c.arm for c in summary.contrasts.values() if c.on_new_data == verdict]
        for verdict in ("practically equal", "better", "worse")
    }
    said = [f"{verdict} {_named(arms)}" for verdict, arms in held.items() if arms]
    if not said:
        return "Nothing of that is shown for new data like these."
    return f"That also holds of new data like these: {'; '.join(said)}."


def _scope(results: Results) -> str:
    """What the verdicts of a study speak of."""
    times = _over(results)
    if results.summary.splits == "resampled":
        return f"On these data, split and trained anew {times} times"
    if results.summary.splits == "official":
        return f"On the official test set, all other data split and trained anew {times} times"
    return f"On one split of these data, trained anew {times} times"


def _over(results: Results) -> str:
    """`5 to 15`: seeds of an arm."""
    seeds = [len(results.chosen(arm)) for arm in results.arms]
    return f"{min(seeds)} to {max(seeds)}" if min(seeds) < max(seeds) else f"{max(seeds)}"


def _cheapest(results: Results, arms: Sequence[str]) -> str | None:
    """The arm that trains fastest, if the first of `arms` takes longer in earnest."""
    seconds = {arm: s for arm in arms if (s := results.seconds_per_epoch(arm)) is not None}
    if arms[0] not in seconds:
        return None
    best = min(seconds, key=lambda arm: seconds[arm])
    return best if seconds[best] < CHEAPER * seconds[arms[0]] else None


def _by_verdict(results: Results) -> dict[Verdict, list[str]]:
    arms: dict[Verdict, list[str]] = {verdict: [] for verdict in get_args(Verdict)}
    for contrast in results.summary.contrasts.values():
        arms[contrast.verdict].append(contrast.arm)
    return arms


def _named(arms: Sequence[str]) -> str:
    """`arms a and b`: an arm may be called `none`."""
    return f"{'arm' if len(arms) == 1 else 'arms'} {listed(arms)}"


def transfer_answer(results: Results) -> str:
    """What pretraining brought, helped or hurt: a sentence for the chapter's arm, and the others by
    their verdicts."""
    contrast = results.contrast(CHAPTER_ARM)
    sentences = [f"{_scope(results)}:"]
    if contrast:
        sentences.append(
            f"{label(CHAPTER_ARM)} is {_AGAINST_SCRATCH[contrast.verdict]}, "
            f"{compared(results, contrast)}."
        )
    for verdict, arms in _by_verdict(results).items():
        if others := [label(arm) for arm in arms if arm != CHAPTER_ARM]:
            sentences.append(f"{_AGAINST_SCRATCH[verdict].capitalize()}: {listed(others)}.")
    return " ".join(sentences)


def compared(results: Results, contrast: Contrast) -> str:
    """`+1.2 points in accuracy, 1.7 times fewer errors`."""
    said, factor = wording(results.summary), contrast.error_factor
    text = f"{said.difference(contrast.difference)} in {said.title}"
    return f"{text}, {errors(factor, results.summary.metric)}" if factor else text


def warnings(results: Results) -> list[str]:
    """What a careful reader should know before believing the table."""
    summary, sentences = results.summary, []
    stage = summary.stage
    for edge, word in (("lowest", "lower"), ("highest", "higher")):
        rates = {arm: s.learning_rate for arm, s in summary.arms.items() if s.at_edge == edge}
        if rates:
            arms = listed([f"{label(arm, stage)} ({rate:g})" for arm, rate in rates.items()])
            sentences.append(
                f"The {edge} learning rate was best even in a grid extended once for {arms}: "
                f"a {word} one might be better still."
            )
    if shares := {a: s.diverged_share for a, s in summary.arms.items() if s.diverged_share}:
        lost = listed([f"{label(arm, stage)} ({share:.0%})" for arm, share in shares.items()])
        sentences.append(f"Diverged at the best learning rate there is: {lost} of the seeds.")
    for arm, why in summary.aside.items():
        sentences.append(
            f"{label(arm, stage)} {why}: it shares no error with the other arms and is judged by "
            "its own."
        )
    return sentences
