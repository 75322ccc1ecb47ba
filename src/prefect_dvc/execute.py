"""One DVC stage as a process. Knows no Prefect."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, Protocol

from prefect_dvc.dvc_process import LATE
from prefect_dvc.place import missing
from prefect_dvc.servers import hidden

# A file, not a module: in a worktree of another revision the module could be another one.
DVC = (sys.executable, "-P", str(Path(__file__).with_name("dvc_process.py")))
# `dvc repro` has no machine-readable output; it says one of these before the stage can speak.
SIGNS = {
    "Running stage '": "Ran",
    "is cached - skipping run": "Restored",
    "didn't change, skipping": "Unchanged",
}
LOCKED = ("is busy, it is being blocked", "Unable to acquire lock", "Unable to read RWLock-file")
PROBLEM = "error: "
"""What a line begins with, here and in many other programs, that says why a command failed."""
# `NAME, PART:  42%|#### | 21/50 epochs, 0:12 left`, of tqdm with or without its bar; or just `42%`
BAR = re.compile(r"(?P<name>.*?):? *\b(?P<percent>\d{1,3}) ?%(?:\|(?:.*\|)?(?P<rest>.*))?")
FAILED_RUN = re.compile("failed to reproduce '.*?': (?P<why>.*)")
Log = Callable[[str], object]
Progress = Callable[[float, str], object]


@dataclass(frozen=True)
class Outcome:
    """What became of a stage: Ran, Restored (from DVC's cache), Unchanged, Failed, NotReached."""

    name: str
    seconds: float = 0.0
    reason: str = ""  # of a failure one line per problem; else what is to be said of it, if any
    locked: bool = False  # another DVC process was in the way, the command did not start


@dataclass
class Said:
    """What a command says, line by line, and what of it tells how it ended."""

    log: Log
    name: str = ""
    """Of its outcome, by one of SIGNS."""
    last: str = ""
    """Its last line that is not DVC's."""
    problems: list[str] = field(default_factory=list)
    """What follows PROBLEM in its lines."""
    of_dvc: list[str] = field(default_factory=list)
    """DVC's lines `ERROR: …`."""

    def __call__(self, line: str) -> None:
        self.name = self.name or next((SIGNS[sign] for sign in SIGNS if sign in line), "")
        if line.startswith("ERROR: "):
            self.of_dvc.append(line.removeprefix("ERROR: "))
        elif line.startswith(PROBLEM):
            self.problems.append(line.removeprefix(PROBLEM))
        elif not (line.startswith("> ") or any(sign in line for sign in SIGNS)):
            self.last = line
        self.log(line)

    def reason(self, code: int) -> str:
        """Why it failed: what the stage says, else DVC, with what the stage said last."""
        if self.problems:
            return "\n".join(self.problems)
        why = [found["why"] for line in self.of_dvc if (found := FAILED_RUN.match(line))]
        why = why or self.of_dvc or [f"exit code {code}"]
        began = self.name == "Ran" or not self.of_dvc
        return "\n".join(why) + (f"; it said: {self.last}" if began and self.last else "")


class Executor(Protocol):
    """How a stage is brought up to date."""

    def run(self, stage: str, log: Log, progress: Progress) -> Outcome:
        """`log` gets each line of its output as soon as it ends, `progress` what its progress bars
        say, in percent and in words, at most once a second."""


class Processes:
    """Runs stages as processes of their own, until it is closed: an Executor."""

    def __init__(
        self,
        force: bool = False,
        pull: bool = False,
        push: bool = False,
        minutes: float = 0,
        explain: Sequence[str] = (),
    ) -> None:
        """`pull` and `push`: what is missing comes from DVC's remote, what was made goes there.
        `minutes`: a stage that takes longer is ended; 0: no limit. `explain`: a command that says,
        in lines `error: …`, why DVC may not have been able to start a stage."""
        self._options = ["--force"] * force + ["--pull"] * pull
        self._push, self._minutes, self._explain = push, minutes, explain
        # All processes have one end as standard input, nobody but us has the other.
        self._ours, self._theirs = socket.socketpair()

    def close(self) -> None:
        """End what still runs, with all its descendants; nothing starts any more."""
        self._theirs.close()
        self._ours.shutdown(socket.SHUT_WR)
        self._ours.recv(1)  # comes to its end with the last of them
        self._ours.close()

    def run(self, stage: str, log: Log, progress: Progress = lambda percent, said: None) -> Outcome:
        """See Executor."""
        started, said = time.monotonic(), Said(log)
        # --single-item: the order is the caller's; shared ancestors would block each other
        # --: whatever stages are called
        commands = [["repro", "--single-item", *self._options, "--", stage]]
        commands += [["push", "--run-cache", "--", stage]] * self._push
        code = 0
        if self._push or "--pull" in self._options:  # DVC says nothing while it waits for it
            log(f"{stage}: DVC's remote is asked, however long that takes")
        for command in commands:
            code = code or self._dvc(command, said, progress)
        seconds = time.monotonic() - started
        if code == 0:
            return Outcome(said.name or "Unchanged", seconds)  # of a frozen stage DVC says nothing
        if code == LATE:
            return Outcome("Failed", seconds, f"ended after {self._minutes} minutes, its limit")
        locked = not said.name and any(sign in line for sign in LOCKED for line in said.of_dvc)
        if not (said.name or locked):
            said.problems += self._explained()
            said.problems += missing("\n".join(said.of_dvc))
        return Outcome("Failed", seconds, said.reason(code), locked)

    def _explained(self) -> list[str]:
        if not self._explain or self._theirs.fileno() < 0:
            return []
        asked = subprocess.run(self._explain, capture_output=True, text=True, env=python_first())
        lines = asked.stderr.splitlines()
        return [line.removeprefix(PROBLEM) for line in lines if line.startswith(PROBLEM)]

    def _dvc(self, arguments: list[str], log: Log, progress: Progress) -> int:
        """A DVC command's exit code, LATE if it took too long."""
        if self._theirs.fileno() < 0:
            return -1
        command = [*DVC, str(60 * self._minutes), *arguments]
        # Ctrl-C is for the flow, which then closes us
        process = _start(command, self._theirs.fileno(), start_new_session=True)
        return _listen(process, log, progress)


class Companion:
    """A command beside the stages, which ends when its standard input does."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it; where that fails `run` tells."""
        self._began = time.monotonic()
        self._process, self._problem = None, ""
        try:
            self._process = _start(command, subprocess.PIPE)
        except OSError as error:
            self._problem = f"{command[0]}: expected a command, received: {error.strerror}"

    def run(self, log: Log) -> Outcome:
        """Pass on what it says until it ends. The reason of a good end is its last line."""
        if not self._process:
            return Outcome("Failed", reason=self._problem)
        said = Said(log)
        code = _listen(self._process, said)
        seconds = time.monotonic() - self._began
        return Outcome(
            "Failed" if code else "Ran", seconds, said.reason(code) if code else said.last
        )

    def close(self) -> None:
        """End its standard input, and wait for its own end."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.wait()


def _start(command: Sequence[str], stdin: int, **how: Any) -> subprocess.Popen[bytes]:
    pipes: Any = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, **pipes, env=python_first(), **how)


def _listen(
    process: subprocess.Popen[bytes], log: Log, progress: Progress = lambda percent, said: None
) -> int:
    """Pass on what it says until it ends; its exit code."""
    output = TextIOWrapper(process.stdout or BytesIO(), newline="", errors="replace")
    with output:
        for line in _lines(output, progress):
            log(hidden(line))
    return process.wait()


def _lines(output: Iterable[str], progress: Progress) -> Iterator[str]:
    """Of a progress bar, whose states end with \\r and are drawn over, only the last; of one that
    is written line by line all."""
    last, shown = "", 0.0
    for raw in output:
        line, last = raw.strip(), ""
        drawn = raw.endswith("\r")
        bar = BAR.match(line) if drawn or "%|" in line else None
        if bar and time.monotonic() > shown + 1:
            shown = time.monotonic()
            said = ": ".join(part.strip() for part in bar.group("name", "rest") if part)
            progress(min(100.0, float(bar["percent"])), said)
        if drawn:
            last = line
        elif line:
            yield line
    if last:
        yield last


def python_first() -> dict[str, str]:
    """The environment of a stage: `python` in dvc.yaml is the one that runs the flow."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # unbuffered: else a stage's lines come all at once at its end
    return os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
