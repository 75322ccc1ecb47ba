"""Files of our own. Nothing is half-written: a file is written beside its target, put on the disk,
then renamed. What is damaged all the same is recognised where it is read, and is one line.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warmstart.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DAMAGED = (
    EOFError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, OverflowError,
    zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip
"""What json, NumPy, zipfile and Arrow raise on bytes that are not those that were written, beside
an OSError that does not come from the system."""
_OF_THE_FILE = (None, errno.ENOENT, errno.EIO, errno.EINVAL)
"""Codes of an OSError that speak of the file itself, not of the system or of permissions."""
_END = struct.Struct("<4s 6x H 10x")
"""How a zip file ends: signature, …, number of members, …"""
_UNFINISHED = ".unfinished-"
_SEAL = "sha256"
_STAGES = {
    r"data/prepared/": "prepare",
    r"\.warmstart/pairs/": "transfer",
    r"\.warmstart/([^/]+)/": r"\1",
    r"models/a[./]": "pretrain",
    r"models/b\.keras$": "transfer",
    r"models/autoencode/(?:stacked|denoising|rotation)/": "autoencode",
    r"(?:models|results|results/times)/compare/([^/]+?)(?:/|\.\w+$)": r"compare@\1",
    r"results/(?:times/)?(\w+)": r"\1",
    r"(?:models/cards|reports)/": "report",
}
"""Where a file lies -> the stage of dvc.yaml that writes it; the first that matches."""


@contextmanager
def replacing(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """A path beside `path` to write to; it takes `path`'s place when the block succeeds.

    The suffix stays (Keras and NumPy look at it). Parent folders are made. What processes that were
    killed have left half-written beside it is removed.

    Args:
        lasting: whether it outlives a loss of power from then on, for which this waits for the
            disk; else `path` may be cut off, empty or missing then: for what is recognised as such
            and can be made again.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(path.parent.absolute())
    unfinished = path.with_name(f"{_UNFINISHED}{os.getpid()}-{path.name}")
    try:
        with unfinished.open("wb") as held:
            _lock(held.fileno(), fcntl.LOCK_SH)
            yield unfinished
            if lasting:
                _sync(unfinished)
            unfinished.replace(path)
            if lasting:
                for folder in (path.parent, *(folder.parent for folder in made)):
                    _sync(folder)
    except OSError as error:
        if error.errno and error.filename is None:  # a write that fails does not say where
            error.filename = str(path)
        raise
    finally:
        unfinished.unlink(missing_ok=True)


@cache
def _remove_unfinished(folder: Path) -> None:
    """Those files whose writer is gone: with a process its locks go, in another container or on
    another machine too, where process numbers say nothing. Once in a process: folders are large."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        with suppress(OSError), path.open("rb") as left:
            if _lock(left.fileno(), fcntl.LOCK_EX):
                path.unlink()


def _lock(file: int, how: int) -> bool:
    """Whether the lock was to be had; not where the file system has none."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sync(path: Path) -> None:
    """Wait until the disk has what is in a file, or the names in a folder."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def intact(
    path: Path, expected: str = "what was written there", advice: str = "make it again"
) -> Iterator[None]:
    """In the block that reads `path`, a file of our own.

    Args:
        expected, advice: for a file that no stage of dvc.yaml writes.

    Raises:
        InputError: one line; the file is missing (`__cause__` is a FileNotFoundError) or damaged.
    """
    try:
        yield
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _OF_THE_FILE:
            raise
        if isinstance(error, RuntimeError) and "thread" in str(error):  # none can be started
            raise
        missing = isinstance(error, FileNotFoundError)
        if stage := stage_of(path):
            expected = f"what the stage {stage} writes"
            again = f"{stage}" if missing else f"--force --single-item {stage}"
            advice = f"run `dvc repro {again}`"
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        received = "no such file" if missing else f"a damaged file ({said})"
        raise InputError(f"{path}: expected {expected}, received {received}; {advice}") from error


def stage_of(path: Path) -> str:
    """The stage of dvc.yaml that writes `path`; empty: none does."""
    for place, stage in _STAGES.items():
        if found := re.search(f"(?:^|/){place}", path.as_posix()):
            return found.expand(stage)
    return ""


def write_text(path: Path, text: str) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Readable, and the same bytes for the same content. NaN is not JSON: it raises ValueError."""
    write_text(path, _as_json(content))


def read_json(path: Path) -> Any:
    """What `write_json` wrote.

    Raises:
        InputError: as `intact`.
    """
    with intact(path):
        return json.loads(path.read_text(encoding="utf-8"))


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """As `write_json`, for what is read again: with one key more, a digest of the others."""
    write_json(path, {**content, _SEAL: _digest(content)})


def read_sealed(path: Path) -> dict[str, Any]:
    """What `write_sealed` was given.

    Raises:
        InputError: as `intact`; no bit of what it returns is another one than was written.
    """
    with intact(path):
        content: dict[str, Any] = read_json(path)
        if content.pop(_SEAL) != _digest(content):
            raise ValueError(f"its content has not the {_SEAL} that stands in it")
    return content


def _as_json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_as_json(dict(content)).encode()).hexdigest()


def read_arrays(path: Path) -> "dict[str, NDArray[Any]]":
    """All arrays of a .npz, each held to its checksum.

    Raises:
        BadZipFile: and whatever else `intact` takes.
    """
    import numpy as np

    # opened here: NumPy does not close what it cannot read
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        _count_members(file.zip)
        return {key: file[key] for key in file.files}


def check_zip(path: Path) -> None:
    """Hold each member of a zip file to its checksum, before anything of it is understood.

    Raises:
        BadZipFile: and whatever else `intact` takes.
    """
    with zipfile.ZipFile(path) as archive:
        _count_members(archive)
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"Bad CRC-32 for file {damaged!r}")


def _count_members(archive: zipfile.ZipFile) -> None:
    """Raise BadZipFile unless there are as many as the archive's end says, where that ends in no
    comment: a wrong length may hide one, which Python does not see."""
    assert archive.fp
    archive.fp.seek(-_END.size, os.SEEK_END)
    signature, members = _END.unpack(archive.fp.read())
    if signature == b"PK\5\6" and members != len(archive.infolist()):
        raise zipfile.BadZipFile(f"{members} files, and {len(archive.infolist())} in the directory")
