"""A task that trains in no time, and trials on it."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from warmstart.config.arm import Arm
from warmstart.data.task import Task
from warmstart.runtime.store import Store
from warmstart.training.trials import Cohort, Phase, Split, Trial


def make_task(
    samples: int = 70,
    features: int = 6,
    classes: int = 3,
    seed: int = 5,
    shape: tuple[int, ...] = (),
) -> Task:
    """Classes whose means lie apart along a line, with unit noise. With a `shape`: images."""
    draw = np.random.default_rng(seed)
    features = math.prod(shape) if shape else features
    arrays = {}
    for part, n in {"train": samples, "validation": 40, "test": 40}.items():
        y = draw.integers(0, classes, n).astype("int32")
        x = draw.normal(size=(n, features)) + y[:, None] * np.linspace(-1, 1, features)
        arrays |= {f"x_{part}": x.astype("float32"), f"y_{part}": y}
    return Task.of(name="full", class_names=tuple("abcdef"[:classes]), shape=shape, **arrays)


def make_numbers(
    samples: int = 70, features: int = 6, seed: int = 5, noise: float = 0.1, bend: float = 0.5
) -> Task:
    """Numbers on a line in `features` dimensions, bent and with noise; raw around 300 ± 40."""
    draw = np.random.default_rng(seed)
    arrays = {}
    for part, n in {"train": samples, "validation": 40, "test": 40}.items():
        x = draw.normal(size=(n, features))
        y = x @ np.linspace(-0.6, 0.6, features) + bend * np.sin(x[:, 0])
        y += noise * draw.normal(size=n)
        arrays |= {f"x_{part}": x.astype("float32"), f"y_{part}": y.astype("float32")}
    return Task.of(name="full", class_names=(), target=(300.0, 40.0), **arrays)


def make_cohort(
    folder: Path, network: Arm, trials: int = 4, epochs: int = 2, shape: tuple[int, ...] = ()
) -> Cohort:
    """`trials` seeds of `network` on the task, which is written into `folder`."""
    task = make_task(shape=shape)
    task.write(folder / "task.npz")
    network = network.resolve(task.shape)
    return Cohort(
        structure=network.structure(),
        phases=(Phase(epochs=epochs),),
        splits=(Split(folder / "task.npz", task.digest),),
        batch_size=16,
        root_seed=1,
        trials=tuple(
            Trial(arm="arm", network=network, seed=seed, learning_rate=0.1)
            for seed in range(trials)
        ),
    )


def export(cohort: Cohort, trial: Trial, folder: Path, path: Path) -> list[bool]:
    """Save a trial that was trained in `folder` as `path`; its hits on the validation samples."""
    from warmstart.training import worker  # loads Keras

    one = replace(cohort, trials=(trial,))
    job = worker.export_autoencoder if cohort.autoencoder else worker.export
    hits = job(one, Store(folder), lambda epochs: None)
    shutil.move(Store(folder).model_path(cohort.key(trial)), path)
    return hits or []
