"""Few of many samples, each class in its proportion."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def draw(y: NDArray[np.int32], size: int, generator: np.random.Generator) -> Indices:
    """`size` rows of `y (n,)`, at random but each class in its proportion, at least one of each.

    From generators of the same seed, a smaller draw is part of every larger one as far as its
    quotas of the classes are no larger.
    """
    mixed = generator.permutation(len(y))
    classes, counts = np.unique(y, return_counts=True)
    drawn = [
        mixed[y[mixed] == label][:quota]
        for label, quota in zip(classes, quotas(counts, size), strict=True)
    ]
    return np.sort(np.concatenate(drawn))


def quotas(counts: Indices, size: int) -> Indices:
    """`size` shared out in proportion to `counts`: rounded by largest remainder, none left at 0.

    Expects `len(counts) <= size <= counts.sum()` and every count at least 1.
    """
    # integers throughout: a remainder of exactly a half must not depend on rounding
    shares, remainders = np.divmod(counts * size, counts.sum())
    shares[np.argsort(-remainders, kind="stable")[: size - shares.sum()]] += 1
    while (shares == 0).any():
        shares[np.argmax(shares)] -= 1
        shares[np.argmin(shares)] += 1
    return shares
