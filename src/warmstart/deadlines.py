"""An answer of a server has a total time, whoever asks for it by Python's `http.client`: MLflow's
client, pooch, Keras.

To them a timeout is the longest silence between two bytes, so a server that sends a byte a second
keeps them for ever. Here it is the time of the whole answer, to which each byte that comes adds
what it takes at `RATE`: large files may take their time as long as they arrive.
"""

import http.client
import io
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SECONDS = 10.0
"""For an answer, where who asks has no timeout of its own."""
RATE = 100_000
"""Bytes per second; an answer that is slower ends."""
MOST_SECONDS = 300.0
"""For an answer of any size."""
MOST_BYTES = 1_000_000_000
"""Of one answer."""
_LOCAL = ("127.0.0.1", "localhost", "::1")


def whole_answers() -> None:
    """From now on, in this process."""
    http.client.HTTPConnection.response_class = _Answer


def pass_proxies_by() -> None:
    """Reach servers of this machine directly, whatever HTTP_PROXY and ALL_PROXY say, in this
    process and those that it starts. What the user has in NO_PROXY stays."""
    for name in ("NO_PROXY", "no_proxy"):  # some read one, some the other
        known = os.environ.get(name) or os.environ.get(name.swapcase()) or ""
        there = [place.strip() for place in known.split(",")]
        wanted = [] if "*" in there else [place for place in _LOCAL if place not in there]
        os.environ[name] = ",".join(filter(None, [known, *wanted]))


@contextmanager
def said_after(seconds: float, line: str) -> Iterator[None]:
    """`line` on standard error, once the block has lasted so long."""
    timer = threading.Timer(seconds, print, [line], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        buffered: Any = self.fp
        self.fp = io.BufferedReader(_Timed(buffered.detach(), sock))


class _Timed(io.RawIOBase):
    """What comes from `sock`, for as long as it may."""

    def __init__(self, stream: io.RawIOBase, sock: socket.socket) -> None:
        self._stream, self._sock = stream, sock
        self._began, self._bytes = time.monotonic(), 0
        self._seconds = sock.gettimeout() or SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Raises TimeoutError, or OSError where it is too much."""
        allowed = min(self._seconds + self._bytes / RATE, max(self._seconds, MOST_SECONDS))
        left = self._began + allowed - time.monotonic()
        if left <= 0:
            raise self._late(allowed)
        self._sock.settimeout(left)
        try:
            read: int | None = self._stream.readinto(buffer)
        except TimeoutError:
            raise self._late(allowed) from None
        self._bytes += read or 0
        if self._bytes > MOST_BYTES:
            raise OSError(f"an answer of more than {MOST_BYTES:,} bytes")
        return read

    def _late(self, allowed: float) -> TimeoutError:
        return TimeoutError(f"no whole answer within {allowed:.0f} s, {self._bytes:,} bytes came")

    def close(self) -> None:
        self._stream.close()
        super().close()
