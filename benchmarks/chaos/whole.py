"""`make run` and `make flow` of this project, small, some process of which is killed.

The project has been run before, so that DVC has all in its cache, but for one stage that luck
chooses (or, once in five times, for all): what really runs is that, and a kill costs little. MLflow
is empty, and no finished trial is kept, so that everything has to come again.
"""

import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import whole_runs
from benchmarks.chaos import kills
from benchmarks.chaos.rows import Done

KIND = "whole"
COMMANDS = {"make run": whole_runs.MAKE_RUN, "make flow": whole_runs.MAKE_FLOW}
SHARES = (3, 1)
EXPECTED = (
    "the next run ends well, with the same outputs, with every run in MLflow once and none "
    "running; nothing is left running"
)
ROLES = {
    "track": "warmstart track",
    "check": "warmstart check",
    "training worker": "multiprocessing",
    "stage": "-m warmstart ",
    "flow's watcher": "watcher.py",
    "Prefect's server": "uvicorn",
    "flow": "-m flows",
    "dvc": "dvc_process.py",
}
KINDS = {
    "MLflow lacks": "missing",
    "MLflow has 0": "missing",
    "MLflow has": "doubled",
    " is RUNNING": "stuck",
    "Prefect: ": "stuck",
    "half-written": "left",
}
STAGES = (
    "prepare",
    "pretrain",
    "autoencode",
    "transfer",
    "yardsticks",
    "report",
    "compare clipping",
)
OUTPUTS = ("dvc.lock", "data/prepared", "models", "results", "reports")


@dataclass(frozen=True)
class Golden:
    """A project that nobody has disturbed."""

    folder: Path
    digests: dict[str, str]
    seconds: float

    @classmethod
    def made(cls, folder: Path, *, transfer: bool) -> "Golden":
        """Run it once."""
        folder.mkdir()
        whole_runs.small_copy(folder, transfer=transfer)
        # byte code belongs to a project that has run before
        whole_runs.run(folder, "python", "-m", "compileall", "-q", "src", "flows")
        seconds = undisturbed(folder)
        return cls(folder, whole_runs.digests(folder), seconds)

    def copied(self, to: Path, forgotten: Sequence[str]) -> None:
        """The project as after `git clone`, with DVC's cache but for these stages."""
        shutil.rmtree(to, ignore_errors=True)
        kept = shutil.ignore_patterns("mlflow.db*", "mlartifacts", ".prefect", ".warmstart")
        shutil.copytree(self.folder, to, symlinks=True, ignore=kept)
        for name in OUTPUTS:
            place = to / name
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        for run in (to / ".dvc/cache/runs").glob("*/*/*"):
            command = run.read_text().splitlines()[0]
            if command.removeprefix("cmd: exec python -m warmstart ") in forgotten:
                run.unlink()


def undisturbed(project: Path) -> float:
    """Seconds that `make run` takes."""
    began = time.monotonic()
    if faults := kills.again(project, *whole_runs.MAKE_RUN):
        raise RuntimeError(f"make run, which nobody disturbed: {faults}")
    return time.monotonic() - began


def at_work(project: Path) -> Iterator[str]:
    """What Prefect's own database shows as running, of flows and tasks, where there is one."""
    path = project / ".prefect/prefect.db"
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as database:
        for what in ("flow", "task"):
            query = f"SELECT name, state_type FROM {what}_run"
            for name, state in database.execute(query):
                if state not in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                    yield f"Prefect: {what} {name} is {state}"


@contextmanager
def ready(folder: Path, *, transfer: bool = True) -> Iterator[Callable[[int], Done]]:
    """Kills of both commands; without `transfer` only studies take their time."""
    golden = Golden.made(folder / "golden", transfer=transfer)
    golden.copied(folder / "first", STAGES[-1:])
    seconds = {True: golden.seconds, False: undisturbed(folder / "first")}

    def kill(seed: int) -> Done:
        luck = random.Random(seed)
        (command,) = luck.choices([*COMMANDS], SHARES)
        whole = not luck.randrange(5)
        forgotten = STAGES if whole else (luck.choice(STAGES),)
        project = folder / str(seed)  # MLflow's client keeps what is open, by its path
        done = ""
        while not done:
            golden.copied(project, forgotten)
            moment = luck.uniform(0, seconds[whole])
            running = whole_runs.start(project, *COMMANDS[command])
            done = kills.struck(running, moment, luck, ROLES)
        faults = kills.after(running) | kills.again(project, *COMMANDS[command])
        if "stuck" not in faults:
            problems = [*whole_runs.problems(project, golden.digests), *at_work(project)]
            faults |= kills.first_of_each(problems, KINDS)
        shutil.rmtree(project)
        return Done(what=f"{command}: {done}", moment=round(moment, 2), faults=faults)

    yield kill
