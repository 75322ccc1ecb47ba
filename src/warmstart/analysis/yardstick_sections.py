"""The report's section about what does without a network."""

from collections.abc import Iterator

from warmstart.analysis.document import Block, Column, paragraph, section, table
from warmstart.analysis.judging import Judgement
from warmstart.analysis.words import wording
from warmstart.analysis.yardsticks import NAMES, best_network, held_against

TITLE, ANCHOR = "Without a network", "yardsticks"


def yardsticks(judgement: Judgement) -> Iterator[Block]:
    """Each yardstick, and the network that is best on validation against it; nothing where there
    are none."""
    measured = judgement.yardsticks
    if measured is None:
        return
    summary, best = measured.summary, best_network(judgement.studies)
    said = wording(summary)
    held = {one.name: one for one in held_against(measured, *best)} if best else {}
    text = f"The same splits without a network, over {summary.seeds} seeds."
    if best:
        network = next(iter(held.values()))
        text += (
            f" Of all networks {network.network} is best on validation, here over the "
            f"{network.seeds} seeds that both have."
        )
    order = sorted(measured.arms, key=lambda arm: said.metric.gain(summary.arms[arm].test.mean))
    reached = table(
        "What does without a network, and the best network against it",
        order,
        Column("yardstick", "l", lambda arm: NAMES[arm]),
        Column(
            f"test {said.title} (95 %)",
            "r",
            lambda arm: said.mean(summary.arms[arm].test),
            lambda arm: summary.arms[arm].test.mean,
        ),
        Column(
            "the network minus it (95 %)",
            "r",
            lambda arm: held[arm].said.difference(held[arm].difference) if held else None,
            lambda arm: held[arm].difference.mean if held else None,
        ),
        Column("the network is", "l", lambda arm: held[arm].verdict if held else None),
    )
    yield section(TITLE, ANCHOR, [paragraph(text), reached])
