"""`warmstart track` at work, before MLflow's database or server: it or the server is killed, or the
server stops to answer."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from unittest.mock import patch

from benchmarks.chaos import ROOT, kills
from benchmarks.chaos.rows import Done
from made_up_results import made_up, made_up_timings, publish, write
from mlflow_serving import Server, tracking
from seen import Seen, seen
from warmstart.tracking.opening import opened
from whole_runs import TRACK, Running, start

KIND = "publisher"
EXPECTED = "the next `track` ends well, and MLflow holds what one at once brings, each run once"
VICTIMS = ("publisher", "publisher before a server", "server", "silent server")
LIMIT_SECONDS = 90.0
"""That a publisher may take whose server is away or silent."""
KINDS = {"two runs": "doubled", "FINISHED": "stuck", "lacks": "missing"}


@contextmanager
def ready(folder: Path) -> Iterator[Callable[[int], Done]]:
    """Kills of a publisher with a file and with a server, and of the server."""
    empty = folder / "empty.db"
    with mlflow_at(f"sqlite:///{empty}"), opened():
        pass
    with tracking(folder, f"sqlite:///{shutil.copy(empty, folder / 'served.db')}") as server:
        server.start()
        seconds = duration(folder / "first", server.url)

        def kill(seed: int) -> Done:
            luck, study, project = random.Random(seed), f"study_{seed}", folder / str(seed)
            results = written(project, study)
            # MLflow's client keeps what is open, by its path
            golden = at_once(results, study, shutil.copy(empty, project / "golden.db"))
            database = shutil.copy(empty, project / "mlflow.db")
            what = luck.choice(
                ("publisher", "publisher before a server", "server", "silent server")
            )
            uri = f"sqlite:///{database}" if what == "publisher" else server.url
            running, moment = at_work(project, uri, luck, seconds)
            how, faults = luck.choice(kills.SIGNALS), dict[str, str]()
            if what.startswith("publisher"):
                running.process.send_signal(how)
            else:
                how = signal.SIGSTOP if what == "silent server" else signal.SIGKILL
                faults = without(server, running, how)
            faults |= kills.after(running) | kills.again(project, *TRACK, **at(uri))
            faults |= compared(uri, study, golden)
            shutil.rmtree(project)
            return Done(what=f"{how.name} to {what}", moment=moment, faults=faults)

        yield kill


def at_work(project: Path, uri: str, luck: random.Random, seconds: float) -> tuple[Running, float]:
    """A publisher, and for how many seconds it has been at work."""
    while True:
        moment, running = luck.uniform(0, seconds), start(project, *TRACK, **at(uri))
        try:
            running.process.wait(moment)
        except subprocess.TimeoutExpired:
            return running, round(moment, 2)


def written(project: Path, study: str) -> Path:
    """Results of 45 trials and 3 arms."""
    found = made_up(study=study, rates=(0.01, 0.1, 1.0), seeds=5)
    return write(project / f"results/compare/{study}", *found, made_up_timings())


def at(uri: str) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(ROOT / "src")}


def duration(project: Path, uri: str) -> float:
    """Seconds of an undisturbed publisher."""
    written(project, "first")
    began = time.monotonic()
    if faults := kills.again(project, *TRACK, **at(uri)):
        raise RuntimeError(f"track, which nobody disturbed: {faults}")
    return time.monotonic() - began


def without(server: Server, running: Running, how: signal.Signals) -> dict[str, str]:
    """Take the server away from a publisher, until that has ended; what is wrong with its end."""
    stopped = how == signal.SIGSTOP
    server.tell(how) if stopped else server.end(how)
    faults = dict[str, str]()
    try:
        running.process.wait(LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        running.kill_all()
        faults["slow"] = f"the publisher ran on for more than {LIMIT_SECONDS:.0f} s"
    server.tell(signal.SIGCONT) if stopped else server.start()
    return faults


def mlflow_at(uri: str) -> AbstractContextManager[object]:
    """In this process."""
    return patch.dict(os.environ, MLFLOW_TRACKING_URI=uri)


def at_once(results: Path, study: str, database: Path) -> Seen:
    """What MLflow shows where nothing goes wrong."""
    with mlflow_at(f"sqlite:///{database}"):
        publish(results)
    return seen(f"sqlite:///{database}", study)


def compared(uri: str, study: str, golden: Seen) -> dict[str, str]:
    """How what MLflow shows differs from what it must."""
    try:
        found = seen(uri, study)
    except AssertionError as error:
        return kills.first_of_each([str(error)], KINDS)
    problems = [f"MLflow lacks run {digest}" for digest in golden.keys() - found.keys()]
    problems += [f"MLflow has run {digest}, too" for digest in found.keys() - golden.keys()]
    problems += [
        f"run {digest}: other content"
        for digest in golden.keys() & found.keys()
        if golden[digest] != found[digest]
    ]
    return kills.first_of_each(problems, {"lacks": "missing", ", too": "doubled"})
