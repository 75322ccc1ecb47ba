"""What pretraining without labels left, for the report: losses, reconstructions, filters."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from warmstart.files import intact, read_arrays
from warmstart.records import Record, read_records

COLUMNS = 10
"""Images side by side."""
FILTERS = 20
"""As many per method, those with the largest weights."""


@dataclass(frozen=True, kw_only=True)
class Encoders:
    """What the stage `autoencode` left."""

    chosen: tuple[Record, ...]
    """The trial that was kept of each method, or of each layer that was trained by itself."""
    pictures: Mapping[str, str]
    """Caption -> picture as a data URI; empty where samples are no grey images."""


def read_encoders(folder: Path, shape: Sequence[int]) -> Encoders | None:
    """Read `records.parquet` and `shown.npz` in `folder`; None where the stage has not run.

    `shape` is that of one sample.
    """
    shown = folder / "shown.npz"
    if not shown.exists():
        return None
    chosen = tuple(r for r in read_records(folder / "records.parquet") if r.chosen)
    if len(shape) != 2:
        return Encoders(chosen=chosen, pictures={})
    with intact(shown):
        arrays = read_arrays(shown)
    pictures, originals = {}, arrays["originals"]
    methods = [name.removesuffix("_filters") for name in arrays if name.endswith("_filters")]
    if rebuilt := [method for method in methods if f"{method}_reconstructions" in arrays]:
        rows = [originals, *(arrays[f"{method}_reconstructions"] for method in rebuilt)]
        caption = (
            "Validation samples, never trained on, in the first row; below, what is left of them "
            f"after {', then '.join(rebuilt)}."
        )
        pictures[caption] = _image(rows, shape, originals.min(), originals.max())
    for method in methods:
        caption = (
            f"First-layer filters of {method}, those with the largest weights: what each unit "
            "looks for; grey is zero."
        )
        pictures[caption] = _filters(arrays[f"{method}_filters"], shape)
    return Encoders(chosen=chosen, pictures=pictures)


def _filters(weights: NDArray[Any], shape: Sequence[int]) -> str:
    """The picture of `weights (units, features)`: grey is 0, each filter in its own scale."""
    order = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")[:FILTERS]
    strongest = weights[order] / np.abs(weights[order]).max(axis=1, keepdims=True).clip(1e-12)
    rows = [strongest[i : i + COLUMNS] for i in range(0, len(strongest), COLUMNS)]
    return _image(rows, shape, -1, 1)


def _image(rows: Sequence[NDArray[Any]], shape: Sequence[int], low: float, high: float) -> str:
    """`rows (images, features)` as one grey image, dark for `low`, transparent between images."""
    height, width = shape
    sheet = np.full((len(rows), height + 1, COLUMNS, width + 1), np.nan)
    for i, row in enumerate(rows):
        images = row[:COLUMNS].reshape(-1, height, width)
        sheet[i, :height, : len(images), :width] = images.swapaxes(0, 1)
    pixels = sheet.reshape(len(rows) * (height + 1), -1)
    between = np.isnan(pixels)
    grey = np.clip((np.where(between, low, pixels) - low) / ((high - low) or 1.0), 0, 1) * 255
    layers = np.stack([grey.round(), np.where(between, 0, 255)], axis=-1).astype(np.uint8)
    png = io.BytesIO()
    Image.fromarray(layers).save(png, format="png")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
