"""What a machine does while a block runs, second by second."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from itertools import pairwise
from typing import Protocol, Self

from warmstart.runtime.readings import this_machine

MOST = 600
"""Samples that are kept: beyond it every other one goes, and from then on half as many come."""
PATIENCE = 5.0
"""Seconds for a GPU's driver to say which there are."""


class Readable(Protocol):
    @property
    def gpus(self) -> tuple[str, ...]: ...

    def read(self) -> Mapping[str, float]: ...


class Sampler:
    """Reads a machine once a second, later less often, in a thread that ends with the block.

    Nothing that fails here reaches the block: what could not be read is not there.
    """

    def __init__(
        self,
        machine: Callable[[], AbstractContextManager[Readable]] = this_machine,
        clock: Callable[[], float] = time.monotonic,
        stop: threading.Event | None = None,
    ) -> None:
        self._gpus: tuple[str, ...] = ()
        self._known = threading.Event()
        self._machine, self._clock = machine, clock
        self._stop = stop or threading.Event()
        self._seconds = 1
        self._samples: dict[int, Mapping[str, float]] = {}

    def __enter__(self) -> Self:
        self._start = self._clock()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def gpus(self) -> tuple[str, ...]:
        """Names of the machine's GPUs, once its driver has answered; none if it does not."""
        self._known.wait(PATIENCE)
        return self._gpus

    def by_metric(self) -> dict[str, dict[int, float]]:
        """Metric -> seconds since the start -> value; nothing for what was never read."""
        found: dict[str, dict[int, float]] = {}
        for second, values in self._samples.items():
            for metric, value in values.items():
                found.setdefault(metric, {})[second] = value
        return dict(sorted(found.items()))

    def means(self, spans: Iterable[tuple[float, float]]) -> dict[str, float]:
        """Metric -> mean of its samples within `spans`, which are in seconds since the start. A
        sample stands for the time since the one before it, the last one for what follows, too."""
        spans = list(spans)
        found = {}
        for metric, samples in self.by_metric().items():
            borders = [0, *list(samples)[:-1], math.inf]
            within = [
                value
                for value, (begin, end) in zip(samples.values(), pairwise(borders), strict=True)
                if any(first < end and last > begin for first, last in spans)
            ]
            if within:
                found[metric] = sum(within) / len(within)
        return found

    def _run(self) -> None:
        # a driver that breaks down costs the rest of the curves, not the stage
        with suppress(Exception), self._machine() as machine:
            self._gpus = machine.gpus
            self._known.set()
            ended = False
            while not ended:
                elapsed = self._clock() - self._start
                due = self._on_the_grid(elapsed) + self._seconds
                ended = self._stop.wait(due - elapsed)
                if not ended or not self._samples:  # a block that is over at once has one, too
                    late = self._on_the_grid(self._clock() - self._start)
                    self._keep(max(due, late), machine.read())

        self._known.set()

    def _on_the_grid(self, elapsed: float) -> int:
        """The last second at which a sample was due."""
        return int(elapsed // self._seconds) * self._seconds

    def _keep(self, second: int, values: Mapping[str, float]) -> None:
        self._samples[second] = values
        if len(self._samples) > MOST:
            self._seconds *= 2
            self._samples = {s: v for s, v in self._samples.items() if s % self._seconds == 0}
