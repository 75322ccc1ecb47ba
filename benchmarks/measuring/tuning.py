"""The best `fit` that we can set up, found by trying."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engines.job import Job, learning_rates
from measuring.process import run

Settings = dict[str, Any]

_XLA_DATASET = {"steps_per_execution": 50, "jit_compile": True, "feed": "dataset"}
_DATASET = {"steps_per_execution": 50, "feed": "dataset"}
_XLA = {"steps_per_execution": 50, "jit_compile": True}
_PLAIN = {"steps_per_execution": 50}


def _single_threaded(settings: Settings) -> Settings:
    return settings | {"threads": 1}


FEEDS = ("arrays", "dataset")

# one process after another, each with the settings it tries (the number of threads is a process's)
CANDIDATES: dict[str, list[list[Settings]]] = {
    "fit-tuned": [
        [_XLA_DATASET, _DATASET, _XLA, _PLAIN],
        [_single_threaded(s) for s in (_XLA_DATASET, _DATASET, _XLA)],
    ],
    "fit-2-processes": [[_single_threaded(s) for s in (_XLA_DATASET, _DATASET, _XLA)]],
}


def best(job: Job, feeds: Sequence[str] = FEEDS, *, epochs: int = 4) -> Settings:
    """The settings with the shortest epoch, for `job.engine` at `job.network` and `job.batch`,
    among those that feed `fit` with one of `feeds`."""
    seconds: dict[str, list[float]] = defaultdict(list)
    settings: dict[str, Settings] = {}
    workers = job.cores if job.engine == "fit-2-processes" else 1
    for candidates in CANDIDATES[job.engine]:
        group = [c for c in candidates if c.get("feed", "arrays") in feeds]
        attempt = replace(
            job,
            settings=tuple(group),
            epochs=epochs,
            learning_rates=learning_rates(workers * len(group)),
        )
        for number, trial in enumerate(run(attempt).report.trials):
            chosen = group[number % len(group)]
            seconds[str(chosen)] += trial.epoch_seconds
            settings[str(chosen)] = chosen
    # the least, not the median: there are few epochs, and disturbances only ever lengthen them
    return settings[min(seconds, key=lambda name: min(seconds[name]))]


def estimate(jobs: Sequence[Job]) -> float:
    """Seconds that the search takes for all of `jobs`, roughly: a start per process, and the
    compilation of every attempt."""
    searched = {(job.engine, job.network) for job in jobs if job.engine in CANDIDATES}
    return float(sum(8 + 5 * len(group) for engine, _ in searched for group in CANDIDATES[engine]))
