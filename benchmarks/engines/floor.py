"""What no engine can beat by much: the time of the matrix products alone, at their real shapes.

Each core does, by itself and all at once, what a trial's epoch needs of NumPy's BLAS on one thread:
for every layer X·W, and going back Xᵀ·G for its weights and G·Wᵀ for its inputs (not for the
pixels); then X·W on the validation set.
"""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby, pairwise
from statistics import median
from threading import BrokenBarrierError
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from engines.job import CLASSES, FEATURES, NETWORKS, Job, Report, Trained

_all_set: Any = None  # in a worker process: the barrier at which they start together


def run(job: Job) -> Report:
    """As many epochs as the job has, on each core. Needs OPENBLAS_NUM_THREADS=1."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(job.cores)
    with ProcessPoolExecutor(
        job.cores, mp_context=context, initializer=_enter, initargs=(barrier,)
    ) as pool:
        trials = list(pool.map(_products, [job] * job.cores))
        blas = pool.submit(_blas).result()
    epoch = median(seconds for trial in trials for seconds in trial.epoch_seconds)
    gflops = operations(job) / epoch / 1e9
    return Report(workers=job.cores, trials=tuple(trials), blas=blas, gflops=gflops)


def operations(job: Job) -> int:
    """Multiplications and additions of an epoch's products."""
    first, *others = (m * n for m, n in pairwise([FEATURES, *NETWORKS[job.network], CLASSES]))
    trained = job.samples * (2 * first + 3 * sum(others))
    return 2 * (trained + job.samples // 11 * (first + sum(others)))


def _blas() -> str:
    found = [one for one in threadpool_info() if one["user_api"] == "blas"]
    return ", ".join(f"{o['internal_api']} {o['version']}, {o['architecture']}" for o in found)


def _enter(barrier: Any) -> None:
    global _all_set
    _all_set = barrier


def _products(job: Job) -> Trained:
    batches, validation = job.samples // job.batch, job.samples // 11
    step, forward = Layers.of(job, job.batch), Layers.of(job, validation)
    step.train()  # OpenBLAS makes its buffers at the first call
    forward.forward()
    try:
        _all_set.wait(timeout=60)
    except BrokenBarrierError:
        raise RuntimeError("floor: the other core's process did not start") from None
    seconds = []
    for _ in range(job.epochs):
        start = time.perf_counter()
        for _ in range(batches):
            step.train()
        training = (time.perf_counter() - start) * job.samples / (batches * job.batch)
        start = time.perf_counter()
        forward.forward()
        seconds.append(training + time.perf_counter() - start)
    return Trained(
        epoch_seconds=tuple(seconds),
        seconds=sum(seconds),
        samples=job.epochs * job.samples,
        val_accuracy=None,
    )


class Layers:
    """Arrays of the layers' real sizes. Neighbours of the same shape are stacked, so that NumPy
    calls sgemm for one after the other without Python in between."""

    def __init__(self, shapes: list[tuple[int, int]], rows: int) -> None:
        rng = np.random.default_rng(0)
        self._stacks = []
        for (inputs, units), members in groupby(shapes):
            count = len(list(members))
            x, w, g = (
                rng.standard_normal((count, *shape), np.float32)
                for shape in ((rows, inputs), (inputs, units), (rows, units))
            )
            self._stacks.append((x, w, g, np.empty_like(x), np.empty_like(w), np.empty_like(g)))

    @classmethod
    def of(cls, job: Job, rows: int) -> "Layers":
        units = [FEATURES, *NETWORKS[job.network], CLASSES]
        return cls(list(pairwise(units)), rows)

    def forward(self) -> None:
        for x, w, _, _, _, out in self._stacks:
            np.matmul(x, w, out=out)

    def train(self) -> None:
        self.forward()
        for number, (x, w, g, to_x, to_w, _) in enumerate(self._stacks):
            np.matmul(x.swapaxes(1, 2), g, out=to_w)
            if number > 0:
                np.matmul(g, w.swapaxes(1, 2), out=to_x)
