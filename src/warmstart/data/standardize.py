"""Every feature to mean 0 and standard deviation 1, as the training samples have them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from warmstart.files import replacing


@dataclass(frozen=True, kw_only=True, eq=False)
class Standardization:
    """`(x - mean) / scale`, feature by feature."""

    mean: NDArray[np.float64]
    """`(features,)`."""
    scale: NDArray[np.float64]
    """`(features,)`: the standard deviation (divided by n), or 1 where a feature is constant."""

    @classmethod
    def of(cls, x: NDArray[np.floating]) -> Self:
        """The statistics of `x (n, features)`: of training samples, and of nothing else."""
        # scikit-learn takes a second to import; it knows constants in spite of rounding
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(x)
        return cls(mean=np.asarray(scaler.mean_), scale=np.asarray(scaler.scale_))

    @classmethod
    def none(cls, features: int) -> Self:
        """That which leaves values as they are."""
        return cls(mean=np.zeros(features), scale=np.ones(features))

    def apply(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """`x (n, features)` standardized: a new array."""
        return ((x - self.mean) / self.scale).astype(np.float32)

    def undo(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The raw values of `x (n, features)`."""
        return x * self.scale + self.mean

    def write(self, path: Path) -> None:
        """A .npz with `mean` and `scale`."""
        with replacing(path) as unfinished:
            np.savez(unfinished, mean=self.mean, scale=self.scale)

    @classmethod
    def read(cls, path: Path) -> Self:
        with np.load(path, allow_pickle=False) as file:
            return cls(mean=file["mean"], scale=file["scale"])
