"""Numbers of a layer from what it puts out, its gradients and its weights: `LayerProbe` says what
they are."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

LARGEST_SLOPE = {"sigmoid": 0.25, "tanh": 1.0}
"""The largest slope of each activation that is flat at both ends."""
SATURATED = 0.1
"""A unit with less than this share of its activation's largest slope is saturated."""


def in_float64(tensors: Sequence[Any]) -> list[np.ndarray]:
    """Arrays in float64, in which the squares of exploding values are still finite."""
    return [keras.ops.convert_to_numpy(tensor).astype("float64") for tensor in tensors]


def norm(values: np.ndarray) -> float:
    # not by BLAS, whose threads decide the order of the sum
    return float(np.sqrt(np.sum(values**2)))


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def effect(clips: Sequence[tuple[Sequence[Any], Sequence[Any]]]) -> dict[str, float]:
    """How often clipping acts, and how far it turns the gradient."""
    if not clips:
        return {}
    acts, cosines = [], []
    for gradients in clips:
        raw, clipped = (np.concatenate([g.ravel() for g in in_float64(part)]) for part in gradients)
        length = norm(raw)
        # what is not clipped may be rounded: Keras multiplies by the threshold and divides
        acts.append(norm(raw - clipped) > 1e-6 * length)
        cosines.append(np.sum(raw * clipped) / length / norm(clipped))
    return {"clipped": float(np.mean(acts)), "clip_cosine": float(np.mean(cosines))}


def activations(values: np.ndarray) -> dict[str, float]:
    return {
        "activation_mean": float(values.mean()),
        "activation_deviation": float(values.std()),
    }


def kernel(values: np.ndarray, gradient: np.ndarray) -> dict[str, float]:
    length, weight = norm(gradient), norm(values)
    return {
        "gradient_norm": length,
        "gradient_rms": rms(gradient),
        "gradient_to_weight": length / weight if weight else np.nan,
    }


def units(
    activation: keras.layers.Layer | None, outputs: np.ndarray, slopes: np.ndarray
) -> dict[str, float]:
    """Shares of dead, one-sided and saturated units, of outputs and slopes (samples, …, units): of
    a convolution a unit is a feature map, at all places."""
    if activation is None:
        return {}
    places = tuple(range(outputs.ndim - 1))
    shares = {
        "dead": float(((outputs == 0) & (slopes == 0)).all(axis=places).mean()),
        "one_sided": float((outputs <= 0).all(axis=places).mean()),
    }
    largest = LARGEST_SLOPE.get(getattr(getattr(activation, "activation", None), "__name__", ""))
    if largest:
        shares["saturated"] = float((np.abs(slopes) < SATURATED * largest).mean())
    return shares


_MOMENTS = ("gamma", "beta", "moving_mean", "moving_variance")


def remembered(layer: keras.layers.BatchNormalization | None) -> list[Any]:
    """Copies of what the layer learned and remembers, in the order of _MOMENTS."""
    return [keras.ops.copy(getattr(layer, name)) for name in _MOMENTS] if layer else []


def batch_norm(values: Sequence[Any]) -> dict[str, float]:
    """Mean and deviation over units."""
    moments: dict[str, float] = {}
    for name, seen in zip(_MOMENTS, in_float64(values), strict=False):
        moments |= {f"{name}_mean": float(seen.mean()), f"{name}_deviation": float(seen.std())}
    return moments
