"""Features on one scale. Workers undo it: importing this loads neither pandas nor scikit-learn."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from warmstart.files import intact, read_arrays, replacing


@dataclass(frozen=True, kw_only=True, eq=False)
class Standardization:
    """`(x - mean) / scale`, feature by feature."""

    mean: NDArray[np.float64]
    """`(features,)`."""
    scale: NDArray[np.float64]
    """`(features,)`: the standard deviation (divided by n), or 1 where a feature is constant."""

    @classmethod
    def of(
        cls,
        pieces: Iterable[NDArray[np.floating]],
        first: int | None = None,
        channels: int | None = None,
    ) -> Self:
        """The statistics of all `pieces`, each `(n, features)`: of training samples, and of nothing
        else.

        Args:
            first: so many features, the first ones, are standardized; None: all.
            channels: of images, whose pixels share the statistics of their channel, which is the
                last axis; None: every feature has its own.
        """
        moments, features = _Moments(), 0
        for piece in pieces:
            features = piece.shape[1]
            moments.add(piece.reshape(-1, channels) if channels else piece[:, :first])
        if channels:
            pixels = features // channels
            return cls(mean=np.tile(moments.mean, pixels), scale=np.tile(moments.scale(), pixels))
        plain = cls.none(features)
        plain.mean[:first], plain.scale[:first] = moments.mean, moments.scale()
        return plain

    @classmethod
    def none(cls, features: int) -> Self:
        """The one that leaves values as they are."""
        return cls(mean=np.zeros(features), scale=np.ones(features))

    def apply(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """`x (n, features)` standardized in float64, then cast: a new array."""
        return ((x - self.mean) / self.scale).astype(np.float32)

    def undo(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The raw values of standardized `x (n, features)`."""
        return x * self.scale + self.mean

    def write(self, path: Path) -> None:
        """A .npz with `mean` and `scale`."""
        with replacing(path) as unfinished:
            np.savez(unfinished, mean=self.mean, scale=self.scale)

    @classmethod
    def read(cls, path: Path) -> Self:
        """That of `write`. Raises InputError as `files.intact`."""
        with intact(path):
            arrays = read_arrays(path)
            return cls(mean=arrays["mean"], scale=arrays["scale"])


class _Moments:
    """Means and variances of samples that come in pieces, to the last bit those of scikit-learn's
    StandardScaler, which takes each stage a second of processor time to import.

    Chan, Golub and LeVeque (1983), "Algorithms for computing the sample variance: analysis and
    recommendations", The American Statistician 37: two passes over a piece with a correction for
    rounding (eq. 1.7), and the update by a further piece (eq. 2.1).
    """

    def __init__(self) -> None:
        self.count, self.mean, self.variance = 0, np.zeros(0), np.zeros(0)

    def add(self, x: NDArray[np.floating]) -> None:
        """Samples `x (n, features)`, n > 0."""
        count, total = len(x), x.sum(axis=0, dtype=np.float64)
        off = x - total / count
        rounding = off.sum(axis=0)
        off **= 2
        squares = off.sum(axis=0) - rounding**2 / count
        if self.count:
            before, ratio = self.mean * self.count, self.count / count
            between = ratio / (self.count + count) * (before / ratio - total) ** 2
            squares = self.variance * self.count + squares + between
            total = before + total
        self.count += count
        self.mean, self.variance = total / self.count, squares / self.count

    def scale(self) -> NDArray[np.float64]:
        """Standard deviations, and 1 where no more than rounding sets values apart."""
        eps = np.finfo(np.float64).eps
        rounding = self.count * eps * self.variance + (self.count * self.mean * eps) ** 2
        return np.where(self.variance <= rounding, 1.0, np.sqrt(self.variance))
