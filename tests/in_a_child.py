"""The command line in a forked child: what it answers, and what that takes of time and memory.

A fork has imported everything already, so that a thousand commands take a minute.
"""

import gc
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import psutil
import sklearn.datasets  # noqa: F401  (what commands import when they run: else each child would)
from visible_text import shows

import warmstart.stages.describe  # noqa: F401
from warmstart.__main__ import main

SECONDS, MEGABYTES = 2.0, 500.0
"""What a command that refuses its input may take: of the processor, and of memory beyond what it
had when it began."""
_HANGS_SECONDS, _MOST_SECONDS = 180, 20  # by the clock, and of the processor
_LONGEST = 7_000  # a thousand characters, each as its code
_CEILING_BYTES = 4 << 30  # what a child may ask for: beyond, the machine would suffer


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Of a command."""

    code: int | None
    """None: it ended otherwise, as `end` says."""
    said: str
    """On both streams."""
    seconds: float
    """Of the processor."""
    megabytes: float
    end: str = ""

    @property
    def fault(self) -> str:
        """What is wrong with it; empty: nothing."""
        if self.end:
            return self.end
        if self.code not in (0, 2):
            return "traceback" if "Traceback" in self.said else f"exit {self.code}"
        lines = self.said.rstrip("\n").split("\n")
        if self.code == 2 and not all(line.startswith("error: ") for line in lines):
            return "more than a line"
        if self.code == 2 and not all(shows(line) for line in lines):
            return "control characters"
        if self.code == 2 and max(map(len, lines)) > _LONGEST:
            return f"a line of more than {_LONGEST:,} characters"
        if self.seconds > SECONDS:
            return "slow"
        return "large" if self.megabytes > MEGABYTES else ""


def answer(command: Sequence[str], folder: Path) -> Answer:
    """What `warmstart COMMAND` answers in `folder`."""
    with TemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as said:
        child = os.fork()
        if child == 0:
            _run(command, folder, said.fileno())
        killed = _waited(child)
        _, status, used = os.wait4(child, 0)
        said.seek(0)
        before, _, text = said.read().partition("\n")
    return Answer(
        code=os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else None,
        said=text,
        seconds=used.ru_utime + used.ru_stime,
        megabytes=(used.ru_maxrss * 1024 - int(before)) / 1e6,
        end="" if os.WIFEXITED(status) else "hangs" if killed else f"signal {os.WTERMSIG(status)}",
    )


def _waited(child: int) -> bool:
    """Whether the child had to be killed; it is not reaped yet."""
    until = time.monotonic() + _HANGS_SECONDS
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, child, options) is None:
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            return True
        time.sleep(0.002)
    return False


def _run(command: Sequence[str], folder: Path, said: int) -> None:
    """In the child: never returns."""
    gc.freeze()  # a function of TensorFlow's that the parent has left to be collected ends a child
    code = 1
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout = sys.stderr = open(1, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        own = psutil.Process().memory_info()
        print(own.rss, flush=True)
        resource.setrlimit(resource.RLIMIT_AS, (own.vms + _CEILING_BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(folder)
        code = main(command)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)
