"""Samples that are images: their shape, and whether they are standardized channel by channel."""

from collections.abc import Sequence

from warmstart.config.data import Standardize
from warmstart.config.network import is_large
from warmstart.errors import InputError


def sample_shape(feature_shape: Sequence[int], features: int) -> tuple[int, ...]:
    """The shape of one sample as a network sees it: `(height, width, channels)` of images, grey
    ones with 1 channel, else `(features,)`.

    Args:
        feature_shape: of one raw sample.
        features: of one sample after preprocessing.
    """
    match tuple(feature_shape):
        case (height, width) if height * width == features:
            return height, width, 1
        case (height, width, channels) if height * width * channels == features:
            return height, width, channels
    return (features,)


def channels(shape: Sequence[int], wanted: Standardize) -> int | None:
    """How many channels samples of `shape` have whose statistics are taken over all pixels; None:
    every feature has its own.

    Raises:
        InputError: if channels are `wanted` of samples that are no images.
    """
    if wanted == "channel" and len(shape) != 3:
        raise InputError(
            "data.standardize: expected auto or feature, since a sample is no image, received "
            "channel; change it"
        )
    by_channel = wanted == "channel" or (wanted == "auto" and is_large(shape))
    return shape[2] if by_channel else None
