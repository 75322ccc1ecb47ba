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
        # scikit-learn takes a second to import; it recognizes constants in spite of rounding
        from sklearn.preprocessing import StandardScaler

        scaler, features = StandardScaler(), 0
        for piece in pieces:
            features = piece.shape[1]
            if channels:
                scaler.partial_fit(piece.reshape(-1, channels))
            elif first != 0:
                scaler.partial_fit(piece[:, :first])
        if channels:
            pixels = features // channels
            return cls(mean=np.tile(scaler.mean_, pixels), scale=np.tile(scaler.scale_, pixels))
        plain = cls.none(features)
        if first != 0:
            plain.mean[:first], plain.scale[:first] = scaler.mean_, scaler.scale_
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
