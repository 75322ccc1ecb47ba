"""Finished trials of an unfinished stage, so that a run that was killed goes on where it stood.

The folder lies outside DVC's outs, which DVC empties before it runs a stage.
"""

from pathlib import Path
from typing import Any

import numpy as np

from warmstart.files import replacing
from warmstart.records import EPOCH_METRICS
from warmstart.training.trials import Result


def write(folder: Path, result: Result, weights: list[np.ndarray]) -> None:
    """Keep `result` and the trained weights in one file named by the trial's key."""
    arrays: dict[str, Any] = {f"weight_{i}": value for i, value in enumerate(weights)}
    arrays |= {f"epochs_{metric}": np.array(v) for metric, v in result.epochs.items()}
    with replacing(folder / f"{result.key}.npz") as unfinished:
        np.savez(
            unfinished,
            outcome=np.array(result.outcome),
            train_seconds=np.array(result.train_seconds),
            **arrays,
        )


def read(folder: Path, key: str) -> Result | None:
    """The result of the trial called `key`, if it was finished."""
    path = folder / f"{key}.npz"
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        return Result(
            key=key,
            outcome="diverged" if str(file["outcome"]) == "diverged" else "completed",
            epochs={m: tuple(file[f"epochs_{m}"].tolist()) for m in EPOCH_METRICS},
            train_seconds=float(file["train_seconds"]),
        )


def weights(folder: Path, key: str) -> list[np.ndarray]:
    """A trained trial's weights in the order of `model.weights`."""
    with np.load(folder / f"{key}.npz", allow_pickle=False) as file:
        return [file[f"weight_{i}"] for i in range(sum(n.startswith("weight_") for n in file))]
