"""What the stage `prepare` leaves, made of tasks by hand."""

from pathlib import Path

import numpy as np

from warmstart.data.dataset import Dataset
from warmstart.data.digest import content_digest
from warmstart.data.task import PARTS, Task
from warmstart.data.view import Preprocessing, Standardization, View


def view_of(task: Task, standardization: Standardization | None = None) -> View:
    """`task` with the raw samples that `standardization` leads back to, rounded to float32."""
    standard = standardization or Standardization.none(task.features)
    x = np.concatenate([standard.undo(getattr(task, f"x_{part}")) for part in PARTS])
    y = np.concatenate([getattr(task, f"y_{part}") for part in PARTS])
    ends = np.cumsum([len(getattr(task, f"y_{part}")) for part in PARTS])
    rows = np.split(np.arange(len(y)), ends[:-1])
    dataset = Dataset(
        name="made by hand",
        x=x,
        y=y,
        class_names=task.class_names,
        feature_shape=(task.features,),
        source="a test",
        licence="none",
        digest=content_digest({"x": x, "y": y}, task.class_names),
        n_test=len(rows[2]),
    )
    fitted = Preprocessing(columns=(), encoder=None, standardization=standard)
    parts = dict(zip(PARTS, rows, strict=True))
    classes = max(1, task.classes)
    labels = y if task.classes else np.zeros(len(y), int)
    counts = np.array([np.bincount(labels[own], minlength=classes) for own in rows])
    return View(task=task, dataset=dataset, parts=parts, wanted=counts, fitted=fitted)


def leave(folder: Path, full: Task, standardization: Standardization | None = None) -> None:
    """The files of `full` in `folder`, but for the card."""
    view_of(full, standardization).write(folder)
