"""Finished trials of all projects on this machine, so that none is trained twice.

They lie in one folder, a file each: the SHA-256 of its name and of what follows, which is what
`Store` wrote. The name is made of the trial's key and of a digest of all else that decides its
bytes. Several processes may read, write and remove files there at the same time: a file takes its
place whole, and one that is gone is trained anew.
"""

import hashlib
import json
import os
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path
from tqdm import tqdm

from warmstart.files import replacing
from warmstart.runtime import environment
from warmstart.runtime.store import Store

PLACE = "WARMSTART_TRIALS"
"""Environment variable: the folder, or OFF."""
OFF = "off"
SUFFIX = ".trial"
SOURCE = ("config", "data", "networks", "training", "metrics.py", "seeds.py", "runtime/store.py")
"""What of the package decides a trial's bytes; the last one decides those of its file."""
_PACKAGE = Path(__file__).parents[1]
_DIGEST_SIZE = hashlib.sha256().digest_size


def decided_by(backend: str) -> str:
    """Digest of all that decides what a process here makes of a trial, besides the trial's key:
    the package's source and `environment.arithmetic`. Hexadecimal."""
    digest = hashlib.sha256(json.dumps(environment.arithmetic(backend), sort_keys=True).encode())
    for name in SOURCE:
        place = _PACKAGE / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            content = path.read_bytes()
            digest.update(f"{path.relative_to(_PACKAGE).as_posix()} {len(content)} ".encode())
            digest.update(content)
    return digest.hexdigest()


class Finished:
    """Finished trials of workers that compute alike.

    Args:
        folder: made when the first trial is kept.
        decided_by: as the function of that name says on each of the workers.
        limit: bytes; those files go first that were not used for longest.
    """

    def __init__(self, folder: Path, decided_by: str, limit: int) -> None:
        self._folder, self._decided_by, self._limit = folder, decided_by[:16], limit
        self._room = 0  # bytes that may be written before the folder has to be looked through
        self._here: set[str] = set()  # keys of trials that need not be written
        self._fails = False

    @classmethod
    def of_machine(cls, decided_by: Collection[str], limit: int) -> "Finished | None":
        """Those in the user's cache folder, or in the folder that the variable PLACE names; None
        where none are to be kept, or workers compute differently and might train any of them.

        Args:
            decided_by: of each worker.
            limit: see `Finished`; 0: none are kept.
        """
        place = os.environ.get(PLACE) or user_cache_path("warmstart") / "trials"
        alike = set(decided_by)
        if place == OFF or not limit or len(alike) != 1:
            return None
        return cls(Path(place).expanduser(), alike.pop(), limit)

    def fetch(self, keys: Collection[str], store: Store) -> set[str]:
        """Copy those of the trials `keys` into `store` that are here -> which. What is damaged is
        removed, and said in one line."""
        found, damaged = set(), 0
        for key in keys:
            path = self._path(key)
            try:
                entry = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                entry = b""
            if entry[:_DIGEST_SIZE] != _digest(path, content := entry[_DIGEST_SIZE:]):
                damaged += 1
                with suppress(OSError):
                    path.unlink()
                continue
            with replacing(store.path(key), lasting=False) as unfinished:
                unfinished.write_bytes(content)
            found.add(key)
            with suppress(OSError):  # somebody else's folder, or one that was removed
                os.utime(path)
        if damaged:
            _say(f"{damaged} damaged or unreadable in {self._folder}: trained anew")
        self._here |= found
        return found

    def keep(self, keys: Collection[str], store: Store) -> None:
        """Copy those of the trials `keys` here that are finished in `store`. Where that fails, as
        on a full disk, one line says so and nothing more is kept."""
        for key in keys:
            if self._fails or key in self._here or not store.path(key).exists():
                continue
            try:
                self._write(self._path(key), store.path(key).read_bytes())
            except OSError as error:
                self._fails = True
                _say(f"none are kept in {self._folder}: {error.strerror}; {PLACE} names another")
            self._here.add(key)

    def _write(self, path: Path, content: bytes) -> None:
        size = _DIGEST_SIZE + len(content)
        if path.exists() or size > self._limit:
            return
        if size > self._room:
            self._make_room(size)
        with replacing(path, lasting=False) as unfinished:
            unfinished.write_bytes(_digest(path, content) + content)
        self._room -= size

    def _make_room(self, size: int) -> None:
        """For `size` bytes or, so that this is seldom done, a twentieth of the limit."""
        self._room = max(size, self._limit // 20)
        self._folder.mkdir(parents=True, exist_ok=True)
        files = []
        for path in self._folder.glob(f"*{SUFFIX}"):  # half-written ones too; nothing but our own
            with suppress(FileNotFoundError):  # another process was quicker
                status = path.stat()
                files.append((status.st_mtime_ns, path, status.st_size))
        left = sum(length for *_, length in files)
        for _, path, length in sorted(files):
            if left + self._room <= self._limit:
                break
            path.unlink(missing_ok=True)
            left -= length

    def _path(self, key: str) -> Path:
        return self._folder / f"{self._decided_by}-{key}{SUFFIX}"


def _digest(path: Path, content: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + content).digest()


def _say(line: str) -> None:
    tqdm.write(f"finished trials: {line}", file=sys.stderr)  # print would write into its bar
