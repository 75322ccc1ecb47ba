"""What pretraining without labels left, for the report: losses, reconstructions, filters."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np
from numpy.typing import NDArray

from warmstart.records import Record, read_records

COLUMNS = 10
"""Images side by side."""
FILTERS = 20
"""As many per method, those with the largest weights."""


@dataclass(frozen=True, kw_only=True)
class Encoders:
    """What the stage `autoencode` left."""

    chosen: tuple[Record, ...]
    """The trial of each method (of each layer, where they are trained one by one) that was kept."""
    reconstructions: str
    """A picture as a data URI: originals in the first row, then one row per method in `rebuilt`;
    empty where samples are no grey images."""
    rebuilt: tuple[str, ...]
    filters: Mapping[str, str]
    """Method -> picture of its first filters, as a data URI."""


def read_encoders(folder: Path, shape: Sequence[int]) -> Encoders | None:
    """Read `records.parquet` and `shown.npz`.

    Args:
        folder: of the stage's results.
        shape: of one sample.

    Returns:
        None where the stage has not run.
    """
    if not (folder / "shown.npz").exists():
        return None
    with np.load(folder / "shown.npz", allow_pickle=False) as file:
        arrays = dict(file)
    rebuilt = tuple(name for name in _methods(arrays, "_reconstructions"))
    images = [arrays["originals"], *(arrays[f"{method}_reconstructions"] for method in rebuilt)]
    grey = len(shape) == 2
    low, high = arrays["originals"].min(), arrays["originals"].max()
    return Encoders(
        chosen=tuple(r for r in read_records(folder / "records.parquet") if r.chosen),
        reconstructions=_image(images, shape, low, high) if grey and rebuilt else "",
        rebuilt=rebuilt,
        filters={m: _filters(arrays[f"{m}_filters"], shape) for m in _methods(arrays, "_filters")}
        if grey
        else {},
    )


def _methods(arrays: Mapping[str, NDArray], suffix: str) -> list[str]:
    return [name.removesuffix(suffix) for name in arrays if name.endswith(suffix)]


def _filters(weights: NDArray, shape: Sequence[int]) -> str:
    """The picture of `weights (units, features)`: grey is 0, each filter in its own scale."""
    order = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")[:FILTERS]
    strongest = weights[order] / np.abs(weights[order]).max(axis=1, keepdims=True).clip(1e-12)
    rows = [strongest[i : i + COLUMNS] for i in range(0, len(strongest), COLUMNS)]
    return _image(rows, shape, -1, 1)


def _image(rows: Sequence[NDArray], shape: Sequence[int], low: float, high: float) -> str:
    """`rows (images, features)` as one grey image, dark for `low`, transparent between images."""
    height, width = shape
    sheet = np.full((len(rows) * (height + 1), COLUMNS * (width + 1)), np.nan)
    for i, row in enumerate(rows):
        for j, image in enumerate(row[:COLUMNS]):
            top, left = i * (height + 1), j * (width + 1)
            sheet[top : top + height, left : left + width] = image.reshape(height, width)
    png, visible = io.BytesIO(), np.ma.masked_invalid(sheet)
    plain = {"cmap": "gray", "format": "png", "metadata": {"Software": None}}
    matplotlib.image.imsave(png, visible, vmin=low, vmax=high, **plain)
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
