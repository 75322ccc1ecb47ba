"""Splits in which rows that belong together (copies of one row, rows of one group of the user's)
stay on one side.

Whole groups are drawn, class by class, until a part has its share. Groups are of any size, so two
draws differ in how many rows of a class a part gets, where one compiled program needs equal
numbers: every draw is cut to numbers that nearly all draws reach.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from warmstart.errors import InputError
from warmstart.seeds import generator

Indices = NDArray[np.int64]
Parts = dict[str, Indices]
PARTS = ("train", "validation", "test")
FIRST = 32
"""Draws that say how many rows of a class the parts of every seed have."""
MOST = 1000
"""Draws of one seed before it is given up."""
FEWEST = 3
"""Groups that a class needs to be divided by itself: one for each part."""


def first(
    y: NDArray[np.int32],
    groups: Indices,
    wanted: Indices,
    kept: Indices | None,
    seed: int,
    *names: str | int,
) -> Parts:
    """The rows of each of PARTS on seed 0.

    Args:
        y: `(n,)` classes, each of which is in every part.
        groups: `(n,)`.
        wanted: `(parts, classes)`: how many rows there would be if each were alone.
        kept: rows that are the test part as they are; those of their groups are in no other.
        seed: root.
        names: of the draws.

    Raises:
        InputError: if there are too few groups.
    """
    free = _free(groups, kept)
    drawn = [*islice(_draws(y, groups, wanted, kept, seed, *names), FIRST if len(free) else 0)]
    counts = np.array([_counts(parts, y) for parts in drawn])
    good = (counts > 0).all(axis=(1, 2)) if len(free) else np.zeros(0, bool)
    if not good.any():
        fewest, outside = (FEWEST, "") if kept is None else (FEWEST - 1, " outside the test part")
        raise InputError(
            f"data: expected {fewest} groups of rows that belong together or more of every class"
            f"{outside}, so that each class is in each part of a split, received "
            f"{len(np.unique(groups[free]))} of {len(free)} rows (rows that are the same are one); "
            "add data, remove a class or data.group"
        )
    sizes = _reached(counts[good], wanted)
    found = next(place for place, of_draw in enumerate(counts) if (of_draw >= sizes).all())
    return _cut(drawn[found], y, sizes, kept)


def _reached(counts: Indices, wanted: Indices) -> Indices:
    """`(parts, classes)`: numbers that at least every other draw has, and no more than `wanted` to
    validate and to test.

    Args:
        counts: `(draws, parts, classes)`. What the first half of them has at least, the other half
            need not have: of that, so much less that every second of these has it.
    """
    half, others = np.array_split(counts, 2) if len(counts) > 1 else (counts, counts)
    lowest, usual = half.min(axis=0), half.mean(axis=0)
    for less in (0.0, 0.25, 0.5, 1.0, 2.0, 4.0):
        sizes = np.maximum(1, np.floor(lowest - less * (usual - lowest))).astype(np.int64)
        sizes[1:] = np.minimum(sizes[1:], np.maximum(1, wanted[1:]))
        if np.mean((others >= sizes).all(axis=(1, 2))) >= 0.5:
            break
    return sizes


def again(
    y: NDArray[np.int32],
    groups: Indices,
    wanted: Indices,
    sizes: Indices,
    kept: Indices | None,
    seed: int,
    *names: str | int,
) -> Parts:
    """The rows of each of PARTS on another seed.

    Args:
        sizes: `(parts, classes)`: how many `first` found; the other arguments are those of it.

    Raises:
        InputError: if no draw has so many.
    """
    needed = sizes if kept is None else sizes[:2]
    for parts in _draws(y, groups, wanted, kept, seed, *names):
        if (_counts(parts, y)[: len(needed)] >= needed).all():
            return _cut(parts, y, sizes, kept)
    raise InputError(
        f"data: expected groups of rows of which {MOST} draws give each part its share, received "
        f"{len(np.unique(groups))} groups of {len(y)} rows, too few or too unlike; choose fixed "
        "for data.splits"
    )


def _draws(
    y: NDArray[np.int32],
    groups: Indices,
    wanted: Indices,
    kept: Indices | None,
    seed: int,
    *names: str | int,
) -> Iterator[Parts]:
    """Parts of whole groups: of every class as many rows as `wanted`, or a little more, to validate
    and to test, the rest to train; mixed."""
    random = generator(seed, *names, "together")
    free = _free(groups, kept)
    numbers, place = np.unique(groups[free], return_inverse=True)
    sizes = np.bincount(place)
    strata = _strata(y[free], place, len(numbers), wanted.shape[1])
    drawn = (1,) if kept is not None else (2, 1)  # positions in PARTS
    for _ in range(MOST):
        part_of = np.zeros(len(numbers), np.int64)
        for classes, members in strata:
            own = random.permutation(members)
            reached, start = np.cumsum(sizes[own]), 0
            for part in drawn:
                before = reached[start - 1] if start else 0
                quota = wanted[part, classes].sum()
                enough = 1 + int(np.searchsorted(reached - before, quota))
                # a group at least is left for each part that is still to come
                stop = max(start + 1, min(enough, len(own) - part))
                part_of[own[start:stop]] = part
                start = stop
        parts = {
            name: random.permutation(free[part_of[place] == number])
            for number, name in enumerate(PARTS)
        }
        yield parts if kept is None else parts | {"test": kept}


def _free(groups: Indices, kept: Indices | None) -> Indices:
    """The rows that are drawn."""
    if kept is None:
        return np.arange(len(groups))
    return np.flatnonzero(~np.isin(groups, groups[kept]))


def _strata(
    y: NDArray[np.int32], place: Indices, groups: int, classes: int
) -> list[tuple[Indices, Indices]]:
    """Classes with the groups most of whose rows they have; those with too few groups are one."""
    table = np.zeros((groups, classes), np.int64)
    np.add.at(table, (place, y), 1)
    main = table.argmax(axis=1)
    few = np.bincount(main, minlength=classes) < FEWEST
    own = [(np.array([label]), np.flatnonzero(main == label)) for label in np.flatnonzero(~few)]
    rest = np.flatnonzero(few[main])
    return own + ([(np.flatnonzero(few), rest)] if len(rest) else [])


def _counts(parts: Parts, y: NDArray[np.int32]) -> Indices:
    """`(parts, classes)`."""
    classes = int(y.max()) + 1
    return np.array([np.bincount(y[parts[part]], minlength=classes) for part in PARTS])


def _cut(parts: Parts, y: NDArray[np.int32], sizes: Indices, kept: Indices | None) -> Parts:
    """Of each class the first rows, as many as `sizes` says."""
    cut = {}
    for part, most in zip(PARTS, sizes, strict=True):
        rows = parts[part]
        left = np.ones(len(rows), bool)
        for label, count in enumerate(most):
            left[np.flatnonzero(y[rows] == label)[count:]] = False
        cut[part] = rows[left]
    return cut if kept is None else cut | {"test": kept}
