"""`python -m engines.stacked JOB`: a program of many trials taken apart. How many kernels a step
is, how long it takes, and what the host does besides, on an accelerator or, with the same code, on
a CPU."""

import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engines.job import Job
from engines.warmstart_engine import cohort_of
from measuring.data import WHOLE
from warmstart.data.task import Task
from warmstart.runtime.store import Store
from warmstart.training import setup, worker
from warmstart.training.order import Order
from warmstart.training.outcomes import Standing
from warmstart.training.program import Data
from warmstart.training.trainer import Trainer
from warmstart.training.trials import Trial
from warmstart.training.watch import Watch


def run(job: Job) -> dict[str, Any]:
    """Seconds of the host per study of `job.v` trials on `job.samples`: `orders` once an epoch, the
    rest once, or twice (`look`); of a step, how many instructions of each kind."""
    cohort = replace(cohort_of(job), probed=True)
    task = Task.read(Path(job.task))
    found: dict[str, Any] = {"network": job.network, "v": job.v, "samples": job.samples}

    def timed(name: str, function: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = function()
        found[f"{name}_seconds"] = round(time.perf_counter() - start, 4)
        return result

    data = Data.of(task)
    trainer = timed("compile", lambda: Trainer(cohort, data, job.v))
    trials = cohort.trials
    timed("orders", lambda: Order(cohort.root_seed).of(trials, 1, np.zeros(WHOLE)))
    trainer.initial(trials[0])  # what is compiled for the first serves all
    weights = timed("initial", lambda: [trainer.initial(trial) for trial in trials])
    phase, factors = trainer._phases[0]
    numbers = [trainer._numbers(trial, phase, factors) for trial in trials]
    program = trainer._program
    program.use(data)
    timed("start", lambda: program.start(weights, numbers))
    orders = trainer._orders(trials, 1)
    np.asarray(program.epoch(orders))
    steps = -(-data.samples // job.batch)
    timed("epoch", lambda: np.asarray(program.epoch(orders)))
    found["step_ms"] = round(1e3 * found["epoch_seconds"] / steps, 3)

    def look(trials: tuple[Trial, ...]) -> None:
        standing = Standing([], [], 0.0, [() for _ in trials])
        watch = Watch(len(trials), None)
        watch.epochs[:] = 1
        trainer._look(trials, standing, watch, np.ones(len(trials), bool))

    look(trials)
    timed("look", lambda: look(trials))
    states = timed("read", program.state)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))

        def finish() -> None:
            for i, trial in enumerate(trials):
                standing = Standing([np.array([[1.0, 0.5, 1.0, 0.5, 1.0]])], [states[i]], 0.0, [()])
                store.write(*trainer.finished(trial, standing))

        timed("write", finish)
        worker.evaluate(replace(cohort, trials=trials[:1]), store, lambda epochs: None)
        timed("evaluate", lambda: worker.evaluate(cohort, store, lambda epochs: None))
    return found | {"step": kernels(program._compiled._epoch.as_text())}


def kernels(text: str) -> dict[str, int]:
    """How often each instruction that is a kernel occurs in the loop over mini-batches of a
    compiled epoch: of all loops' bodies the one with most."""
    parts = re.split(r"\n(?=%|ENTRY )", text)
    bodies = set(re.findall(r"body=%([\w.\-]+)", text))
    counts = []
    for part in parts:
        name = re.match(r"%([\w.\-]+)", part)
        if name and name[1] in bodies:
            kinds = re.findall(r"= \S+ ([a-z][\w\-]*)\(", part)
            counts.append(Counter(kind for kind in kinds if kind in _KERNELS))
    return dict(max(counts, key=Counter.total, default=Counter()))


_KERNELS = frozenset(
    """
    call convolution copy custom-call dot dynamic-slice fusion gather reduce reduce-window scatter
    select-and-scatter sort transpose while
    """.split()  # noqa: SIM905
)

if __name__ == "__main__":
    setup.enter(setup.backend())
    print(f"\n{json.dumps(run(Job.from_json(sys.argv[1])))}")
