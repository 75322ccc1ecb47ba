"""Stage `prepare`: data -> three standardized tasks, and a card that says what they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.config.params import Params
from warmstart.data import fitting
from warmstart.data.dataset import Dataset
from warmstart.data.pairs import every_pair, task_b
from warmstart.data.sources import load
from warmstart.data.split import split_full, task_labels
from warmstart.data.task import PARTS, Task
from warmstart.files import write_json

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
    labels = task_labels(params.transfer, dataset.class_names)
    view = split_full(dataset, params.data, params.seed)
    fitting.check(params, fitting.Counts.of(view.task, labels["b"]), dataset.feature_shape)
    card = _card(dataset, params)
    for name, own in labels.items():
        task = view.task.only(name, own)
        task.write(output / f"{name}.npz")
        card["tasks"][name] = {"file": f"{name}.npz", **_entry(task, own)}
    for pair in every_pair(view.task.classes) if params.transfer.all_pairs else ():
        task = task_b(view.task, pair)  # without files, which would take gigabytes
        card["tasks"][task.name] = _entry(task, pair)
    view.standardization.write(output / "standardize.npz")
    write_json(output / "card.json", card)
    print(_table(card))


def _card(dataset: Dataset, params: Params) -> dict[str, Any]:
    data = params.data
    return {
        "name": dataset.name,
        "source": dataset.source,
        "licence": dataset.licence,
        "digest": dataset.digest,
        "n": len(dataset.y),
        "features": dataset.x.shape[1],
        "feature_shape": list(dataset.feature_shape),
        "classes": _counts(dataset.y, dataset.class_names),
        "validation_fraction": data.validation_fraction,
        "test_fraction": None if data.splits == "official" else data.test_fraction,
        "splits": data.splits,
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
        for part in PARTS
    }


def _counts(y: NDArray[np.int32], names: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(names, np.bincount(y, minlength=len(names)).tolist(), strict=True))


def _table(card: dict[str, Any]) -> str:
    shape = " × ".join(str(length) for length in card["feature_shape"])
    lines = [
        f"{card['name']}: {card['n']:,} samples of {card['features']} features ({shape}), "
        f"{len(card['classes'])} classes, digest {card['digest'][:12]}",
        f"{'task':<6}{'classes':>8}" + "".join(f"{part:>12}" for part in PARTS),
    ]
    written = {name: task for name, task in card["tasks"].items() if "file" in task}
    for name, task in written.items():
        sizes = "".join(f"{task[part]['n']:>12,}" for part in PARTS)
        lines.append(f"{name:<6}{len(task['class_names']):>8}{sizes}")
    return "\n".join(lines)
