"""One colour and one shape per arm, the same in every picture, page and tracker."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

HUES = (
    "#0070b0", "#e86800", "#00a078", "#6870ff", "#d00840", "#287880", "#9888b8", "#d07840",
    "#c000a0", "#68a000", "#909058", "#e06898", "#906058", "#b068c8", "#907000", "#ff2888",
    "#307828", "#2890ff", "#00a838", "#b04848", "#ff5040", "#9040c8", "#985078", "#6068c0",
)  # fmt: skip
"""Each at least 3:1 against white and against a page of `#1a1a1a`, so that one colour serves both;
each as far from those before it as such colours can be (CIE L*a*b*), the first eight also for eyes
that lack red or green cones (Machado et al. 2009)."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
"""Seven, which shares no factor with 24: 168 arms differ in colour or shape."""


class Look(NamedTuple):
    """How an arm is drawn."""

    colour: str
    """`#rrggbb`."""
    shape: str
    """Of its points, as Vega calls it."""


def palette(studies: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Look]]:
    """study -> arm -> its look.

    An arm keeps its look in every study that has an arm of this name, unless another arm of that
    study came with the same look. A new arm takes the first look that is free in its study.
    """
    known: dict[str, int] = {}
    looks = {}
    for study, arms in studies.items():
        kept = {known[arm]: arm for arm in reversed(arms) if arm in known}
        slots = {arm: slot for slot, arm in kept.items()}
        free = (slot for slot in itertools.count() if slot not in kept)
        slots = {arm: slots[arm] if arm in slots else next(free) for arm in arms}
        known |= slots
        looks[study] = {arm: look(slot) for arm, slot in slots.items()}
    return looks


def look(slot: int) -> Look:
    """That of the arm number `slot`."""
    return Look(HUES[slot % len(HUES)], SHAPES[slot % len(SHAPES)])
