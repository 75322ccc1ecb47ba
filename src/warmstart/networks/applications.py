"""Keras's pretrained networks, with their weights from wherever they are to be had."""

import socket
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.utils import file_utils  # where they look for `get_file`

from warmstart.config.model_a import RANDOM, ModelA
from warmstart.data import reachable
from warmstart.errors import InputError

SMALLEST, LARGEST = 96, 224
"""Pixels a side that images are resized to where they have less or more: all applications take
them, and their weights were learned from images of about the latter."""
_HOW = (
    "copy that file there from a machine that has it, or name it as transfer.a: {model: …, "
    "weights: FILE}"
)
_GetFile = Callable[..., str]


class LackingError(LookupError):
    """Weights that are not on this machine, in a line."""


def build(a: ModelA, size: tuple[int, int], seed: int, *, download: bool) -> keras.Model:
    """The application that `a` names, images `(batch, *size, 3)` to features `(batch, n)`: without
    its head, averaged over places.

    Args:
        size: height and width.
        seed: of random weights.
        download: whether weights that are not here may be fetched.

    Raises:
        LackingError: weights are not here, and may not be fetched.
        InputError: it takes no images of this size, or its weights cannot be had.
    """
    keras.utils.set_random_seed(seed)  # its initializers have no seeds of their own
    known = a.weights != RANDOM
    with (
        _weights_from(a.weights, download=download) if known else nullcontext(),
        warnings.catch_warnings(),
    ):
        # MobileNets say that they take the weights for 224 pixels, as all others do
        warnings.filterwarnings("ignore", ".*input_shape. is undefined or non-square", UserWarning)
        try:
            return getattr(keras.applications, a.application)(
                include_top=False,
                input_shape=(*size, 3),
                pooling="avg",
                weights="imagenet" if known else None,
            )
        except (ValueError, TypeError, OSError, KeyError) as error:  # h5py's and Keras's own
            reason = textwrap.shorten(" ".join(str(error).split()), 250, placeholder=" …")
            change = f"{a.weights}" if a.weights else "size"
            raise InputError(
                f"transfer.a: expected {a.model} to be built for images of {size[0]} × {size[1]} "
                f"pixels, received from Keras: {reason}; change transfer.a's {change}"
            ) from None


@contextmanager
def _weights_from(file: str | None, *, download: bool) -> Iterator[None]:
    """In the block Keras's networks take the weights in `file`; None: those in Keras's cache, or
    downloaded. Only Keras knows the name and the address of what it would fetch, so it is asked
    where it fetches."""
    fetch: _GetFile = file_utils.get_file

    def get_file(fname: str, origin: str, **options: Any) -> str:
        if file:
            return file
        place = Path(file_utils.config.keras_home()) / options.get("cache_subdir", "datasets")
        if not (place / fname).exists():
            if not download:
                raise LackingError(
                    f"its weights are not here as {place / fname}: `prepare` downloads them from "
                    f"{origin}; without internet {_HOW}"
                )
            try:
                reachable.check(origin)
            except OSError as error:
                raise _not_to_be_had(fname, origin, place, error) from None
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(reachable.TIMEOUT_SECONDS)
        try:
            return fetch(fname, origin, **options)
        except Exception as error:  # Keras raises no other
            raise _not_to_be_had(fname, origin, place, error) from None
        finally:
            socket.setdefaulttimeout(before)

    if file and not Path(file).is_file():
        raise InputError(
            f"transfer.a.weights: expected a file with weights, received {file}, which is none; "
            "correct the path"
        )
    file_utils.get_file = get_file
    try:
        yield
    finally:
        file_utils.get_file = fetch


def _not_to_be_had(name: str, address: str, place: Path, error: Exception) -> InputError:
    reason = str(error).rpartition("(Caused by ")[2]  # requests wraps it in two others
    reason = textwrap.shorten(reason, 150, placeholder=" …")
    return InputError(
        f"transfer.a: expected weights as {place / name} or by download, received none ({address}: "
        f"{reason}); {_HOW}"
    )


def affine(application: str) -> tuple[np.ndarray, np.ndarray]:
    """Its `preprocess_input` as `kernel (3, 3)` and `bias (3,)`: pixels `(3,)` from 0 to 255, times
    the kernel, plus the bias. All applications' are of that kind."""
    module = getattr(keras.applications, application).__module__.rpartition(".")[2]
    preprocess = getattr(keras.applications, module).preprocess_input
    colours = np.concatenate([np.zeros((1, 3)), 255 * np.eye(3)]).reshape(4, 1, 1, 3)
    bias, *rows = np.array(preprocess(colours.copy())).reshape(4, 3)
    return (np.array(rows) - bias) / 255, bias


def size_for(height: int, width: int) -> tuple[int, int]:
    """What images of so many pixels are resized to."""
    return min(max(height, SMALLEST), LARGEST), min(max(width, SMALLEST), LARGEST)
