"""`python -m forking WHAT BACKEND` in a process that, unlike pytest's, is started as a stage is:
what its workers are and do, one by one, where a server of the run forks them."""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psutil
from forked_work import about, endless, kill_server, kill_worker

from small_task import make_cohort
from warmstart.config.arm import Arm
from warmstart.config.params import Executor
from warmstart.errors import InputError
from warmstart.runtime import alike, fork_server, pool, processes


def one(work: Callable[..., Any], backend: str, count: int = 1) -> list[Any]:
    """What `work` gives in a worker each."""
    folder = Path(mkdtemp(dir="."))
    cohort = make_cohort(folder, Arm(hidden=(4,)))
    with processes.start(count, folder, backend) as here:
        try:
            return [future.result() for future in [here.submit(work, cohort)] * count]
        finally:
            here.stop()


def trained(backend: str, name: str) -> dict[str, Any]:
    """The digests of what a worker leaves of a small study."""
    folder = Path(name)
    cohort = make_cohort(folder.parent, Arm(hidden=(4,)), trials=1, epochs=1)
    with pool.start(Executor(workers=1), folder) as workers:
        results = workers.train([cohort], name)
        scores = workers.evaluate([cohort])
        workers.export(cohort, cohort.trials[0], Path(f"{name}.keras"))
    model = Path(f"{name}.keras").read_bytes().hex()
    return {"epochs": {k: dict(r.epochs) for k, r in results.items()}, "s": scores, "m": model}


def loads(backend: str) -> bool:
    """Whether a server loads what it is told that it will be asked for, while nobody asks it."""
    until = time.monotonic() + 60
    with fork_server.serving(backend=backend):
        (server,) = psutil.Process().children()
        while time.monotonic() < until:
            if any(f"/{backend}" in file.path for file in server.memory_maps()):
                return True
            time.sleep(0.05)
    return False


def main(what: str, backend: str) -> Any:
    if what == "loads":
        return loads(backend)
    if what == "endless":
        with fork_server.serving(), processes.start(1, Path(), backend) as here:
            here.submit(endless, make_cohort(Path(), Arm(hidden=(4,)))).result()
    with ExitStack() as run:
        alone = one(about, backend) if what == "about" else None
        own = trained(backend, "own") if what == "same" else None
        run.enter_context(fork_server.serving())
        address = Path(os.environ[alike.ADDRESS])
        if what == "about":
            forked = one(about, backend) + one(about, backend)
            run.close()
            with fork_server.serving(backend=backend):
                forked += one(about, backend)
            return [alone, forked, address.parent.exists(), alike.ADDRESS in os.environ]
        if what == "same":
            return [own, trained(backend, "forked")]
        if what == "kill_server":
            return [one(kill_server, backend), one(about, backend)[0]["own"][1]]
        try:
            return one(kill_worker, backend)
        except InputError as error:
            return [*error.problems]


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
