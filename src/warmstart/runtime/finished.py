"""Finished trials of this machine, which no run trains again: of other studies, other parameters,
other worktrees and clones.

They lie outside DVC's outs and outside the repository, by their keys, in a folder that is named by
all that decides a trial's bytes besides its key. A trial is linked from there into the folder of a
stage's unfinished work, so whoever reads that folder sees no difference.
"""

import hashlib
import os
import platform
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

import platformdirs

import warmstart
from warmstart.runtime import environment
from warmstart.runtime.store import Store

PLACE = "WARMSTART_TRIALS"
"""Environment variable: another folder, or `off`."""
DECIDING = ("config", "data", "networks", "training", "seeds.py")
"""What of this package decides the bytes of a trial."""
GB = 1_000_000_000


def circumstances() -> str:
    """A digest of what equal keys need to give equal bytes: code, packages, device, processor."""
    package = Path(warmstart.__file__).parent
    content = hashlib.sha256()
    for root in (package / name for name in DECIDING):
        for file in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            content.update(file.relative_to(package).as_posix().encode() + b"\0")
            content.update(file.read_bytes() + b"\0")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    about = (environment.versions(), environment.device_name(), environment.cpu_name(), python)
    content.update(repr((*about, platform.machine())).encode())
    return content.hexdigest()[:32]


class Finished:
    """Args:
    root: folder of all finished trials.
    most: bytes that they may take; those that were not used for longest go first.
    """

    def __init__(self, root: Path, most: float) -> None:
        self._root, self._most, self._own = root, most, Store(root / circumstances())

    @classmethod
    def open(cls, kept_gb: float) -> Self | None:
        """Where PLACE or the user's cache has them; None where none are kept."""
        chosen = os.environ.get(PLACE) or str(platformdirs.user_cache_path("warmstart") / "trials")
        return None if chosen == "off" or not kept_gb else cls(Path(chosen), kept_gb * GB)

    def fetch(self, keys: Iterable[str], store: Store) -> None:
        """Put those of the trials `keys` that are here into `store`. What is damaged is removed,
        with a line on standard error."""
        for key in keys:
            path = self._own.path(key)
            if store.path(key).exists() or not path.exists():
                continue
            if damage := _damage(path, key):
                print(
                    f"{path}: expected a finished trial, found {damage}; removed, "
                    "the trial is trained again",
                    file=sys.stderr,
                )
                with suppress(OSError):
                    path.unlink()
                continue
            with suppress(OSError):  # removed by another run, which keeps to its bound
                _link(path, store.path(key))
                os.utime(path)

    def keep(self, keys: Iterable[str], store: Store) -> None:
        """Keep the trials `keys` of `store`. A place that cannot be written to is said and left."""
        try:
            for key in keys:
                if not self._own.path(key).exists():
                    _link(store.path(key), self._own.path(key))
            _trim(self._root, self._most)
        except OSError as error:
            print(f"{self._root}: finished trials are not kept: {error.strerror}", file=sys.stderr)


def _link(source: Path, target: Path) -> None:
    """A hard link, or a copy where the file systems differ. Neither file is ever written again:
    both are only replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    own = f"{os.getpid()}-{threading.get_ident()}"
    unfinished = target.with_name(f".unfinished-{own}-{target.name}")
    unfinished.unlink(missing_ok=True)
    try:
        try:
            os.link(source, unfinished)
        except OSError:
            shutil.copyfile(source, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _damage(path: Path, key: str) -> str:
    """What is wrong with the file; empty: nothing. Every member carries a checksum (CRC-32)."""
    try:
        with zipfile.ZipFile(path) as file:
            if damaged := file.testzip():
                return f"a damaged {damaged}"
        found = Store(path.parent).key(key)
    except Exception as error:  # whatever a damaged file makes zipfile and NumPy raise
        return f"a damaged file ({type(error).__name__})"
    return "" if found == key else "another one"


def _trim(root: Path, most: float) -> None:
    """Remove the files that were not used for longest until all take at most `most` bytes."""
    files = []
    for path in root.glob("*/*.npz"):
        with suppress(OSError):
            seen = path.stat()
            files.append((seen.st_mtime_ns, seen.st_size, path))
    size = sum(taken for _, taken, _ in files)
    for _, taken, path in sorted(files):
        if size <= most:
            return
        path.unlink(missing_ok=True)
        size -= taken
