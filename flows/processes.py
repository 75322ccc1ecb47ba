"""No process left when its flow is gone.

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
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

GRACE_SECONDS = 3.0

OBITUARY = """
from prefect.settings import PREFECT_API_URL
if PREFECT_API_URL.value():  # the temporary server has gone with the flow
    from flows.shown import bury_the_dead
    bury_the_dead()
"""
"""What the watcher runs at last; Prefect's server would take the flow for running."""


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


def end_marked(mark: str) -> None:
    """End all processes with this NAME=VALUE in their environment, by force after a while."""
    deadline = time.monotonic() + GRACE_SECONDS
    asked: set[int] = set()
    while pids := set(_find_marked(mark.encode())):
        late = time.monotonic() > deadline
        # parents first: a DVC that sees its stage end writes its files, and dies at it
        for pid in sorted(pids if late else pids - asked):
            with suppress(ProcessLookupError):  # ended by itself in the meantime
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        asked |= pids
        time.sleep(0.05)


def this_process() -> str:
    """A name that no other process of this machine has or will have."""
    return f"{_boot()}.{os.getpid()}.{_started(os.getpid())}"


def is_alive(name: str) -> bool:
    """Whether the process of this machine with that name, by `this_process`, is still there."""
    boot, pid, started = name.split(".")
    return (boot, started) == (_boot(), _started(int(pid)))


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]


def _started(pid: int) -> str:
    """When it did, in clock ticks; empty where it has ended, though nobody has asked for it yet."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]


def _find_marked(mark: bytes) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # gone, or another user's
            if mark in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)


if __name__ == "__main__" and not sys.stdin.read():  # the watcher
    end_marked(sys.argv[1])
    os.execv(sys.executable, [sys.executable, "-c", OBITUARY])
