"""One DVC stage as a process, and no process left when its flow is gone. Knows no Prefect.

A flow ended by `kill -9` cannot clean up, and killing `dvc` leaves the stage's own processes,
which would write beside the next run. So a flow marks its environment, which all descendants
inherit, and holds a pipe to a watcher: the pipe's end tells of the flow's death whatever the
cause. PR_SET_PDEATHSIG follows one thread and reaches one generation. Needs Linux's /proc.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

GRACE_SECONDS = 3.0
# --wait-for-lock: the repository lock is short, and stages side by side meet at it often.
# --single-item: the order is the caller's; shared ancestors would block each other.
REPRO = (sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item")
# `dvc repro` has no machine-readable output; it says one of these before the stage can speak.
RAN, RESTORED, UNCHANGED = "Running stage '", "is cached - skipping run", "didn't change, skipping"
SIGNS = {RAN: "Ran", RESTORED: "Restored", UNCHANGED: "Unchanged"}
LOCKED = ("is busy, it is being blocked", "Unable to acquire lock")


@dataclass(frozen=True)
class Outcome:
    """What became of a stage: Ran, Restored (from DVC's cache), Unchanged, Failed, NotReached."""

    name: str
    seconds: float = 0.0
    reason: str = ""
    locked: bool = False  # another DVC process was in the way, the command did not start


class StageProcesses:
    """Runs stages as processes of their own, until it is closed."""

    def __init__(self) -> None:
        self._mark, self._closed = uuid4().hex, threading.Event()

    def close(self) -> None:
        """End what still runs, with all its descendants; whatever starts now ends at once."""
        self._closed.set()
        _end_marked(f"FLOW_STAGES={self._mark}")

    def run(self, stage: str, *, force: bool, log: Callable[[str], object]) -> Outcome:
        """Bring one stage up to date; `log` gets each line of its output as soon as it ends."""
        started, name, errors = time.monotonic(), "", [""]
        with self._start([*REPRO, *(["--force"] if force else []), stage]) as process:
            assert process.stdout
            for raw in process.stdout:
                # A progress bar redraws itself with \r: what it showed last is enough.
                line = raw.decode(errors="replace").rstrip().rpartition("\r")[2]
                if line:
                    log(line)
                name = name or next((SIGNS[sign] for sign in SIGNS if sign in line), "")
                errors += [line] if line.startswith("ERROR: ") else []
        seconds = time.monotonic() - started
        if process.returncode == 0:
            return Outcome(name or "Unchanged", seconds)  # of a frozen stage DVC says nothing
        locked = not name and any(sign in error for sign in LOCKED for error in errors)
        reason = f"dvc exit {process.returncode} {errors[-1]}".strip()
        return Outcome("Failed", seconds, reason, locked)

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            # `python` in dvc.yaml is the one that runs the flow
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",  # else a stage's lines come all at once at its end
            "DVC_NO_ANALYTICS": "1",
            "FLOW_STAGES": self._mark,
        }
        out, null, both = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT
        process = subprocess.Popen(command, stdin=null, stdout=out, stderr=both, env=environment)
        if self._closed.is_set():
            process.kill()
        return process


@cache  # one watcher for a process, whoever asks
def leave_nothing_behind() -> None:
    """From now on what this process starts is ended when it dies without an orderly end."""
    environment = {name: value for name, value in os.environ.items() if name != "FLOW"}
    os.environ["FLOW"] = uuid4().hex
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, f"FLOW={os.environ['FLOW']}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # else whoever captures our output would wait for the watcher
        env=environment,  # unmarked: the watcher of a flow around this one must not end it
        start_new_session=True,  # out of reach of what ends our process group
    )
    atexit.register(watcher.communicate, b"an orderly end")


def _end_marked(mark: str) -> None:
    """End all processes with this NAME=VALUE in their environment, by force after a while."""
    deadline = time.monotonic() + GRACE_SECONDS
    asked: set[int] = set()
    while pids := set(_find_marked(mark.encode())):
        late = time.monotonic() > deadline
        for pid in pids if late else pids - asked:
            with suppress(ProcessLookupError):  # ended by itself in the meantime
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        asked |= pids
        time.sleep(0.05)


def _find_marked(mark: bytes) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # gone, or another user's
            if mark in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)


if __name__ == "__main__" and not sys.stdin.read():  # the watcher
    _end_marked(sys.argv[1])
