"""Times and machine facts of a stage: a file of their own, since they differ from run to run."""

import os
import platform
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from warmstart.files import write_json


class Stopwatch:
    """Wall time of the `with` block."""

    seconds = 0.0

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start

    def write(self, path: Path, seconds_per_epoch: Mapping[str, Mapping[int, float]]) -> None:
        """`timings.json`: the machine, versions, wall seconds, and of each arm the seconds per
        epoch, seed by seed and their mean.

        Args:
            path: to write to.
            seconds_per_epoch: arm -> seed -> seconds.
        """
        arms = {
            arm: {
                "seconds_per_epoch": sum(seconds.values()) / len(seconds),
                "by_seed": {str(seed): value for seed, value in seconds.items()},
            }
            for arm, seconds in seconds_per_epoch.items()
        }
        content = {
            "machine": {
                "cpu": _cpu(),
                "cores": len(os.sched_getaffinity(0)),
                "platform": platform.platform(),
            },
            "versions": {name: v for name in ("tensorflow", "keras") if (v := _version(name))},
            "seconds": self.seconds,
            "arms": arms,
        }
        write_json(path, content)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def _version(package: str) -> str | None:
    for name in (package, f"{package}-cpu"):  # two builds of the same package
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
