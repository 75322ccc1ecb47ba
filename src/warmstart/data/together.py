"""Splits in which rows that belong together (copies of one row, rows of one group of the user's)
stay on one side.

Whole groups are drawn, class by class, until a part has its share. Groups are of any size, so the
parts of two draws differ in length, where one compiled program needs equal ones: all are cut to the
lengths that the draws of the first seed reach at least.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from warmstart.errors import InputError
from warmstart.seeds import generator

Indices = NDArray[np.int64]
PARTS = ("train", "validation", "test")
FIRST = 32
"""Draws that say how long the parts of every seed are."""
MOST = 1000
"""Draws of one seed before it is given up."""
FEWEST = 3
"""Groups that a class needs to be divided by itself: one for each part."""


def first(
    y: NDArray[np.int32],
    groups: Indices,
    wanted: Sequence[int],
    kept: Indices | None,
    seed: int,
    *names: str | int,
) -> dict[str, Indices]:
    """The rows of each of PARTS on seed 0.

    Args:
        y: `(n,)` classes, each of which is in every part.
        groups: `(n,)`.
        wanted: how many rows the parts would have if each row were alone.
        kept: rows that are the test part as they are; those of their groups are in no other.
        seed: root.
        names: of the draws.

    Raises:
        InputError: if there are too few groups.
    """
    free, (_, validation, test) = _free(groups, kept), wanted
    every = sum(wanted) - (0 if kept is None else test)
    shares = validation / every, 0.0 if kept is not None else test / every
    good = [
        parts
        for number in range(FIRST if len(free) else 0)
        if _is_whole(parts := _draw(y, groups, free, shares, kept, seed, *names, number), y)
    ]
    if not good:
        fewest, outside = (FEWEST, "") if kept is None else (FEWEST - 1, " outside the test part")
        raise InputError(
            f"data: expected {fewest} groups of rows that belong together or more of every class"
            f"{outside}, so that each class is in each part of a split, received "
            f"{len(np.unique(groups[free]))} of {len(free)} rows (rows that are the same are one); "
            "add data, remove a class or data.group"
        )
    lengths = {part: min(len(parts[part]) for parts in good) for part in PARTS}
    for part, most in zip(PARTS[1:], wanted[1:], strict=True):
        lengths[part] = min(lengths[part], max(1, int(most)))
    if kept is not None:
        lengths["test"] = len(kept)
    cut = (_cut(parts, lengths) for parts in good)
    return next((parts for parts in cut if _is_whole(parts, y)), _cut(good[0], lengths))


def again(
    y: NDArray[np.int32],
    groups: Indices,
    lengths: Mapping[str, int],
    kept: Indices | None,
    seed: int,
    *names: str | int,
) -> dict[str, Indices]:
    """The rows of each of PARTS on another seed, as many in each as `lengths` says."""
    free = _free(groups, kept)
    shares = (
        lengths["validation"] / len(free),
        0.0 if kept is not None else lengths["test"] / len(free),
    )
    spare: dict[str, Indices] | None = None
    for number in range(MOST):
        parts = _draw(y, groups, free, shares, kept, seed, *names, number)
        if all(len(parts[part]) >= lengths[part] for part in PARTS):
            cut = _cut(parts, lengths)
            if _is_whole(cut, y):
                return cut
            spare = spare or cut
    assert spare, "draws of the first seed are as long"
    return spare


def _free(groups: Indices, kept: Indices | None) -> Indices:
    """The rows that are drawn."""
    if kept is None:
        return np.arange(len(groups))
    return np.flatnonzero(~np.isin(groups, groups[kept]))


def _draw(
    y: NDArray[np.int32],
    groups: Indices,
    free: Indices,
    shares: tuple[float, float],
    kept: Indices | None,
    seed: int,
    *names: str | int,
) -> dict[str, Indices]:
    """Whole groups of the `free` rows: of every class the `shares` validate and test, or a little
    more; mixed."""
    random = generator(seed, *names, "together")
    numbers, place = np.unique(groups[free], return_inverse=True)
    sizes = np.bincount(place)
    of_group = _strata(y[free], place, len(numbers))
    part_of = np.zeros(len(numbers), np.int64)  # positions in PARTS
    for stratum in np.unique(of_group):
        own = random.permutation(np.flatnonzero(of_group == stratum))
        reached, total = np.cumsum(sizes[own]), sizes[own].sum()
        start = 0
        for part, share in ((2, shares[1]), (1, shares[0])):
            if not share:
                continue
            before = reached[start - 1] if start else 0
            enough = 1 + int(np.searchsorted(reached - before, max(1.0, share * total - 0.5)))
            # a group at least is left for each part that is still to come
            stop = max(start + 1, min(enough, len(own) - part))
            part_of[own[start:stop]] = part
            start = stop
    parts = {
        name: random.permutation(free[part_of[place] == number])
        for number, name in enumerate(PARTS)
    }
    return parts if kept is None else parts | {"test": kept}


def _strata(y: NDArray[np.int32], place: Indices, count: int) -> NDArray[np.int64]:
    """For each group the class that most of its rows have; classes with too few groups are one."""
    table = np.zeros((count, int(y.max()) + 1), np.int64)
    np.add.at(table, (place, y), 1)
    main = table.argmax(axis=1)
    few = np.bincount(main, minlength=table.shape[1]) < FEWEST
    return np.where(few[main], -1, main)


def _cut(parts: Mapping[str, Indices], lengths: Mapping[str, int]) -> dict[str, Indices]:
    return {part: rows[: lengths[part]] for part, rows in parts.items()}


def _is_whole(parts: Mapping[str, Indices], y: NDArray[np.int32]) -> bool:
    """Whether every class is in every part."""
    classes = int(y.max()) + 1
    return all(len(rows) and len(np.unique(y[rows])) == classes for rows in parts.values())
