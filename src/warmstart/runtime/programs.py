"""Compiled programs of all projects on this machine, so that none is compiled twice.

What a worker compiles for one piece of work is one file of a `Shelf`. Its name is made of what the
work is and of `finished.decided_by`, so machine code of another processor or version is never
loaded; which of them is the right program TensorFlow and JAX decide by its operations. Both read
and write a folder of this process alone, filled before a piece of work and emptied after it:
neither recognises a damaged file, and JAX writes files where others read them.
"""

import hashlib
import io
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from platformdirs import user_cache_path
from tqdm import tqdm

from warmstart.files import replacing
from warmstart.runtime.finished import OFF, decided_by
from warmstart.runtime.shelf import DamagedError, Shelf
from warmstart.training import setup
from warmstart.training.trials import Cohort

PLACE = "WARMSTART_PROGRAMS"
"""Environment variable: the folder, or OFF."""
SUFFIX = ".programs"
LIMIT = 500_000_000
"""Bytes of all files; those go first that were not used for longest."""
MOST = 50_000_000
"""Bytes of one file; beyond, it begins anew with what was compiled last."""
_UNPACKED = "unpacked-"
_FORGOTTEN_SECONDS = 86_400.0
"""Age of a folder whose process has ended, or has compiled long ago what it needs."""


@contextmanager
def at_hand(job: str, cohort: Cohort) -> Iterator[None]:
    """In the block, with which this process does `job` with `cohort`, what was compiled for the
    like before need not be compiled again; what is compiled in it is kept."""
    if not (kept := _kept()):
        yield
        return
    name = _name(job, cohort)
    known = kept.unpack(name)
    try:
        yield
    finally:
        kept.pack(name, known)


def _name(job: str, cohort: Cohort) -> str:
    """Of what is compiled for work like this: as far as it can be told cheaply, a piece too coarse
    costs a few files that are not needed."""
    alike = replace(cohort, trials=(), splits=(), sources=(), root_seed=0, metric="accuracy")
    alike = replace(alike, phases=(), patience=None, copied=(), not_copied=())
    sizes = []
    with suppress(OSError):  # whoever reads the file says that it is gone
        # the size of a file of arrays tells their shapes
        sizes = [split.file.stat().st_size for split in cohort.splits[:1]]
    said = repr((job, alike, sizes, len(cohort.sources), decided_by(setup.backend())))
    return hashlib.sha256(said.encode()).hexdigest()


@cache
def _kept() -> "_Kept | None":
    """Those in the user's cache folder, or in the folder that PLACE names; None where none are to
    be kept, or cannot."""
    place = os.environ.get(PLACE) or str(user_cache_path("warmstart") / "programs")
    if place == OFF:
        return None
    folder = Path(place).expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            _say(f"none are kept in {folder}, where others could put theirs; {PLACE} names another")
            return None
        return _Kept(folder)
    except OSError as error:
        _say(f"none are kept in {folder}: {error.strerror}; {PLACE} names another")
        return None


class _Kept:
    """Raises OSError if `folder` cannot be written."""

    def __init__(self, folder: Path) -> None:
        from warmstart.training import backends  # loads Keras, so in workers only

        self._shelf = Shelf(folder, SUFFIX, LIMIT)
        for left in folder.glob(f"{_UNPACKED}*"):
            with suppress(FileNotFoundError):  # another process was quicker
                if time.time() - left.stat().st_mtime > _FORGOTTEN_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        self._here = Path(mkdtemp(prefix=_UNPACKED, dir=folder))
        backends.current().keep_programs(self._here)

    def unpack(self, name: str) -> dict[str, bytes]:
        """Lay out the files that `name` consists of -> content by name."""
        try:
            packed = self._shelf.read(name)
        except DamagedError:
            _say(f"a damaged or unreadable file in {self._shelf.folder}: compiled anew")
            packed = None
        known = {}
        if packed:
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                known = {file: archive.read(file) for file in archive.namelist()}
        with suppress(OSError):  # what does not lie there is compiled
            self._here.mkdir(mode=0o700, parents=True, exist_ok=True)
            for file, content in known.items():
                with replacing(self._here / file, lasting=False) as unfinished:
                    unfinished.write_bytes(content)
        return known

    def pack(self, name: str, known: dict[str, bytes]) -> None:
        """Keep as `name` what lies there beside `known`, with that, and clear it away."""
        try:
            paths = [path for path in self._here.iterdir() if path.name not in known]
            new = {path.name: path.read_bytes() for path in paths}
            if new:
                if sum(map(len, known.values())) > MOST:
                    known = {}
                packed = io.BytesIO()
                with zipfile.ZipFile(packed, "w") as archive:
                    for file, content in (known | new).items():
                        archive.writestr(file, content)
                self._shelf.write(name, packed.getvalue())
        except OSError as error:
            place = self._shelf.folder
            _say(f"not kept in {place}: {error.strerror}; {PLACE} names another place")
        finally:
            shutil.rmtree(self._here, ignore_errors=True)


def _say(line: str) -> None:
    tqdm.write(f"compiled programs: {line}", file=sys.stderr)  # print would write into a bar
