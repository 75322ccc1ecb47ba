"""Finished trials of all projects on this machine, so that none is trained twice.

They lie in one folder, a file each, which holds what `Store` wrote. The name is made of the trial's
key and of a digest of all else that decides its bytes. One that is gone or damaged is trained anew.
"""

import hashlib
import json
import os
import sys
from collections.abc import Collection
from pathlib import Path

from platformdirs import user_cache_path
from tqdm import tqdm

from warmstart.files import replacing
from warmstart.runtime import environment
from warmstart.runtime.shelf import DamagedError, Shelf
from warmstart.runtime.store import Store

PLACE = "WARMSTART_TRIALS"
"""Environment variable: the folder, or OFF."""
OFF = "off"
SUFFIX = ".trial"
SOURCE = ("config", "data", "networks", "training", "metrics.py", "seeds.py", "runtime/store.py")
"""What of the package decides a trial's bytes; the last one decides those of its file."""
_PACKAGE = Path(__file__).parents[1]


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
        self._shelf, self._decided_by = Shelf(folder, SUFFIX, limit), decided_by[:16]
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
            try:
                content = self._shelf.read(self._name(key))
            except DamagedError:
                damaged += 1
                continue
            if content is None:
                continue
            with replacing(store.path(key), lasting=False) as unfinished:
                unfinished.write_bytes(content)
            found.add(key)
        if damaged:
            _say(f"{damaged} damaged or unreadable in {self._shelf.folder}: trained anew")
        self._here |= found
        return found

    def keep(self, keys: Collection[str], store: Store) -> None:
        """Copy those of the trials `keys` here that are finished in `store`. Where that fails, as
        on a full disk, one line says so and nothing more is kept."""
        for key in keys:
            if self._fails or key in self._here or not store.path(key).exists():
                continue
            try:
                if self._name(key) not in self._shelf:
                    self._shelf.write(self._name(key), store.path(key).read_bytes())
            except OSError as error:
                self._fails = True
                place = self._shelf.folder
                _say(f"none are kept in {place}: {error.strerror}; {PLACE} names another")
            self._here.add(key)

    def _name(self, key: str) -> str:
        return f"{self._decided_by}-{key}"


def _say(line: str) -> None:
    tqdm.write(f"finished trials: {line}", file=sys.stderr)  # print would write into its bar
