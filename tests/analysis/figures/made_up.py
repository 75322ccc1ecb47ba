"""Results of a study with known arms, and what Vega draws of a picture."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import vl_convert

from fabricated import study
from warmstart.analysis.results import DataCard, Results, judged
from warmstart.records import Record

ERRORS = {"good": 0.04, "near": 0.05, "bad": 0.3, "diverging": -0.1}


def results(
    records: list[Record] | None = None,
    diagnostics: pd.DataFrame | None = None,
    deviation: float = 20.0,
) -> Results:
    """Of `records`, those of ERRORS if none are given, with times."""
    records = records or study(ERRORS)
    numbers = records[0].metric in ("rmse", "mae", "r2")
    card = DataCard(
        {
            "name": "made up",
            "kind": "regression" if numbers else "multiclass",
            "target": {"name": "price", "deviation": deviation},
            "tasks": {"full": {"digest": "d" * 64, "train": {"n": 900}, "test": {"n": 360}}},
        }
    )
    arms = {arm: {"seconds_per_epoch": 0.5} for arm in {record.arm for record in records}}
    found = judged(tuple(records), card, 0.01, timings={"arms": arms}, diagnostics=diagnostics)
    assert found
    return found


def looked_into() -> pd.DataFrame:
    """Three hidden layers and a head of two networks, one of which was only looked into."""
    return pd.DataFrame(
        {
            "study": "initializer",
            "arm": arm,
            "seed": seed,
            "epoch": epoch,
            "layer": layer,
            "activation_deviation": float(layer),
            "output_gradient": 0.0 if layer == 2 else 10.0**-layer,
        }
        for arm, epochs in (("good", (0, 5, 10)), ("profile", (0,)))
        for seed in (0, 1)
        for epoch in epochs
        for layer in (1, 2, 3, 4)
    )


def drawn(spec: Mapping[str, Any], version: str = "6.4") -> list[dict[str, Any]]:
    """The points of the picture, 640 pixels wide."""
    named = (mark for mark in _marks(_scene(spec, version)) if mark.get("name") == "dots_marks")
    return [item for mark in named for item in mark["items"]]


def texts(spec: Mapping[str, Any], version: str = "6.4") -> list[dict[str, Any]]:
    """All words in it."""
    marks = (mark for mark in _marks(_scene(spec, version)) if mark["marktype"] == "text")
    return [item for mark in marks for item in mark["items"] if item.get("text")]


def _scene(spec: Mapping[str, Any], version: str) -> Any:
    wide = dict(spec) | ({"width": 640} if spec.get("width") == "container" else {})
    return vl_convert.vegalite_to_scenegraph(wide, vl_version=version)["scenegraph"]


def _marks(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "marktype" in node:
            yield node
        for value in node.values():
            yield from _marks(value)
    elif isinstance(node, list):
        for value in node:
            yield from _marks(value)
