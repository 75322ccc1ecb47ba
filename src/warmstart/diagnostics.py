"""What a look into a network found, layer by layer, and its file.

A trial is looked into at initialization (epoch 0) and after its last epoch, that of seed 0 also
after epochs 1, 2, 4, 8 …, always on the same training samples. The file holds no clock.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from warmstart.files import replacing

if TYPE_CHECKING:  # as in `records`
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class LayerProbe:
    """One layer after one epoch, in training mode. NaN: the layer has no such thing."""

    epoch: int
    """Epochs trained before the look; 0 is initialization."""
    layer: int
    """1 is the first hidden layer, the highest the head; 0 is batch norm on the input."""
    name: str
    """Of the dense layer (of batch norm for layer 0)."""
    activation_mean: float
    """Over samples and units, of what the activation layer puts out (the head: the logits)."""
    activation_deviation: float
    """The standard deviation of the same values."""
    output_gradient: float = math.nan
    """Root mean square over samples and units of the gradient of a sample's loss with respect to
    what goes into the activation layer: the back-propagated gradient of Glorot & Bengio (2010)."""
    gradient_norm: float = math.nan
    """Euclidean norm of the kernel's gradient of the mean loss, before clipping."""
    gradient_rms: float = math.nan
    """The same as root mean square over the kernel, so that layers of different size compare."""
    gradient_to_weight: float = math.nan
    """`gradient_norm` over the norm of the kernel. NaN where the kernel is 0."""
    dead: float = math.nan
    """Share of units that put out 0 on every sample and pass no gradient on any."""
    saturated: float = math.nan
    """Share of units, over all samples, whose activation has less than a tenth of its largest
    slope. Only for the activations that are flat at both ends: sigmoid and tanh."""
    gamma_mean: float = math.nan
    """Batch norm: γ over its units."""
    gamma_deviation: float = math.nan
    beta_mean: float = math.nan
    beta_deviation: float = math.nan
    moving_mean_mean: float = math.nan
    """Batch norm: the moving mean over its units."""
    moving_mean_deviation: float = math.nan
    moving_variance_mean: float = math.nan
    moving_variance_deviation: float = math.nan
    clipped: float = math.nan
    """Share of mini-batches whose gradient the optimizer's clipping changed. Of the whole network,
    the same for all its layers; NaN without clipping."""
    clip_cosine: float = math.nan
    """Cosine between the whole gradient before and after clipping, mean over mini-batches."""


_TYPES: dict[Any, str] = {int: "i8", str: "U64", float: "f8"}
_FIELDS = dataclasses.fields(LayerProbe)
COLUMNS = ("study", "arm", "seed", "learning_rate", *(field.name for field in _FIELDS))


def pack(probes: Sequence[LayerProbe]) -> np.ndarray:
    """One structured array, which `.npz` files can hold."""
    rows = [dataclasses.astuple(probe) for probe in probes]
    return np.array(rows, dtype=[(field.name, _TYPES[field.type]) for field in _FIELDS])


def unpack(array: np.ndarray) -> tuple[LayerProbe, ...]:
    """The opposite of `pack`."""
    names = [field.name for field in _FIELDS]
    return tuple(LayerProbe(**dict(zip(names, row, strict=True))) for row in array.tolist())


def rows(
    probes: Iterable[LayerProbe], *, study: str, arm: str, seed: int, learning_rate: float
) -> list[dict[str, Any]]:
    """Rows of the file; `learning_rate` is NaN for a network that was not trained."""
    trial = {"study": study, "arm": arm, "seed": seed, "learning_rate": learning_rate}
    return [trial | dataclasses.asdict(probe) for probe in probes]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Parquet: one row per arm, seed, epoch and layer, in that order."""
    import pandas as pd

    with replacing(path) as unfinished:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_parquet(unfinished, index=False)


def read(path: Path) -> "pd.DataFrame":
    """The rows of `write`, with COLUMNS."""
    import pandas as pd

    return pd.read_parquet(path)
