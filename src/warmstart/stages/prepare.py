"""Stage `prepare`: data -> the tasks of a split, and a card that says what they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.config.params import Params
from warmstart.data import images
from warmstart.data.dataset import Dataset
from warmstart.data.pairs import every_pair, task_b
from warmstart.data.sources import load
from warmstart.data.split import wanted
from warmstart.data.task import PARTS, Task
from warmstart.data.view import View
from warmstart.errors import visible
from warmstart.files import write_sealed
from warmstart.progress import Bar
from warmstart.stages.plan import planned

_HOW_TO_READ = (
    "full.npz holds every class, a.npz all but the classes of task B, b.npz those of task B, of "
    "whose training labels each trial is shown few. Each holds x_train (n, features) float32, "
    "y_train (n,) int32 with labels from 0 in the order of class_names, and the same for "
    "validation and test. Where task A and B are left out, only full.npz is there; y of a "
    "regression is float32, standardized by target: y * deviation + mean is the raw value. "
    "x is standardized by the mean and scale in standardize.npz, taken from the training part of "
    "full: x * scale + mean is the raw value. dataset.npz holds all samples as they came, and the "
    "rows of each part. np.load(path, allow_pickle=False) reads them."
)


def prepare(params: Params, output: Path) -> None:
    """Write `dataset.npz`, `full.npz`, `standardize.npz`, `card.json` and, where model B has a
    task, `a.npz` and `b.npz` into `output`.

    The same data and parameters give the same bytes.

    Raises:
        InputError: with the problems of the data or of the parameters, before anything is written.
    """
    dataset = load(params.data)
    with Bar("prepare", 3, "steps", delay=1) as bar:
        card = _write(dataset, params, output, bar)
    print(_table(card))


def _write(dataset: Dataset, params: Params, output: Path, bar: Bar) -> dict[str, Any]:
    """Write the files of `dataset` -> its card."""
    bar.at("checking")
    transfer, plan = params.transfer, planned(dataset, params)
    reason, labels = plan.no_transfer, plan.labels
    bar.at("splitting")
    bar.update()
    channels = images.channels(dataset.shape, params.data.standardize)
    view = View.of("full", dataset, plan.parts, wanted(dataset, params.data), channels)
    # what seeds there are of A and of encoders is a matter of the data for their stages
    card = _card(dataset, params) | {
        "features": view.task.features,
        "shape": list(view.task.shape),
        "size": _size(dataset, view.task.features),
        "transfer": {
            "left_out": reason,
            "seeds": params.replicates,
            "a": transfer.a.model_dump(mode="json") if transfer and transfer.a else None,
        },
        "warnings": plan.warnings,
    }
    bar.at("writing")
    bar.update()
    view.write(output)
    for name, own in labels.items():
        task = view.task if name == "full" else view.task.only(name, own)
        if name != "full":
            task.write(output / f"{name}.npz")
        card["tasks"][name] = {"file": f"{name}.npz", **_entry(task, own)}
    every = transfer is not None and not reason and transfer.all_pairs
    for pair in every_pair(view.task.classes) if every else ():
        task = task_b(view.task, pair)  # without files, which would take gigabytes
        card["tasks"][task.name] = _entry(task, pair)
    write_sealed(output / "card.json", card)
    bar.at("")
    bar.update()
    return card


def _card(dataset: Dataset, params: Params) -> dict[str, Any]:
    data = params.data
    return {
        "name": dataset.name,
        "source": dataset.source,
        "licence": dataset.licence,
        "digest": dataset.digest,
        "n": len(dataset.y),
        "feature_shape": list(dataset.feature_shape),
        "columns": [column.to_json() for column in dataset.columns],
        "copies": dataset.copies,
        "kind": dataset.kind,
        "why": dataset.why,
        "target": _target(dataset),
        "classes": _counts(dataset.y, dataset.class_names),
        "validation_fraction": data.validation_fraction,
        "test_fraction": None if data.splits == "official" else data.test_fraction,
        "splits": data.drawn,
        "seed": params.seed,
        "tasks": {},
        "how_to_read": _HOW_TO_READ,
    }


def _size(dataset: Dataset, features: int) -> str:
    many, shape = f"{len(dataset.y):,}", " × ".join(map(str, dataset.feature_shape))
    if dataset.columns:
        columns = len(dataset.columns_named)
        what = "column" if columns == 1 else "columns"
        return f"{many} rows of {columns} {what} beside the target, {features} features"
    inside = f" ({shape})" if len(dataset.feature_shape) > 1 else ""
    return f"{many} samples of {features} features{inside}"


def _target(dataset: Dataset) -> dict[str, Any]:
    if dataset.class_names:
        return {"name": dataset.target}
    mean, deviation = float(dataset.y.mean()), float(dataset.y.std())
    return {"name": dataset.target, "mean": mean, "deviation": deviation}


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


def _counts(y: NDArray, names: tuple[str, ...]) -> dict[str, int]:
    if not names:
        return {}
    return dict(zip(names, np.bincount(y, minlength=len(names)).tolist(), strict=True))


def _aim(card: dict[str, Any]) -> str:
    classes = len(card["classes"])
    return f"{classes} classes" if classes else f"the number {card['target']['name']} to predict"


def _table(card: dict[str, Any]) -> str:
    lines = [
        f"{card['name']}: {card['size']}, {_aim(card)}, digest {card['digest'][:12]}",
        f"{'task':<6}{'classes':>8}" + "".join(f"{part:>12}" for part in PARTS),
    ]
    written = {name: task for name, task in card["tasks"].items() if "file" in task}
    for name, task in written.items():
        sizes = "".join(f"{task[part]['n']:>12,}" for part in PARTS)
        lines.append(f"{name:<6}{len(task['class_names']):>8}{sizes}")
    lines += card["warnings"]
    if left_out := card["transfer"]["left_out"]:
        lines.append(f"transfer is left out: {left_out}")
    return "\n".join(map(visible, lines))
