"""What a block of a benchmark takes, on the clock and of the processor."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
"""Of a table."""


@dataclass
class Spent:
    """Of a block: seconds on the clock, and of the processor with all processes it has ended."""

    wall: float = 0.0
    cpu: float = 0.0

    def share(self, part: float) -> Row:
        return {"cpu_seconds": round(self.cpu * part, 1), "seconds": round(self.wall * part, 1)}


@contextmanager
def spending() -> Iterator[Spent]:
    spent, wall, before = Spent(), time.perf_counter(), sum(os.times()[:4])
    yield spent
    spent.wall, spent.cpu = time.perf_counter() - wall, sum(os.times()[:4]) - before


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What Optuna's trials take with a plain `fit` and two workers."""

    per_trial: float
    """Processor seconds, whatever its epochs."""
    per_epoch: float
    start: float
    """Of the two workers and all else."""
    wall: float
    """On the clock for each of the processor's."""

    def of(self, trials: int, epochs: int) -> Row:
        cpu = self.start + trials * self.per_trial + epochs * self.per_epoch
        return {"cpu_seconds": round(cpu, 1), "seconds": round(cpu * self.wall, 1)}
