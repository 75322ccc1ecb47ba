"""Standard output and error that are a terminal."""

import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

END = "(all that was shown)"


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Inside the block both streams are a terminal of 80 columns. Yields a function that says what
    has come there since the last call."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with os.fdopen(theirs, "w") as screen, monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stdout", screen)
        patch.setattr(sys, "stderr", screen)

        def shown() -> str:
            screen.write(f"{END}\n")
            screen.flush()
            read = b""
            while END not in read.decode(errors="ignore"):
                read += os.read(ours, 10_000)
            return read.decode().partition(END)[0]

        yield shown
    os.close(ours)
