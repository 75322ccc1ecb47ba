"""A task that trains in no time."""

import numpy as np

from warmstart.data.task import Task


def make_task(samples: int = 70, features: int = 6, classes: int = 3, seed: int = 5) -> Task:
    """Classes whose means lie apart along a line, with unit noise."""
    draw = np.random.default_rng(seed)
    arrays = {}
    for part, n in {"train": samples, "validation": 40, "test": 40}.items():
        y = draw.integers(0, classes, n).astype("int32")
        x = draw.normal(size=(n, features)) + y[:, None] * np.linspace(-1, 1, features)
        arrays |= {f"x_{part}": x.astype("float32"), f"y_{part}": y}
    return Task.of(name="full", class_names=tuple("abcdef"[:classes]), **arrays)
