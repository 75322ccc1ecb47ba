"""One run at a time in a checkout: a flow, or DVC from a terminal.

Imports Python's own modules alone: `dvc_process.py` loads it as a file.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

FOLDER = Path(".dvc/tmp")
AT_WORK = FOLDER / "flow.lock"
"""Held by the process that works here, whose number stands in it; that of one that died is free."""


@contextmanager
def alone(wait: bool) -> Iterator[None]:
    """Keep other runs out of the project in the working directory, or `wait` for one to end, of
    which a line tells. Raises BlockingIOError where one works and nobody waits."""
    with flock(AT_WORK, wait=wait, say=lambda: print(f"{who()}: waiting", flush=True)) as file:
        file.truncate(0)
        print(os.getpid(), file=file, flush=True)
        yield


def who() -> str:
    """Says which process works here."""
    return f"{Path.cwd()}: another run works here (process {AT_WORK.read_text().strip()})"


@contextmanager
def flock(path: Path, *, wait: bool, say: Callable[[], None] = lambda: None) -> Iterator[TextIO]:
    """Hold the file's lock, which ends with the process. Raises BlockingIOError where another one
    has it, unless it is to `wait`, which it then says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise
            say()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file
