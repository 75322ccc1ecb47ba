"""The n-th time that a process opens a file to write, waits for the disk or renames, it fails."""

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

HALF = b"half of what was to be"


class Steps:
    """Counts them.

    Args:
        fails: what happens at the step of number `at`, counted from 0.
        folder: only what happens below it counts.
    """

    def __init__(self, folder: Path, at: int | None, fails: Callable[[], object]) -> None:
        self.count, self._at, self._fails = 0, at, fails
        self._folder = str(folder)

    def step(self, path: object) -> bool:
        """Whether it is the one that fails."""
        if not str(path).startswith(self._folder):
            return False
        self.count += 1
        return self.count - 1 == self._at

    def open(self, file: Any, mode: str = "r", *args: Any, **how: Any) -> Any:
        opened = _OPEN(file, mode, *args, **how)
        if {*mode} & {"w", "a", "x"} and self.step(file):
            with opened:
                opened.write(HALF if "b" in mode else HALF.decode())
            self._fails()
        return opened

    def replace(self, source: Any, target: Any) -> None:
        if self.step(Path(target).absolute()):
            self._fails()
        _REPLACE(source, target)

    def fsync(self, file: int) -> None:
        if self.step(Path(f"/proc/self/fd/{file}").readlink()):
            self._fails()
        _FSYNC(file)


_OPEN, _REPLACE, _FSYNC = io.open, os.replace, os.fsync


def full() -> None:
    """The disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a file")


def killed() -> None:
    """The process."""
    os._exit(137)


@contextmanager
def faulty(
    folder: Path, at: int | None = None, fails: Callable[[], object] = full
) -> Iterator[Steps]:
    """In the block, the step of number `at` below `folder` fails; None: none does."""
    steps = Steps(folder, at, fails)
    with (
        patch("io.open", steps.open),
        patch("os.replace", steps.replace),
        patch("os.fsync", steps.fsync),
    ):
        yield steps
