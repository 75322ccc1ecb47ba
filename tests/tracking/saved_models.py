"""Saved models with their cards, as a pipeline leaves them, on a task solved by hand."""

from pathlib import Path

import keras
import numpy as np
from prepared import leave

from warmstart.config.arm import Arm
from warmstart.data.standardization import Standardization
from warmstart.data.task import Task
from warmstart.data.view import View
from warmstart.files import write_sealed
from warmstart.networks import building, saving
from warmstart.records import Record

SHAPE, CLASSES = (2, 3), ("elm", "oak", "yew")
MEAN, SCALE = np.arange(6) + 0.5, np.arange(6) + 2.0


def prepare(folder: Path, n: int = 60) -> None:
    """What the stage prepare leaves: a sample's class is where the largest of its first three
    standardized features is."""
    draw = np.random.default_rng(5)
    standardization = Standardization(mean=MEAN, scale=SCALE)
    for name in ("full", "a", "b"):
        arrays = {}
        for part in ("train", "validation", "test"):
            x = standardization.apply(draw.normal(MEAN, SCALE, size=(n, 6)))
            arrays |= {f"x_{part}": x, f"y_{part}": x[:, :3].argmax(axis=1).astype("int32")}
        task = Task.of(name=name, class_names=CLASSES, **arrays)
        task.write(folder / f"{name}.npz")
        if name == "full":
            leave(folder, task, standardization)
    write_sealed(folder / "card.json", {"feature_shape": SHAPE})


def network(*, right: float = 1.0, seed: int = 1) -> keras.Sequential:
    """Right on all samples, or wrong on some: it takes the first feature times `right`."""
    plain = Arm(hidden=(6,), activation="rrelu").resolve(6)
    model = building.build(plain, features=6, outputs=3, seed=seed)
    hidden, bias = np.eye(6, dtype="float32"), np.full(6, 10, "float32")  # above 0: linear
    head = np.eye(6, 3, dtype="float32")
    head[0, 0] = right
    model.set_weights([hidden, bias, head, -10 * head.sum(axis=0)])
    return building.compile_for_use(model)


def save(
    model: keras.Sequential,
    path: Path,
    prepared: Path,
    *,
    arm: str = "best",
    val: float = 0.9,
    right: int = 40,
) -> Record:
    """`model` with its card in `cards`, by which it tells the first `right` samples; the record of
    the trial that it is."""
    name = {"a": "a", "b": "b"}.get(path.stem, "full")
    stage = {"a": "pretrain", "b": "transfer"}.get(path.stem, "compare")
    view = View.read(prepared, name)
    saving.save(model, path)
    record = Record(
        stage=stage,
        study=path.stem if stage == "compare" else "",
        arm=arm,
        seed=0,
        learning_rate=0.1,
        settings={"activation": "rrelu", "standardize": "true"},
        data_digest=view.task.digest,
        outcome="completed",
        epochs=dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), (val,)),
        chosen=True,
        test={"test_loss": 0.5, "test_accuracy": 0.75},
    )
    n = len(view.task.y_validation)
    folder = path.parent.parent if stage == "compare" else path.parent
    write_sealed(
        folder / "cards" / f"{path.stem}.json",
        {
            "model": path.name,
            "stage": stage,
            "study": record.study,
            "data": {"name": "trees", "digest": view.task.digest, "classes": CLASSES},
            "arm": arm,
            "settings": record.settings,
            "learning_rate": 0.1,
            "seed": 0,
            "root_seed": 1,
            "seeds": 1,
            "metric": "accuracy",
            "validation_accuracy": val,
            "validation_hits": np.packbits(np.arange(n) < right).tobytes().hex(),
            "validation_samples": n,
            "validation_data": view.task.digest,
            "record": record.digest,
            "limits": "Knows no other trees.",
            "input": {"shape": SHAPE, "mean": MEAN.tolist(), "scale": SCALE.tolist()},
        },
    )
    return record
