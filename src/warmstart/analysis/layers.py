"""What was seen in the layers of a study: the report's words, numbers and pictures of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from warmstart.analysis import plots_layers, series
from warmstart.analysis.diagnosis import Flag, flags
from warmstart.analysis.results import Results


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Of one study."""

    flags: tuple[Flag, ...]
    pictures: tuple[tuple[str, str], ...]
    """SVG element, caption."""
    batch_norm: tuple[dict[str, Any], ...]
    """One row per arm and layer with batch norm, in the last look."""
    clipping: tuple[dict[str, Any], ...]
    """One row per arm that clips and look."""


def of(results: Results, slots: Mapping[str, int]) -> Layers | None:
    """None where nobody looked.

    Args:
        results: of one study.
        slots: of all networks that were looked into, `names`, in the page's palette.
    """
    frame = results.diagnostics
    if frame is None or frame.empty:
        return None
    told = series.told(frame)
    last = told[told["epoch"] == told.groupby("arm")["epoch"].transform("max")]
    clipping = told[told["clipped"].notna()].drop_duplicates(["arm", "epoch"])
    return Layers(
        flags=tuple(flags(frame)),
        pictures=tuple(plots_layers.profiles(frame, slots, results.name)),
        batch_norm=tuple(_rows(last[last["gamma_mean"].notna()])),
        clipping=tuple(_rows(clipping)),
    )


def names(results: Results) -> list[str]:
    """Of all networks that were looked into, those that were never trained last."""
    frame = results.diagnostics
    return [] if frame is None else list(dict.fromkeys(frame["arm"]))


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
