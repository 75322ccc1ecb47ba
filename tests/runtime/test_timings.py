"""Times of a stage: what they say of machine, versions, data and throughput."""

import os
import platform
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_gpus import NAMES, FakeNvml
from warmstart import __version__
from warmstart.data.task import Task
from warmstart.files import read_sealed
from warmstart.runtime import environment
from warmstart.runtime.timings import Stopwatch, describe, facts
from warmstart.training.outcomes import EPOCH_METRICS, Result

TASK = Task.of(
    name="full",
    class_names=("a", "b", "c"),
    **{
        f"{xy}_{part}": np.zeros((n, 6), "float32") if xy == "x" else np.zeros(n, "int32")
        for part, n in {"train": 70, "validation": 30, "test": 40}.items()
        for xy in "xy"
    },
)


def result(key: str, epochs: int, seconds: float) -> Result:
    curves = dict.fromkeys(EPOCH_METRICS, (0.5,) * epochs)
    return Result(key=key, outcome="completed", epochs=curves, samples=70, train_seconds=seconds)


SLOW, FAST, OTHER = result("slow", 10, 0.4), result("fast", 10, 0.1), result("other", 20, 0.4)
BEFORE = result("before", 10, 1.0)
"""Trained by a run that was killed."""


def written(path: Path, address: str | None = None) -> dict[str, Any]:
    with Stopwatch() as stopwatch:
        pass
    stopwatch.seconds = 4.0
    data = {TASK.digest: describe(TASK, "digits", Path("data/prepared/full.npz"))}
    stopwatch.write(
        path,
        arms={"a": [(0, SLOW), (0, FAST), (1, OTHER)]},
        trained=[SLOW, FAST, OTHER, BEFORE],
        facts=facts(data, address),
    )
    return read_sealed(path)


def test_everything_that_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    found = written(tmp_path / "times.json")
    age = datetime.now(UTC) - datetime.fromisoformat(found.pop("started"))
    assert timedelta(milliseconds=-1) < age < timedelta(minutes=5)
    machine = found.pop("machine")
    assert machine["cores"] == len(os.sched_getaffinity(0))
    assert machine["gpus"] == []
    assert found.pop("device") == machine["cpu"]
    assert found.pop("versions") == {
        "python": platform.python_version(),
        "warmstart": __version__,
        "keras": version("keras"),
        "numpy": version("numpy"),
        "tensorflow": environment.versions("tensorflow")["tensorflow"],
    }
    assert found == {
        "seconds": 4.0,
        "data": {
            TASK.digest: {
                "name": "digits/full",
                "source": "data/prepared/full.npz",
                "features": 6,
                "classes": 3,
                "train": 70,
                "validation": 30,
                "test": 40,
            }
        },
        "trial_epochs": 50,
        "samples": 3500,
        "trial_epochs_per_second": 12.5,
        "samples_per_second": 875.0,
        "arms": {
            "a": {
                # of a seed the fastest trial, of the arm the mean over seeds
                "seconds_per_epoch": pytest.approx(0.015),
                "by_seed": {"0": pytest.approx(0.01), "1": pytest.approx(0.02)},
                "trial_epochs_per_second": pytest.approx(40 / 0.9),
                "samples_per_second": pytest.approx(2800 / 0.9),
            }
        },
    }


def test_jax_is_named_where_it_is_the_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    found = written(tmp_path / "times.json")["versions"]
    assert found.keys() == {"python", "warmstart", "keras", "numpy", "jax", "jaxlib"}
    assert found["jax"] == version("jax")


@pytest.mark.parametrize(
    ("visible", "address", "device"),
    [
        (["0"], None, NAMES[0]),
        (["1"], None, NAMES[1]),
        (["0", "1"], None, ", ".join(NAMES)),
        (["GPU-7a5c57e0"], None, ", ".join(NAMES)),  # by its UUID: one of them
        (["0"], "tcp://10.0.0.1:8786", "Dask workers"),
    ],
)
def test_the_device_is_what_workers_train_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    visible: list[str],
    address: str | None,
    device: str,
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    monkeypatch.setattr(environment, "gpus", lambda backend: visible)
    found = written(tmp_path / "times.json", address)
    assert found["device"] == device
    assert found["machine"]["gpus"] == list(NAMES)


def test_gpus_that_the_backend_cannot_use_are_not_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    monkeypatch.setattr(environment, "gpus", lambda backend: [])
    found = written(tmp_path / "times.json")
    assert found["device"] == found["machine"]["cpu"]
