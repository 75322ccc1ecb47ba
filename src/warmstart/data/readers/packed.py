"""The bytes of a file, unpacked if it is gzip, and never more than a limit."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO, FileIO
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import psutil

from warmstart.config import limits
from warmstart.errors import InputError
from warmstart.progress import Bar

GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20


def check_size(size: int, where: str | Path) -> None:
    """Refuse what would have more than the limit, `size` in bytes.

    Raises:
        InputError: one line.
    """
    most = min(limits.GIGABYTES * 1e9, psutil.virtual_memory().total)
    if size > most:
        raise InputError(
            f"{where}: expected at most {most / 1e9:.3g} GB once it is unpacked, received "
            f"{size / 1e9:.3g} GB or more; take fewer rows, columns or pixels"
        )


def check_ratio(size: int, packed: int, where: str | Path) -> None:
    """Refuse what is made to unpack to more than anything is: `size` bytes out of `packed`.

    Raises:
        InputError: one line.
    """
    if size > limits.RATIO_BYTES and size > limits.RATIO * packed:
        raise InputError(
            f"{where}: expected what is packed to have at most {limits.RATIO} times its size, "
            f"received {packed / 1e6:.3g} MB that unpack to {size / 1e6:,.0f} MB or more; unpack it"
        )


def entries(folder: Path) -> list[Path]:
    """What is in `folder`, sorted.

    Raises:
        InputError: if it is more than the limit.
        OSError: if the folder cannot be read.
    """
    found = list(islice(folder.iterdir(), limits.ENTRIES + 1))
    if len(found) > limits.ENTRIES:
        raise InputError(
            f"{folder}: expected at most {limits.ENTRIES:,} files and folders in it, received "
            "more; name a file, or a folder with the data alone"
        )
    return sorted(found)


def content(path: Path) -> bytes:
    """The bytes of `path`, decompressed when it is gzip (whatever its name says).

    Raises:
        InputError: as `chunks`.
    """
    return b"".join(chunks(path))


def unpacked(packed: bytes, where: str) -> bytes:
    """As `content`, of bytes at hand."""
    return b"".join(_pieces(BytesIO(packed), where, len(packed)))


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of `path`, unpacked, in pieces.

    Raises:
        InputError: if it cannot be read, is a truncated or corrupt gzip, or exceeds the limit.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            check_size(size, path)
            yield from _pieces(file, str(path), size)
    except OSError as error:
        raise InputError(
            f"{path}: expected a file that can be read, received {error.strerror or error}; "
            "check its permissions"
        ) from None


def beginning(path: Path, size: int = 4096) -> bytes:
    """The first bytes of `path`, unpacked, at most `size`.

    Raises:
        InputError: as `chunks`.
    """
    return next(chunks(path), b"")[:size]


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file that `chunks` has read without an error, unpacked; with progress on standard error
    where its reader takes long."""
    size = path.stat().st_size

    def look(bar: Bar) -> None:
        bar.counted = f"{bar.n / 1e6:,.0f}/{size / 1e6:,.0f} MB"

    with (
        Bar(f"reading {path.name}", size, "bytes", look=look, delay=1) as bar,
        BufferedReader(_Counted(path, bar), _CHUNK) as file,
    ):
        packed = file.read(2) == GZIP
        file.seek(0)
        yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file


class _Counted(FileIO):
    """The bytes that are read of `path` are the progress of `bar`."""

    def __init__(self, path: Path, bar: Bar) -> None:
        super().__init__(path)
        self._bar = bar

    def readinto(self, buffer: Any, /) -> int:
        size = super().readinto(buffer)
        self._bar.update(size)
        return size


def _pieces(file: IO[bytes], where: str, size_packed: int) -> Iterator[bytes]:
    packed = file.read(2) == GZIP
    file.seek(0)
    stream = gzip.GzipFile(fileobj=file) if packed else file
    size = 0
    try:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            check_size(size, where)
            check_ratio(size, size_packed, where)
            yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{where}: expected a whole gzip file, received a truncated or corrupt one ({error}); "
            "fetch it again"
        ) from None
