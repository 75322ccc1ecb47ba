"""A project all of whose stages have run: made-up records, as many arms as params.yaml has."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fabricated import finished, study, trial
from parameters import params
from warmstart.analysis.judging import judge
from warmstart.analysis.page import write_report
from warmstart.config.params import Params
from warmstart.files import write_sealed
from warmstart.records import looks, times_of, write_looks, write_records
from warmstart.training.layers import LayerProbe

PARAMS = params()
SEEDS = 5
STARTS = ["scratch", "on_a", "on_stacked", "on_denoising", "on_rotation"]
STARTS += [f"on_a_{how}" for how in ("head_only", "thaw_at_once", "gradual_thaw", "discriminative")]
STARTS += [f"on_a_first_{layers}" for layers in (1, 2, 3, 4)] + ["on_a_top_reinitialized"]
CARD = {
    "name": "made up",
    "n": 1000,
    "features": 64,
    "shape": [64],
    "feature_shape": [8, 8],
    "size": "1,000 images of 8 × 8",
    "kind": "multiclass",
    "why": "classes, since it is text",
    "target": {"name": "sort"},
    "splits": "resampled",
    "warnings": ["copies: 3 rows are the same as one before them"],
    "source": "a generator",
    "licence": "none",
    "digest": "f" * 64,
}


def report(
    folder: Path, params: Params = PARAMS, names: Sequence[str] = "0123456789", **card: Any
) -> Path:
    """Write the results and the report of such a project; the folder of the report.

    Args:
        params: with the studies and their arms.
        names: of the classes.
        card: what the card of the data says otherwise.
    """
    counts = dict.fromkeys(names, 36)
    task = {part: {"n": 360, "classes": counts} for part in ("train", "validation", "test")}
    task |= {"class_names": [*names], "digest": "d" * 64}
    tasks = {"tasks": dict.fromkeys(("full", "a", "b"), task)}
    write_sealed(folder / "prepared/card.json", CARD | tasks | card)
    results = folder / "results"
    for name in params.compare.studies:
        _study(results / "compare" / name, name, params)
    settings = {"stage": "transfer", "study": "", "settings": {"splits": "resampled"}}
    draw = np.random.default_rng(1)
    for labels in (None, 10, 50):
        starts = [
            record
            for arm in STARTS
            for record in finished(arm, (0.9 + draw.normal(0, 0.03, SEEDS)).tolist(), **settings)
        ]
        place = f"transfer/labels/{labels}" if labels else "transfer"
        write_records(results / place / "records.parquet", starts)
    write_records(
        results / "pretrain/records.parquet",
        finished("a", [0.95, 0.96, 0.94], stage="pretrain", study=""),
    )
    reached = {"majority": 0.1, "linear": 0.9, "gradient_boosting": 0.93}
    without = [
        record
        for name, accuracy in reached.items()
        for record in finished(
            name,
            (accuracy + draw.normal(0, 0.01, SEEDS)).tolist(),
            stage="yardsticks",
            study="",
        )
    ]
    write_records(results / "yardsticks/records.parquet", without)
    _encoders(results / "autoencode")
    judgement = judge(params, results, folder / "prepared")
    write_report(judgement, folder / "reports")
    return folder / "reports"


def _study(place: Path, name: str, params: Params) -> None:
    """Arms between 92 and 98 %, but for those that are known not to learn."""
    compare = params.compare
    networks = compare.arms(name)
    budget = {"epochs": str(compare.epochs), "batch_size": str(compare.batch_size)}
    errors = {
        arm: 0.9 if arm in ("zeros", "normal_1", "sigmoid") else 0.02 + 0.005 * (number % 10)
        for number, arm in enumerate(networks)
    }
    settings = {
        arm: network.resolve(64).settings() | budget | {"splits": "resampled"}
        for arm, network in networks.items()
    }
    records = study(errors, name=name, seeds=SEEDS, epochs=8, settings=settings)
    write_records(place / "records.parquet", records)
    probes = [
        LayerProbe(
            epoch=epoch,
            layer=layer,
            name=f"layer {layer}",
            activation_mean=0.0,
            activation_deviation=10.0**-layer,
            output_gradient=1.0,
            gradient_norm=1.0,
        )
        for epoch in (0, 4)
        for layer in range(1, 7)
    ]
    rows = [
        row
        for arm in networks
        for row in looks(probes, study=name, arm=arm, seed=0, learning_rate=0.1)
    ]
    write_looks(place / "diagnostics.parquet", rows)
    timings = {
        "seconds": 1.0,
        "machine": {"cpu": "c", "cores": 2},
        "versions": {"keras": "3"},
        "arms": {arm: {"seconds_per_epoch": 0.02} for arm in networks},
    }
    write_sealed(times_of(place), timings)


def _encoders(place: Path) -> None:
    nothing = {"test_loss": float("nan"), "test_accuracy": float("nan")}
    write_records(
        place / "records.parquet",
        [trial(method, seed, test=nothing) for method in ("denoising",) for seed in range(3)],
    )
    draw = np.random.default_rng(0)
    np.savez(
        place / "shown.npz",
        originals=draw.normal(size=(10, 64)),
        denoising_reconstructions=draw.normal(size=(10, 64)),
        denoising_filters=draw.normal(size=(12, 64)),
    )
