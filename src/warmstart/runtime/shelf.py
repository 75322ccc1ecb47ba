"""Files that every process of a user on this machine may read, write and remove at the same time.

Each begins with the SHA-256 of its name and of what follows, and takes its place whole: one that is
damaged, or another's, is recognised as such.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from warmstart.files import replacing

_DIGEST_SIZE = hashlib.sha256().digest_size


class DamagedError(Exception):
    """A file is not what was written, or cannot be read."""


class Shelf:
    """The files with one suffix in a folder.

    Args:
        folder: made when the first file is written.
        limit: bytes; those files go first that were not used for longest.
    """

    def __init__(self, folder: Path, suffix: str, limit: int) -> None:
        self.folder, self._suffix, self._limit = folder, suffix, limit
        self._room = 0  # bytes that may be written before the folder has to be looked through

    def __contains__(self, name: str) -> bool:
        return self._path(name).exists()

    def read(self, name: str) -> bytes | None:
        """What was written as `name`, which is young from then on; None: there is none.

        Raises:
            DamagedError: it is damaged; it has been removed.
        """
        path = self._path(name)
        try:
            entry = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            entry = b""
        if entry[:_DIGEST_SIZE] != _digest(path, content := entry[_DIGEST_SIZE:]):
            with suppress(OSError):
                path.unlink()
            raise DamagedError(name)
        with suppress(OSError):  # somebody else's folder, or one that was removed
            os.utime(path)
        return content

    def write(self, name: str, content: bytes) -> None:
        """Keep `content`, unless it is larger than the limit.

        Raises:
            OSError: where that fails, as on a full disk.
        """
        path, size = self._path(name), _DIGEST_SIZE + len(content)
        if size > self._limit:
            return
        if size > self._room:
            self._make_room(size)
        with replacing(path, lasting=False) as unfinished:
            unfinished.write_bytes(_digest(path, content) + content)
        self._room -= size

    def _make_room(self, size: int) -> None:
        """For `size` bytes or, so that this is seldom done, a twentieth of the limit."""
        self._room = max(size, self._limit // 20)
        self.folder.mkdir(parents=True, exist_ok=True)
        files = []
        for path in self.folder.glob(f"*{self._suffix}"):  # half-written ones too; only our own
            with suppress(FileNotFoundError):  # another process was quicker
                status = path.stat()
                files.append((status.st_mtime_ns, path, status.st_size))
        left = sum(length for *_, length in files)
        for _, path, length in sorted(files):
            if left + self._room <= self._limit:
                break
            path.unlink(missing_ok=True)
            left -= length

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{self._suffix}"


def _digest(path: Path, content: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + content).digest()
