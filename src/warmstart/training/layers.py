"""What the probe of a network measures, layer by layer.

A trial is probed at initialization (epoch 0) and after its last epoch, that of seed 0 also
after epochs 1, 2, 4, 8 …, always on the same training samples.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class LayerProbe:
    """One layer after one epoch, in training mode. NaN: the layer has no such thing."""

    epoch: int
    """Epochs trained before; 0 is initialization."""
    layer: int
    """1 is the first hidden layer, the highest the head; 0 is batch norm on the input."""
    name: str
    """The dense layer's or the convolution's (for layer 0 that of batch norm)."""
    activation_mean: float
    """Over samples and units, of what the activation layer puts out (the head: the logits); with a
    skip connection, of the sum."""
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
    one_sided: float = math.nan
    """Share of units that put out no positive value on any sample: they stay on the side on which
    ReLU is flat. With ReLU these are the dead ones; a leaky unit there still learns."""
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
    """Share of mini-batches whose gradient the optimizer's clipping changed. A number of the whole
    network, the same for all its layers; NaN without clipping."""
    clip_cosine: float = math.nan
    """Cosine between the whole gradient before and after clipping, mean over mini-batches."""
    training_loss: float = math.nan
    """Mean loss on the samples of the probe in inference mode, as losses on validation samples are
    measured. A number of the whole network."""


_TYPES: dict[Any, str] = {int: "i8", str: "U64", float: "f8"}
FIELDS = tuple(field.name for field in dataclasses.fields(LayerProbe))


def pack(probes: Sequence[LayerProbe]) -> np.ndarray:
    """One structured array `(len(probes),)`, which `.npz` files can hold."""
    types = [(field.name, _TYPES[field.type]) for field in dataclasses.fields(LayerProbe)]
    values = attrgetter(*FIELDS)  # dataclasses.astuple would copy each of them
    return np.array([values(probe) for probe in probes], dtype=types)


def unpack(array: np.ndarray) -> tuple[LayerProbe, ...]:
    """The opposite of `pack`."""
    return tuple(LayerProbe(**dict(zip(FIELDS, row, strict=True))) for row in array.tolist())
