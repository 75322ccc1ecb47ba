"""One DVC stage as a process. Knows no Prefect."""

import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from uuid import uuid4

from flows.lockfiles import mend_rwlock
from flows.processes import GRACE_SECONDS, end_marked

# ends a whole process group, of which it makes itself the head
TIMEOUT, LATE = ("timeout", f"--kill-after={GRACE_SECONDS}"), 124
# Stages side by side meet often at DVC's locks, which are short: for the repository's it would look
# each half second, for the guard of its list of held paths it would give up after three.
IMPATIENT = """
import sys
from functools import partial
from dvc import cli, lock, rwlock
lock.DEFAULT_TIMEOUT = 0.3  # it looks six times in this
rwlock.make_lock = partial(lock.make_lock, wait=True)
sys.exit(cli.main(["--wait-for-lock", *sys.argv[1:]]))
"""
DVC = (sys.executable, "-c", IMPATIENT)
# `dvc repro` has no machine-readable output; it says one of these before the stage can speak.
SIGNS = {
    "Running stage '": "Ran",
    "is cached - skipping run": "Restored",
    "didn't change, skipping": "Unchanged",
}
LOCKED = ("is busy, it is being blocked", "Unable to acquire lock", "Unable to read RWLock-file")
PERCENT = re.compile(r"(\d{1,3}) ?%")


@dataclass(frozen=True)
class Outcome:
    """What became of a stage: Ran, Restored (from DVC's cache), Unchanged, Failed, NotReached."""

    name: str
    seconds: float = 0.0
    reason: str = ""
    locked: bool = False  # another DVC process was in the way, the command did not start


class StageProcesses:
    """Runs stages as processes of their own, until it is closed."""

    def __init__(
        self,
        *,
        pull: bool = False,
        push: bool = False,
        minutes: float | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        """`pull` and `push`: what is missing comes from DVC's remote, what was made goes there.
        `minutes`: a stage that takes longer is ended. `environment`: more variables."""
        self._pull, self._push, self._minutes = pull, push, minutes
        self._mark, self._closed = uuid4().hex, threading.Event()
        self._environment = {**_python_first(), **(environment or {}), "FLOW_STAGES": self._mark}

    def close(self) -> None:
        """End what still runs, with all its descendants; whatever starts now ends at once."""
        self._closed.set()
        end_marked(f"FLOW_STAGES={self._mark}")

    def run(
        self,
        stage: str,
        *,
        force: bool,
        log: Callable[[str], object],
        progress: Callable[[float], object] = lambda percent: None,
    ) -> Outcome:
        """Bring one stage up to date; `log` gets each line of its output as soon as it ends,
        `progress` what its progress bars say, in percent."""
        started, name, errors = time.monotonic(), "", [""]
        # --single-item: the order is the caller's; shared ancestors would block each other
        repro = ["repro", "--single-item", *["--force"] * force, *["--pull"] * self._pull, stage]

        def hear(line: str) -> None:
            nonlocal name, errors
            name = name or next((SIGNS[sign] for sign in SIGNS if sign in line), "")
            errors += [line] if line.startswith("ERROR: ") else []
            log(line)

        mend_rwlock()
        code = self._dvc(repro, hear, progress)
        if code == 0 and self._push:
            code = self._dvc(["push", "--run-cache", stage], hear, progress)
        seconds = time.monotonic() - started
        if code == 0:
            return Outcome(name or "Unchanged", seconds)  # of a frozen stage DVC says nothing
        if code == LATE:
            return Outcome("Failed", seconds, f"ended after {self._minutes} minutes, its limit")
        locked = not name and any(sign in error for sign in LOCKED for error in errors)
        return Outcome("Failed", seconds, f"dvc exit {code} {errors[-1]}".strip(), locked)

    def _dvc(
        self,
        arguments: list[str],
        log: Callable[[str], object],
        progress: Callable[[float], object],
    ) -> int:
        """A DVC command's exit code, LATE if it took too long."""
        limit = [*TIMEOUT, f"{self._minutes}m"] if self._minutes else []
        with subprocess.Popen(
            [*limit, *DVC, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
        ) as process:
            if self._closed.is_set():
                process.kill()
            assert process.stdout
            # ends of lines as they are: what ends with \r is drawn over, a progress bar
            with TextIOWrapper(process.stdout, newline="", errors="replace") as output:
                last, told = "", 0.0
                for raw in output:
                    line, last = raw.strip(), ""
                    if not raw.endswith("\r"):
                        if line:
                            log(line)
                        continue
                    last = line
                    if (found := PERCENT.search(line)) and time.monotonic() > told + 1:
                        told = time.monotonic()
                        progress(min(100.0, float(found[1])))
            if last:
                log(last)
        return process.returncode


@contextmanager
def beside(command: str, environment: dict[str, str]) -> Iterator[None]:
    """Run `command`, if any, while the block lasts, whose end is that of its standard input."""
    if not command:
        yield
        return
    everything = _python_first() | environment
    with subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, env=everything):
        yield


def _python_first() -> dict[str, str]:
    """The environment of a stage: `python` in dvc.yaml is the one that runs the flow."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",  # else a stage's lines come all at once at its end
        "DVC_NO_ANALYTICS": "1",
    }
