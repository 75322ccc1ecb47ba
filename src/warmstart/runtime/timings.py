"""Times and machine facts of a stage: a file of their own, since they differ from run to run."""

import os
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from warmstart.data.task import Task
from warmstart.files import write_json
from warmstart.runtime import environment
from warmstart.runtime.sampler import Sampler
from warmstart.training.trials import Effort


class Stopwatch:
    """Wall time of the `with` block, and what the machine does meanwhile."""

    seconds = 0.0

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._sampler = sampler or Sampler()

    def __enter__(self) -> Self:
        self._began = datetime.now(UTC)
        self._start = time.perf_counter()
        self._sampler.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._sampler.__exit__()
        self.seconds = time.perf_counter() - self._start

    def facts(self, data: Mapping[str, Mapping[str, Any]], address: str | None) -> dict[str, Any]:
        """What is known from the start: device, versions, data.

        Args:
            data: digest -> `describe` of the task.
            address: of the Dask scheduler, if that is where the workers are.
        """
        backend = environment.backend()
        device = "Dask workers" if address else _device(backend, self._sampler.gpus) or _cpu()
        versions = {"python": platform.python_version()} | environment.versions(backend)
        return {"device": device, "versions": versions, "data": data}

    def write(
        self,
        path: Path,
        *,
        seconds_per_epoch: Mapping[str, Mapping[int, float]],
        spent: Mapping[str, Effort],
        trained: Effort,
        facts: Mapping[str, Any],
    ) -> None:
        """`timings.json`: when, on what, with which versions and data; wall seconds; how much was
        trained, in all and per second; of each arm the seconds per epoch, seed by seed and their
        mean, what a worker trained per second, and what the machine did meanwhile; the samples of
        the machine.

        Args:
            path: to write to.
            seconds_per_epoch: arm -> seed -> seconds.
            spent: arm -> what all of its trials took.
            trained: by this stage in this time.
            facts: see there.
        """
        arms = {
            arm: {
                "seconds_per_epoch": sum(seconds.values()) / len(seconds),
                "by_seed": {str(seed): value for seed, value in seconds.items()},
                **spent[arm].per_second(spent[arm].seconds),
                "system": self._means(spent[arm]),
            }
            for arm, seconds in seconds_per_epoch.items()
        }
        content = {
            "started": self._began.isoformat(timespec="milliseconds"),
            "seconds": self.seconds,
            "machine": {
                "cpu": _cpu(),
                "cores": len(os.sched_getaffinity(0)),
                "gpus": list(self._sampler.gpus),
                "platform": platform.platform(),
            },
            **facts,
            "trial_epochs": trained.trial_epochs,
            "samples": trained.samples,
            **trained.per_second(self.seconds),
            "arms": arms,
            "system": self._sampler.by_metric(),
        }
        write_json(path, content)

    def _means(self, effort: Effort) -> dict[str, float]:
        """Metric of the machine -> its mean over the time that was spent on this."""
        start = self._began.timestamp()
        return self._sampler.means((first - start, last - start) for first, last in effort.spans)


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


def _device(backend: str, gpus: tuple[str, ...]) -> str:
    """Names of the GPUs that workers train on; empty if they train on cores."""
    used = environment.gpus(backend)
    chosen = [gpus[int(n)] for n in used if n.isdigit() and int(n) < len(gpus)] or gpus
    return ", ".join(dict.fromkeys(chosen)) if used else ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"
