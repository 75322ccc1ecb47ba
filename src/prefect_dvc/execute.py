"""One DVC stage as a process. Knows no Prefect."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Protocol

from prefect_dvc.dvc_process import LATE

# A file, not a module: in a worktree of another revision the module could be another one.
DVC = (sys.executable, "-P", str(Path(__file__).with_name("dvc_process.py")))
# `dvc repro` has no machine-readable output; it says one of these before the stage can speak.
SIGNS = {
    "Running stage '": "Ran",
    "is cached - skipping run": "Restored",
    "didn't change, skipping": "Unchanged",
}
LOCKED = ("is busy, it is being blocked", "Unable to acquire lock", "Unable to read RWLock-file")
PERCENT = re.compile(r"(\d{1,3}) ?%")
Log = Callable[[str], object]
Progress = Callable[[float], object]


@dataclass(frozen=True)
class Outcome:
    """What became of a stage: Ran, Restored (from DVC's cache), Unchanged, Failed, NotReached."""

    name: str
    seconds: float = 0.0
    reason: str = ""
    locked: bool = False  # another DVC process was in the way, the command did not start


class Executor(Protocol):
    """How a stage is brought up to date."""

    def run(self, stage: str, log: Log, progress: Progress) -> Outcome:
        """`log` gets each line of its output as soon as it ends, `progress` what its progress bars
        say, in percent, at most once a second."""


class Processes:
    """Runs stages as processes of their own, until it is closed: an Executor."""

    def __init__(
        self, force: bool = False, pull: bool = False, push: bool = False, minutes: float = 0
    ) -> None:
        """`pull` and `push`: what is missing comes from DVC's remote, what was made goes there.
        `minutes`: a stage that takes longer is ended; 0: no limit."""
        self._options = ["--force"] * force + ["--pull"] * pull
        self._push, self._minutes = push, minutes
        # All processes have one end as standard input, nobody but us has the other.
        self._ours, self._theirs = socket.socketpair()

    def close(self) -> None:
        """End what still runs, with all its descendants; nothing starts any more."""
        self._theirs.close()
        self._ours.shutdown(socket.SHUT_WR)
        self._ours.recv(1)  # comes to its end with the last of them
        self._ours.close()

    def run(self, stage: str, log: Log, progress: Progress = lambda percent: None) -> Outcome:
        """See Executor."""
        started, name, errors = time.monotonic(), "", [""]

        def note(line: str) -> None:
            nonlocal name
            name = name or next((SIGNS[sign] for sign in SIGNS if sign in line), "")
            errors.extend([line] * line.startswith("ERROR: "))
            log(line)

        # --single-item: the order is the caller's; shared ancestors would block each other
        commands = [["repro", "--single-item", *self._options, stage]]
        commands += [["push", "--run-cache", stage]] * self._push
        code = 0
        for command in commands:
            code = code or self._dvc(command, note, progress)
        seconds = time.monotonic() - started
        if code == 0:
            return Outcome(name or "Unchanged", seconds)  # of a frozen stage DVC says nothing
        if code == LATE:
            return Outcome("Failed", seconds, f"ended after {self._minutes} minutes, its limit")
        locked = not name and any(sign in error for sign in LOCKED for error in errors)
        return Outcome("Failed", seconds, f"dvc exit {code} {errors[-1]}".strip(), locked)

    def _dvc(self, arguments: list[str], log: Log, progress: Progress) -> int:
        """A DVC command's exit code, LATE if it took too long."""
        if self._theirs.fileno() < 0:
            return -1
        with (
            subprocess.Popen(
                [*DVC, str(60 * self._minutes), *arguments],
                stdin=self._theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_python_first(),
                start_new_session=True,  # Ctrl-C is for the flow, which then closes us
            ) as process,
            TextIOWrapper(process.stdout or BytesIO(), newline="", errors="replace") as output,
        ):
            for line in _lines(output, progress):
                log(line)
        return process.returncode


def _lines(output: Iterable[str], progress: Progress) -> Iterator[str]:
    """Of a progress bar, whose states end with \\r and are drawn over, only the last."""
    last, shown = "", 0.0
    for raw in output:
        line, last = raw.strip(), ""
        if raw.endswith("\r"):
            last = line
            if (found := PERCENT.search(line)) and time.monotonic() > shown + 1:
                shown = time.monotonic()
                progress(min(100.0, float(found[1])))
        elif line:
            yield line
    if last:
        yield last


@contextmanager
def beside(command: Sequence[str]) -> Iterator[None]:
    """Run `command`, if any, while the block lasts, whose end is that of its standard input."""
    if not command:
        yield
        return
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=_python_first()):
        yield


def _python_first() -> dict[str, str]:
    """The environment of a stage: `python` in dvc.yaml is the one that runs the flow."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # unbuffered: else a stage's lines come all at once at its end
    return os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
