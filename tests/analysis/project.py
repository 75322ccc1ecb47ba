"""A project whose stages have run: made-up records on data that really are there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from prepared import leave

from warmstart.data.standardization import Standardization
from warmstart.data.task import Task
from warmstart.files import write_sealed
from warmstart.records import Record, write_records

SIZES = {"train": 12, "validation": 8, "test": 20}
"""Samples of every task."""


def make_task(name: str, class_names: Sequence[str] = ("elm", "oak", "ash")) -> Task:
    """Class c has the mean c on the first of three features."""
    draw, arrays = np.random.default_rng(5), {}
    for part, n in SIZES.items():
        y = (np.arange(n) % len(class_names)).astype("int32")
        x = draw.normal(size=(n, 3)).astype("float32")
        x[:, 0] += y
        arrays |= {f"x_{part}": x, f"y_{part}": y}
    return Task.of(name=name, class_names=tuple(class_names), **arrays)


def prepare(folder: Path) -> dict[str, Task]:
    """Data as the stage `prepare` leaves them; name of a task -> task."""
    tasks = {name: make_task(name) for name in ("full", "a", "b")}
    for name, task in tasks.items():
        task.write(folder / f"{name}.npz")
    standardization = Standardization(mean=np.array([0.5, 2, -3]), scale=np.array([1.0, 4, 0.25]))
    leave(folder, tasks["full"], standardization)
    about = {
        name: {part: {"n": n, "classes": _counts(task, part)} for part, n in SIZES.items()}
        | {"digest": "d" * 64, "class_names": list(task.class_names)}
        for name, task in tasks.items()
    }
    card = {"name": "trees", "features": 3, "shape": [3], "feature_shape": [3, 1], "tasks": about}
    write_sealed(folder / "card.json", card)
    return tasks


def _counts(task: Task, part: str) -> dict[str, int]:
    counts = np.bincount(getattr(task, f"y_{part}"), minlength=task.classes).tolist()
    return dict(zip(task.class_names, counts, strict=True))


def keep(folder: Path, records: Sequence[Record], best: int, model: str, hits: np.ndarray) -> None:
    """Records as a stage leaves them, of which the network of number `best` was saved."""
    write_records(folder / "records.parquet", records)
    kept = {
        "record": records[best].digest,
        "model": model,
        "data": "v" * 64,
        "validation_hits": np.packbits(hits).tobytes().hex(),
        "validation_errors": "",
        "validation_samples": len(hits),
    }
    write_sealed(folder / "kept.json", kept)
