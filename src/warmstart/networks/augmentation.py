"""Training images changed anew in every step, as a layer of the network.

All is padding, slicing and products of fixed matrices, which XLA compiles to a few loops: an
operation that takes pixels from where it is told (gather) takes longer than a small network.
"""

from typing import Any

import keras
import numpy as np

from warmstart.networks.activations import drawn

DRAWS = 5
"""Numbers that are drawn for each image, whatever is done to it: down and right of its shift, its
flip, down and right of its crop."""


@keras.saving.register_keras_serializable(package="warmstart")
class Augment(keras.layers.Layer):
    """Shifts, flips and crops each image by draws of its own; in inference it does nothing. Shape
    and dtype stay. See `config.augmentation.Augmentation`.

    Args:
        image: height, width, channels of each sample of `x (batch, …)`, which may be flat.
        shift: at most so many pixels, of zeros, in each direction.
        flip: whether half of the images are mirrored, left to right.
        crop: pixels less a side of what is enlarged, by linear interpolation between the centres
            of pixels, to the size of the image.
    """

    def __init__(
        self,
        image: tuple[int, int, int],
        shift: int = 0,
        flip: bool = False,
        crop: int = 0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image, self.shift, self.flip, self.crop = tuple(image), shift, flip, crop
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        if not training:
            return x
        ops, shift, crop = keras.ops, self.shift, self.crop
        images = ops.reshape(x, (-1, *self.image))
        count = ops.shape(images)[0]
        draws = drawn("uniform", ops.zeros((count, DRAWS), x.dtype), 0.0, 1.0, self.seed_generator)
        if shift:
            images = ops.pad(images, [(0, 0), (shift, shift), (shift, shift), (0, 0)])
            images = _windows(images, draws[:, 0:2], 2 * shift)
        if self.flip:
            mirrored = ops.flip(images, axis=2)
            images = ops.where(draws[:, 2, None, None, None] < 0.5, mirrored, images)
        if crop:
            images = _windows(images, draws[:, 3:5], crop)
            down, right = (ops.cast(enlarging(n - crop, n), x.dtype) for n in self.image[:2])
            images = ops.einsum("ih,nhwc->niwc", down, images)
            images = ops.einsum("jw,niwc->nijc", right, images)
        return ops.reshape(images, ops.shape(x))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("image", "shift", "flip", "crop", "seed")}
        return {**super().get_config(), **own}


def _windows(images: Any, draws: Any, less: int) -> Any:
    """What `less` pixels less a side show of `images (n, height, width, channels)`, each from the
    pixel that `draws (n, 2)` from [0, 1) choose: any place is as likely."""
    ops = keras.ops
    for axis in (1, 2):
        size = images.shape[axis] - less
        first = ops.cast(draws[:, axis - 1] * (less + 1), "int32")[:, None, None, None]
        chosen, *others = [
            images[:, start : start + size] if axis == 1 else images[:, :, start : start + size]
            for start in range(less + 1)
        ]
        for start, place in enumerate(others, start=1):
            chosen = ops.where(first == start, place, chosen)
        images = chosen
    return images


def enlarging(size: int, larger: int) -> np.ndarray:
    """`(larger, size)`: times a column of pixels it is that column enlarged. A pixel beyond the
    first or the last centre is like it."""
    centres = np.clip((np.arange(larger) + 0.5) * size / larger - 0.5, 0, size - 1)
    return np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(size)))
