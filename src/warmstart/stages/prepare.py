"""Stage `prepare`: data -> three standardized tasks, and a card that says what they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.config.params import Params
from warmstart.data.dataset import Dataset
from warmstart.data.pairs import every_pair, task_b
from warmstart.data.sources import load
from warmstart.data.split import Task, split
from warmstart.data.standardize import Standardization
from warmstart.files import write_json

_PARTS = ("train", "validation", "test")
_HOW_TO_READ = (
    "full.npz holds every class, a.npz all but the classes of task B, b.npz those of task B, of "
    "whose training labels each trial is shown few. Each holds x_train (n, features) float32, "
    "y_train (n,) int32 with labels from 0 in the order of class_names, and the same for "
    "validation and test. "
    "x is standardized by the mean and scale in standardize.npz, taken from the training part of "
    "full: x * scale + mean is the raw value. np.load(path, allow_pickle=False) reads them."
)


def prepare(params: Params, output: Path) -> None:
    """Write `full.npz`, `a.npz`, `b.npz`, `standardize.npz` and `card.json` into `output`.

    The same data and parameters give the same bytes.

    Raises:
        InputError: with the problems of the data or of the parameters, before anything is written.
    """
    dataset = load(params.data)
    rows = split(dataset, params.data, params.transfer, params.seed)
    standardization = Standardization.of(dataset.x[rows.full.train])
    x = standardization.apply(dataset.x)
    card = _card(dataset, params)
    pairs: dict[str, Any] = {}
    for part in (rows.full, rows.a, rows.b):
        task = part.task(dataset, x)
        task.write(output / f"{task.name}.npz")
        card["tasks"][task.name] = {"file": f"{task.name}.npz", **_entry(task, part.classes)}
        if part is rows.full and params.transfer.all_pairs:
            # without files, which would take gigabytes
            for pair in every_pair(task.classes):
                other = task_b(task, pair)
                pairs[other.name] = _entry(other, pair)
    card["tasks"] |= pairs
    standardization.write(output / "standardize.npz")
    write_json(output / "card.json", card)
    print(_table(card))


def _card(dataset: Dataset, params: Params) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "source": dataset.source,
        "licence": dataset.licence,
        "digest": dataset.digest,
        "n": len(dataset.y),
        "features": dataset.x.shape[1],
        "feature_shape": list(dataset.feature_shape),
        "classes": _counts(dataset.y, dataset.class_names),
        "validation_fraction": params.data.validation_fraction,
        "test_fraction": params.data.test_fraction,
        "seed": params.seed,
        "tasks": {},
        "how_to_read": _HOW_TO_READ,
    }


def _entry(task: Task, labels: Sequence[int]) -> dict[str, Any]:
    return {
        "digest": task.digest,
        "class_names": list(task.class_names),
        "labels_in_dataset": list(labels),
    } | {
        part: {
            "n": len(getattr(task, f"y_{part}")),
            "classes": _counts(getattr(task, f"y_{part}"), task.class_names),
        }
        for part in _PARTS
    }


def _counts(y: NDArray[np.int32], names: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(names, np.bincount(y, minlength=len(names)).tolist(), strict=True))


def _table(card: dict[str, Any]) -> str:
    shape = " × ".join(str(length) for length in card["feature_shape"])
    lines = [
        f"{card['name']}: {card['n']:,} samples of {card['features']} features ({shape}), "
        f"{len(card['classes'])} classes, digest {card['digest'][:12]}",
        f"{'task':<6}{'classes':>8}" + "".join(f"{part:>12}" for part in _PARTS),
    ]
    written = {name: task for name, task in card["tasks"].items() if "file" in task}
    for name, task in written.items():
        sizes = "".join(f"{task[part]['n']:>12,}" for part in _PARTS)
        lines.append(f"{name:<6}{len(task['class_names']):>8}{sizes}")
    return "\n".join(lines)
