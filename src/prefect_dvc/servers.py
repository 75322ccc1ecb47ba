"""How we talk to servers: an answer has a total time, addresses show no secret, and proxies do not
stand between us and this machine.

Imported before Prefect, whose settings it makes: see `set_environment`.
"""

import os
import re
import time
from functools import cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

DEFAULTS = {
    # its temporary server needs more than 20 s on a busy machine
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # what a flow cannot do without: four attempts, 94 s with what Prefect waits between them
    "PREFECT_API_REQUEST_TIMEOUT": "20",
    "PREFECT_CLIENT_MAX_RETRIES": "3",
}
"""For the environment, where the user has not set them."""
LOCAL = ("127.0.0.1", "localhost", "::1")


def set_environment() -> None:
    """For this process and those that it starts; Prefect reads it when it is imported."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in ("NO_PROXY", "no_proxy"):  # some read one, some the other
        known = os.environ.get(name) or os.environ.get(name.swapcase()) or ""
        there = [place.strip() for place in known.split(",")]
        wanted = [] if "*" in there else [place for place in LOCAL if place not in there]
        os.environ[name] = ",".join(filter(None, [known, *wanted]))
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        # without this package httpx refuses all work, also where it would need no proxy
        if os.environ[name].startswith("socks") and not find_spec("socksio"):
            del os.environ[name]
    # Prefect would log the address, store it and hand it on
    url = os.environ.get("PREFECT_API_URL", "")
    if login := urlsplit(url).netloc.rpartition("@")[0]:
        os.environ.setdefault("PREFECT_API_AUTH_STRING", unquote(login))
        os.environ["PREFECT_API_URL"] = shown(url)


def shown(url: str) -> str:
    """`url` without user, password and query, each of which may be a secret."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def hidden(text: str) -> str:
    """`text` of another program, without user and password in the addresses that it names."""
    return re.sub(r"(?<=://)[^\s/?#@]*@", "", text)


@cache
def whole_answers() -> None:
    """From now on, in this process, a timeout of httpx is that of the whole answer, counted from
    the end of what was asked. To httpx it is the longest silence between two bytes, so a server
    that sends a byte a second keeps it for ever."""
    from httpcore import ReadTimeout
    from httpcore._backends.anyio import AnyIOStream
    from httpcore._backends.sync import SyncStream

    def left(stream: Any, timeout: float | None) -> float | None:
        rest = timeout and stream.asked + timeout - time.monotonic()
        if rest is not None and rest <= 0:
            raise ReadTimeout(f"no whole answer within {timeout:.0f} s")
        return rest

    write, read = SyncStream.write, SyncStream.read
    write_async, read_async = AnyIOStream.write, AnyIOStream.read

    def timed_write(stream: Any, buffer: bytes, timeout: float | None = None) -> None:
        write(stream, buffer, timeout)
        stream.asked = time.monotonic()

    def timed_read(stream: Any, most: int, timeout: float | None = None) -> bytes:
        return read(stream, most, left(stream, timeout))

    async def timed_write_async(stream: Any, buffer: bytes, timeout: float | None = None) -> None:
        await write_async(stream, buffer, timeout)
        stream.asked = time.monotonic()

    async def timed_read_async(stream: Any, most: int, timeout: float | None = None) -> bytes:
        return await read_async(stream, most, left(stream, timeout))

    both: Any = (
        (SyncStream, timed_write, timed_read),
        (
            AnyIOStream,
            timed_write_async,
            timed_read_async,
        ),
    )
    for kind, timed_writing, timed_reading in both:
        kind.write, kind.read = timed_writing, timed_reading


set_environment()
whole_answers()
