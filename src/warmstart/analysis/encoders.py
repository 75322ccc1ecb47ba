"""What pretraining without labels left, for the report: losses, reconstructions, filters."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np

from warmstart.files import read_json

COLUMNS = 10
"""Images side by side."""
FILTERS = 20
"""As many per method, those with the largest weights."""


@dataclass(frozen=True, kw_only=True)
class Encoders:
    """Of the stage `autoencode`."""

    losses: dict[str, dict[str, float]]
    """Arm -> learning rate and last losses, from `losses.json`."""
    reconstructions: str | None
    """A picture as a data URI: originals in the first row, then one row per method in `rebuilt`;
    None where samples are no grey images."""
    rebuilt: tuple[str, ...]
    filters: dict[str, str]
    """Method -> picture of its first filters, as a data URI."""


def read(folder: Path, shape: Sequence[int]) -> Encoders | None:
    """What lies in `folder`, whose samples are of `shape`; None where the stage has not run."""
    if not (folder / "losses.json").exists():
        return None
    with np.load(folder / "shown.npz", allow_pickle=False) as file:
        shown = {name: file[name] for name in file.files}
    methods = [name.removesuffix("_filters") for name in shown if name.endswith("_filters")]
    rebuilt = tuple(method for method in methods if f"{method}_reconstructions" in shown)
    drawn = len(shape) == 2
    originals = shown["originals"]
    images = [originals, *(shown[f"{method}_reconstructions"] for method in rebuilt)]
    return Encoders(
        losses=read_json(folder / "losses.json"),
        reconstructions=_picture(images, shape, originals.min(), originals.max())
        if drawn
        else None,
        rebuilt=rebuilt,
        filters={m: _filters(shown[f"{m}_filters"], shape) for m in methods} if drawn else {},
    )


def _filters(weights: np.ndarray, shape: Sequence[int]) -> str:
    """Of `weights (units, features)`: grey is 0, each filter in its own scale."""
    order = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")[:FILTERS]
    strongest = weights[order] / np.abs(weights[order]).max(axis=1, keepdims=True).clip(1e-12)
    rows = [strongest[i : i + COLUMNS] for i in range(0, len(strongest), COLUMNS)]
    return _picture(rows, shape, -1, 1)


def _picture(rows: Sequence[np.ndarray], shape: Sequence[int], low: float, high: float) -> str:
    """`rows` of flat images as one grey image, dark for `low`, transparent between them."""
    height, width = shape
    sheet = np.full((len(rows) * (height + 1), COLUMNS * (width + 1)), np.nan)
    for i, row in enumerate(rows):
        for j, image in enumerate(row[:COLUMNS]):
            top, left = i * (height + 1), j * (width + 1)
            sheet[top : top + height, left : left + width] = image.reshape(height, width)
    file, drawn = io.BytesIO(), np.ma.masked_invalid(sheet)
    options: dict[str, Any] = {"metadata": {"Software": None}}
    matplotlib.image.imsave(file, drawn, vmin=low, vmax=high, cmap="gray", format="png", **options)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
