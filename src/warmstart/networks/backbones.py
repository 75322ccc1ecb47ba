"""Any network as one from a task's features to features of its own, for heads to be trained on."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from warmstart.config.model_a import ModelA
from warmstart.data.pixels import span
from warmstart.data.standardization import Standardization
from warmstart.data.task import PARTS, Task
from warmstart.errors import InputError
from warmstart.networks import applications
from warmstart.networks.backbone import NAME

_LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue in grey (ITU-R BT.601), as Pillow has it."""
_BATCH = 32
_POOLS: dict[int, type[keras.layers.Layer]] = {
    3: keras.layers.GlobalAveragePooling1D,
    4: keras.layers.GlobalAveragePooling2D,
    5: keras.layers.GlobalAveragePooling3D,
}


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What a backbone has to know of the samples that it gets."""

    shape: tuple[int, ...]
    """Of one, as `Task.shape`."""
    span: tuple[float, float]
    """Black and white, if they are images."""
    standardization: Standardization
    """Which is undone: networks of images see raw values."""

    @property
    def features(self) -> int:
        """Of a standardized one."""
        return len(self.standardization.mean)

    @classmethod
    def of(
        cls, x: NDArray[np.floating], shape: tuple[int, ...], standardization: Standardization
    ) -> "Samples":
        """Of raw `x (n, features)`."""
        return cls(shape=shape, span=span(x), standardization=standardization)


@dataclass(frozen=True, kw_only=True)
class Wrapped:
    """A backbone for some samples."""

    model: keras.Model
    """Standardized features `(batch, features)` to features `(batch, n)`; frozen."""
    steps: tuple[str, ...]
    """What it does to the samples first, in words."""

    @property
    def said(self) -> str:
        count = self.model.output_shape[-1]
        return f"{', '.join(self.steps)}; {count:,} features"


def wrap_application(a: ModelA, samples: Samples, seed: int, *, download: bool) -> Wrapped:
    """The application that `a` names, for `samples`.

    Raises:
        InputError, LackingError: as `applications.build`, or they are no images.
    """
    image = _image(a, samples)
    size = a.size or applications.size_for(*image[:2])
    core = applications.build(a, size, seed, download=download)
    return _wrap_image(core, samples, size, applications.affine(a.application))


def wrap_own(a: ModelA, model: keras.Model, samples: Samples) -> Wrapped:
    """The user's `model`, up to its head: the last Dense layer, if it has one.

    A model of flat features takes them standardized, as all networks here do. One of images takes
    pixels from 0 to 255 if it has a layer that scales them itself, else from 0 to 1, unless
    `a.pixels` says otherwise.

    Raises:
        InputError: it has several inputs or outputs, or takes other samples.
    """
    core = _without_head(a, model)
    taken = core.input_shape[1:]
    if taken == (samples.features,):
        inputs = keras.Input(taken, name="features")
        said = f"{taken[0]:,} standardized features"
        return Wrapped(model=_named(inputs, core(inputs)), steps=(said,))
    if len(taken) == 3:
        height, width, _ = _image(a, samples)
        size = a.size or (taken[0] or height, taken[1] or width)
        if any(t not in (None, wanted) for t, wanted in zip(taken, size, strict=False)):
            raise InputError(
                f"transfer.a.size: expected {list(taken[:2])}, which {a.model} takes, received "
                f"{list(size)}; remove it"
            )
        return _wrap_image(core, samples, size, _scaling(a, core))
    raise InputError(
        f"transfer.a: expected a network on the {samples.features} features of these data, or one "
        f"of images, received {a.model}, which takes {taken}; pretrain it on the same features"
    )


def _image(a: ModelA, samples: Samples) -> tuple[int, ...]:
    if len(samples.shape) == 3 and samples.shape[2] in (1, 3):
        return samples.shape
    raise InputError(
        f"transfer.a: expected grey or coloured images, which {a.model} takes, received samples of "
        f"shape {samples.shape}; give a network on their {samples.features} features"
    )


def _without_head(a: ModelA, model: keras.Model) -> keras.Model:
    """Input to what the last Dense layer sees, averaged over places."""
    try:
        (taken,), (given,) = model.inputs, model.outputs
        if heads := [each for each in model.layers if isinstance(each, keras.layers.Dense)]:
            given = heads[-1].input
        rank = len(given.shape)
        if rank in _POOLS:
            given = _POOLS[rank](name="averaged")(given)
        if len(given.shape) != 2 or given.shape[-1] is None:
            raise ValueError(f"features of shape {given.shape}")
        # Keras would number it through the process, and the name is saved
        return keras.Model(taken, given, name="without_head")
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"transfer.a: expected a network of one input and one output, received {a.model} "
            f"({' '.join(str(error).split())[:200]}); save such a model"
        ) from None


def _scaling(a: ModelA, core: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    """Of pixels from 0 to 255, as `applications.affine`."""
    black, white = a.pixels or ((0.0, 255.0) if _scales(core) else (0.0, 1.0))
    channels = core.input_shape[-1]
    return np.eye(channels) * (white - black) / 255, np.full(channels, black)


def _scales(model: Any) -> bool:
    """Whether some layer is there to scale what comes in."""
    own = (keras.layers.Rescaling, keras.layers.Normalization)
    return any(isinstance(each, own) or _scales(each) for each in getattr(model, "layers", ()))


def _wrap_image(
    core: keras.Model,
    samples: Samples,
    size: tuple[int, int],
    affine: tuple[np.ndarray, np.ndarray],
) -> Wrapped:
    """`core` behind what makes its images of standardized features.

    Args:
        size: height and width of what it sees.
        affine: what it wants of pixels from 0 to 255, `(channels, channels)` and `(channels,)`.
    """
    height, width, channels = image = samples.shape
    kernel, bias = affine
    wanted = len(bias)
    steps = [f"{height} × {width} × {channels}"]
    x = inputs = keras.Input((math.prod(image),), name="features")
    x = keras.layers.Reshape(image, name="image")(_raw(samples.standardization)(x))
    if size != (height, width):
        x = keras.layers.Resizing(*size, name="resized")(x)
        steps[0] += f" resized to {size[0]} × {size[1]}"
    if (channels, wanted) == (1, 3):
        steps.append("grey to RGB")
        kernel = np.ones((1, 3)) @ kernel
    elif (channels, wanted) == (3, 1):
        steps.append("RGB to grey")
        kernel = np.array(_LUMA)[:, None] @ kernel
    elif channels != wanted:
        raise InputError(
            f"transfer.a: expected a network of images with 1 or 3 channels, received one of "
            f"{wanted}; give another"
        )
    steps.append(_words(samples.span, kernel, bias))
    black, white = samples.span
    kernel = kernel * 255 / ((white - black) or 1.0)
    pixels = keras.layers.Dense(wanted, name="pixels")
    x = pixels(x)
    pixels.set_weights([kernel, bias - black * kernel.sum(axis=0)])
    return Wrapped(model=_named(inputs, core(x)), steps=tuple(steps))


def _words(span: tuple[float, float], kernel: np.ndarray, bias: np.ndarray) -> str:
    """What becomes of black and white."""
    low, high = bias, bias + 255 * kernel.sum(axis=0)
    if np.ptp(low) or np.ptp(high):
        return "scaled channel by channel as its preprocess_input does"
    came, goes = (
        f"{black:g} to {round(float(white), 6):g}" for black, white in (span, (low[0], high[0]))
    )
    if came == goes:
        return f"pixels from {came} as they are"
    return f"pixels scaled from {came} to {goes}"


def _raw(standardization: Standardization) -> keras.layers.Normalization:
    """The layer that undoes it."""
    layer = keras.layers.Normalization(invert=True, name="raw")
    layer.build((None, len(standardization.mean)))
    layer.adapt_mean.assign(standardization.mean)
    layer.adapt_variance.assign(standardization.scale**2)
    layer.finalize_state()
    return layer


def _named(inputs: keras.KerasTensor, features: keras.KerasTensor) -> keras.Model:
    model = keras.Model(inputs, features, name=NAME)
    model.trainable = False
    return model


def load(path: Path) -> keras.Model:
    """The backbone that was saved as `path`."""
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    model.trainable = False
    return model


def task_of_features(task: Task, model: keras.Model) -> Task:
    """The same samples and labels, as what the backbone `model` makes of them."""
    arrays: dict[str, Any] = {f"y_{part}": getattr(task, f"y_{part}") for part in PARTS}
    for part in PARTS:
        x = getattr(task, f"x_{part}")
        arrays[f"x_{part}"] = model.predict(x, batch_size=_BATCH, verbose=0).astype(np.float32)
    return Task.of(name=task.name, class_names=task.class_names, target=task.target, **arrays)


def standardized(task: Task) -> tuple[Task, Standardization]:
    """A task of a backbone's features as heads see it, and how that is made: those of one network
    are a thousand times those of another, and learning rates suit features of deviation 1."""
    own = Standardization.of([task.x_train])
    made: dict[str, Any] = {f"x_{part}": own.apply(getattr(task, f"x_{part}")) for part in PARTS}
    return replace(task, **made), own


def join(backbone: keras.Model, standardization: Standardization, head: keras.Model) -> keras.Model:
    """A model of the features of the data that gives what `head` gives on those of `backbone`,
    standardized."""
    inputs = keras.Input(backbone.input_shape[1:], name="features")
    scale = 1 / standardization.scale
    standardize = keras.layers.Rescaling(
        scale.tolist(), (-standardization.mean * scale).tolist(), name="standardized"
    )
    return keras.Sequential([inputs, backbone, standardize, *head.layers], name="mlp")
