"""Which jobs are done, and about how long they will take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from engines.job import DENSE, NETWORKS, Job, learning_rates
from measuring.data import WHOLE

OURS = ("warmstart-tensorflow", "warmstart-jax")
LOOPS = ("fit", "fit-tuned", "fit-2-processes")
STUDIES = ("keras-tuner", "optuna", "ray-tune", "ray-tune-default")
ENGINES = (*OURS, *LOOPS, *STUDIES, "floor")

SHORT = 6_400
"""Samples of the short setting: with their 581 to validate with about a ninth of the whole."""

PARTS = ("epochs", "study", "flat")
"""What an epoch costs, on the whole data; a study of 32 trials from its start to its end; whether a
trial costs the same however many there are."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What of the plan is wanted. What is given replaces what each part has by default."""

    parts: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    v: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()
    epochs: int = 2
    full: bool = False
    """Also what takes longer: all parts, batches of 128, both dense networks, every V."""
    cores: int = 2

    def __post_init__(self) -> None:
        if self.epochs < 2:
            raise ValueError(
                f"epochs: expected at least 2, received {self.epochs}; in the first one `fit` "
                "traces its functions, so there would be none to time"
            )


Combination = tuple[str, str, int, int, int]


def jobs(wanted: Selection, tasks: Mapping[int, Path]) -> list[Job]:
    """All jobs of one repetition, each once; `tasks` holds the file for each number of samples."""
    return [
        Job(
            engine=engine,
            network=network,
            batch=batch,
            samples=samples,
            epochs=wanted.epochs,
            learning_rates=learning_rates(v),
            task=str(tasks[samples]),
            cores=wanted.cores,
        )
        for engine, network, batch, samples, v in dict.fromkeys(_combinations(wanted))
    ]


def sizes(wanted: Selection) -> set[int]:
    """Numbers of samples for which files are needed."""
    return {samples for _, _, _, samples, _ in _combinations(wanted)}


def _combinations(wanted: Selection) -> Iterator[Combination]:
    """(engine, network, batch, samples, v), some of them twice."""
    parts = {"epochs": _epochs, "study": _study, "flat": _flat}
    for name in wanted.parts or (PARTS if wanted.full else PARTS[:2]):
        for combination in parts[name](wanted):
            engine, network, *_ = combination
            # of convolutions, which are no product of matrices, there is no floor
            if engine in (wanted.engines or ENGINES) and (engine != "floor" or network in DENSE):
                yield combination


def _epochs(wanted: Selection) -> Iterator[Combination]:
    batches = wanted.batches or ((32, 128) if wanted.full else (32,))
    for network, batch, samples in product(
        wanted.networks or NETWORKS, batches, wanted.samples or (WHOLE,)
    ):
        yield "floor", network, batch, samples, wanted.cores
        for engine in LOOPS:
            # each trial costs the same: one on each worker is enough
            v = wanted.cores if engine == "fit-2-processes" else 1
            yield engine, network, batch, samples, v
        for v, engine in product(wanted.v or ((8, 32) if wanted.full else (4,)), OURS):
            yield engine, network, batch, samples, v


def _study(wanted: Selection) -> Iterator[Combination]:
    for network, batch, samples in product(
        wanted.networks or (tuple(DENSE) if wanted.full else ("deep",)),
        wanted.batches or (32,),
        wanted.samples or (SHORT,),
    ):
        yield "floor", network, batch, samples, wanted.cores
        for v, engine in product(wanted.v or (32,), (*OURS, *STUDIES)):
            yield engine, network, batch, samples, v


def _flat(wanted: Selection) -> Iterator[Combination]:
    yield from product(
        OURS,
        wanted.networks or DENSE,
        wanted.batches or ((32, 128) if wanted.full else (32,)),
        wanted.samples or (SHORT,),
        wanted.v or ((1, 8, 32, 128, 256) if wanted.full else (8, 256)),
    )


# Seconds on 2 cores with AVX2: to start the process, to begin a trial, and for an epoch of the
# whole data with the deep network in batches of 32
_ESTIMATES = {
    "warmstart-tensorflow": (15.0, 0.02, 0.95),
    "warmstart-jax": (10.0, 0.02, 0.85),
    "fit": (6.0, 1.7, 5.5),
    "fit-tuned": (6.0, 2.5, 2.5),
    "fit-2-processes": (6.5, 2.0, 1.5),
    "keras-tuner": (6.5, 1.7, 5.5),
    "optuna": (7.5, 1.0, 2.4),
    "ray-tune": (15.0, 1.0, 2.4),
    "ray-tune-default": (12.0, 4.0, 2.4),
    "floor": (1.0, 0.0, 0.6),
}
_SIZE = {
    ("deep", 32): 1.0,
    ("shallow", 32): 0.75,
    ("convolutional", 32): 3.0,
    ("deep", 128): 0.5,
    ("shallow", 128): 0.4,
    ("convolutional", 128): 3.0,
}


def estimate(job: Job) -> float:
    """Seconds, roughly."""
    start, trial, epoch = _ESTIMATES[job.engine]
    epochs = job.epochs * job.samples / WHOLE * _SIZE.get((job.network, job.batch), 1.0)
    return start + job.v * (trial + epochs * epoch)


def line(job: Job) -> str:
    """`job` in a column of jobs."""
    return (
        f"{job.engine:<22}{job.network:<14}batch {job.batch:<5}V = {job.v:<5}"
        f"{job.samples:>7,} samples"
    )
