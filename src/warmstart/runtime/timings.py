"""Times and machine facts of a stage: a file of their own, since they differ from run to run."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from warmstart.data.task import Task
from warmstart.files import write_sealed
from warmstart.runtime import environment
from warmstart.training.outcomes import Result


class Stopwatch:
    """Wall time of the `with` block."""

    seconds = 0.0

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start

    def write(
        self,
        path: Path,
        *,
        arms: Mapping[str, Sequence[tuple[int, Result]]],
        trained: Sequence[Result],
        facts: Mapping[str, Any],
    ) -> None:
        """Write to `path`: when, on what, with which versions and data; wall seconds; how much
        was trained, in all and per second; of each arm the seconds per epoch, seed by seed and
        their mean, and what a worker trained per second.

        Args:
            path: see `records.times_of`.
            arms: name -> seed and result of each of its trials.
            trained: by this stage in this time; what a killed run had finished is not in it.
            facts: see `facts`.
        """
        content = {
            "seconds": self.seconds,
            "machine": {
                "cpu": environment.cpu_name(),
                "cores": len(os.sched_getaffinity(0)),
                "gpus": environment.gpu_names(),
                "platform": platform.platform(),
            },
            **facts,
            **_effort(trained),
            **_throughput(trained, self.seconds),
            "arms": {arm: _of_arm(results) for arm, results in arms.items()},
        }
        write_sealed(path, content)


def facts(data: Mapping[str, Mapping[str, Any]], address: str | None) -> dict[str, Any]:
    """What is known when a stage starts: the time, device, versions, data.

    Args:
        data: digest -> `describe` of the task.
        address: of the Dask scheduler, if that is where the workers are.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "device": "Dask workers" if address else environment.device_name(),
        "versions": {"python": platform.python_version()} | environment.versions(),
        "data": data,
    }


def describe(task: Task, data_name: str, file: Path) -> dict[str, Any]:
    """What is known of `task`, which comes from `file`."""
    return {
        "name": f"{data_name}/{task.name}",
        "source": file.as_posix(),
        "features": task.features,
        "classes": task.classes,
        "train": len(task.y_train),
        "validation": len(task.y_validation),
        "test": len(task.y_test),
    }


def _of_arm(results: Sequence[tuple[int, Result]]) -> dict[str, Any]:
    """Seconds per epoch are those of a seed's fastest trial, which other work on the machine
    disturbed least; compilation is not counted."""
    by_seed: dict[int, float] = {}
    for seed, result in results:
        taken = result.train_seconds / len(result.epochs["loss"])
        by_seed[seed] = min(taken, by_seed.get(seed, taken))
    trained = [result for _, result in results]
    return {
        "seconds_per_epoch": sum(by_seed.values()) / len(by_seed),
        "by_seed": {str(seed): value for seed, value in by_seed.items()},
        **_throughput(trained, sum(result.train_seconds for result in trained)),
    }


def _effort(results: Sequence[Result]) -> dict[str, int]:
    """A sample counts once in every epoch of every trial."""
    return {
        "trial_epochs": sum(len(result.epochs["loss"]) for result in results),
        "samples": sum(len(result.epochs["loss"]) * result.samples for result in results),
    }


def _throughput(results: Sequence[Result], seconds: float) -> dict[str, float]:
    effort = _effort(results).items()
    return {f"{what}_per_second": n / seconds if seconds else 0.0 for what, n in effort}
