"""Convolutions and pooling as XLA computes them fast on a CPU.

There XLA's convolution takes up to 30 times as long as oneDNN's, and its gradient of max pooling
(select-and-scatter) as long as all products of a small network. A convolution is also a product of
patches and kernel (im2col: Chellapilla et al. 2006, "High Performance Convolutional Neural Networks
for Document Processing", section 3.1) and pooling a reduction of patches: both compile to fast
code. Keras's layers stay the definition, and what is computed here equals theirs within rounding.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np

from warmstart.training import backends

Pair = tuple[int, int]


def unfold(model: keras.Model) -> None:
    """Have the Conv2D, MaxPooling2D and AveragePooling2D layers of `model` compute by patches where
    the backend would convolve slowly.

    Grouped and dilated convolutions and layers with channels first are left as they are.
    """
    if not backends.current().by_patches():
        return
    for layer in _layers(model):
        if getattr(layer, "data_format", None) != "channels_last":
            continue
        if type(layer) is keras.layers.Conv2D and layer.groups == 1 == max(layer.dilation_rate):
            layer.convolution_op = partial(_convolution, layer)
        elif pool := _POOLING.get(type(layer)):
            layer.call = partial(pool, layer)


def is_in(model: keras.Model) -> bool:
    """Whether `model` has a convolution: its feature maps are many times as large as a sample."""
    return any(isinstance(layer, keras.layers.Conv2D) for layer in _layers(model))


def outputs(model: keras.Model, x: Any, size: int = 256) -> Any:
    """Those of `model` for `x (n, features)` in inference mode; of a convolutional one for `size`
    samples at a time, since feature maps of thousands of images are gigabytes."""
    if not is_in(model):
        return model(x, training=False)
    parts = [model(x[start : start + size], training=False) for start in range(0, len(x), size)]
    return keras.ops.concatenate(parts)


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _covered(
    x: Any, window: Pair, strides: Pair, padding: str, fill: float = 0.0
) -> tuple[Any, Pair]:
    """What windows cover of `x (n, rows, columns, channels)`, padded as Keras does, and how many
    windows there are down and across."""
    places, ends, pads = [], [], [(0, 0)]
    for size, side, stride in zip(x.shape[1:3], window, strides, strict=True):
        places.append(-(-size // stride) if padding == "same" else (size - side) // stride + 1)
        ends.append((places[-1] - 1) * stride + side)
        missing = max(ends[-1] - size, 0)
        pads.append((missing // 2, missing - missing // 2))
    if any(map(any, pads)):
        x = keras.ops.pad(x, [*pads, (0, 0)], constant_values=fill)
    return x[:, : ends[0], : ends[1]], (places[0], places[1])


def _pixels(x: Any, places: Pair, strides: Pair, window: Pair) -> list[Any]:
    """The first pixel of every window on a covered `x`, the second, … in row-major order:
    `(n, height, width, channels)` each."""
    (height, width), (down, across) = places, strides
    return [
        x[:, i : i + (height - 1) * down + 1 : down, j : j + (width - 1) * across + 1 : across]
        for i in range(window[0])
        for j in range(window[1])
    ]


def _convolution(layer: keras.layers.Conv2D, x: Any, kernel: Any) -> Any:
    """`(n, height, width, filters)`, without the bias."""
    ops, (*_, filters) = keras.ops, kernel.shape
    x, places = _covered(x, layer.kernel_size, layer.strides, layer.padding)
    patches = ops.concatenate(_pixels(x, places, layer.strides, layer.kernel_size), axis=-1)
    size = patches.shape[-1]
    product = ops.matmul(ops.reshape(patches, (-1, size)), ops.reshape(kernel, (size, filters)))
    return ops.reshape(product, (-1, *places, filters))


def _windows(layer: Any, x: Any, fill: float = 0.0) -> Any:
    """What a pooling layer reduces: `(n, height, width, pixels, channels)`."""
    ops, window = keras.ops, layer.pool_size
    x, (height, width) = _covered(x, window, layer.strides, layer.padding, fill)
    channels = x.shape[-1]
    if window != tuple(layer.strides):
        return ops.stack(_pixels(x, (height, width), layer.strides, window), axis=3)
    # windows that do not overlap are only another order of the pixels, a third faster
    x = ops.reshape(x, (-1, height, window[0], width, window[1], channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, height, width, window[0] * window[1], channels))


def _max_pooling(layer: keras.layers.MaxPooling2D, x: Any) -> Any:
    return _largest(_windows(layer, x, fill=-np.inf))


@keras.ops.custom_gradient
def _largest(windows: Any) -> tuple[Any, Callable[..., Any]]:
    """The largest pixel of each window. The gradient goes to the first of equal ones, as in Keras's
    layer, where that of `max` is shared among them: pixels tie wherever an image is flat."""
    ops, pixels = keras.ops, windows.shape[3]
    largest = ops.max(windows, axis=3)

    def gradient(*args: Any, upstream: Any = None) -> Any:
        (upstream,) = args or (upstream,)
        first = ops.full_like(largest, pixels - 1, dtype="int32")
        for pixel in reversed(range(pixels - 1)):
            first = ops.where(windows[:, :, :, pixel] == largest, pixel, first)
        numbers = ops.reshape(ops.arange(pixels, dtype="int32"), (pixels, 1))
        here = numbers == ops.expand_dims(first, 3)
        return ops.where(here, ops.expand_dims(upstream, 3), ops.zeros((), upstream.dtype))

    return largest, gradient


def _average_pooling(layer: keras.layers.AveragePooling2D, x: Any) -> Any:
    """Means over what of each window lies in the image."""
    inside = _windows(layer, keras.ops.ones((1, *x.shape[1:3], 1), x.dtype))
    return keras.ops.sum(_windows(layer, x), axis=3) / keras.ops.sum(inside, axis=3)


_POOLING: dict[type, Callable[..., Any]] = {
    keras.layers.MaxPooling2D: _max_pooling,
    keras.layers.AveragePooling2D: _average_pooling,
}
