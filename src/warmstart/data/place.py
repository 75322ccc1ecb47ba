"""What lies at `data.path`: a file of some kind, or a folder with exactly one data set."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from warmstart.config.data import KNOWN_CLASSES, Data
from warmstart.data.readers import arff, arrow, delimited, idx, images, npz, packed
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

Kind = Literal["table", "arrays", "images"]
_COMPARED = 1_000  # names that a misspelt one is compared with


@dataclass(frozen=True, kw_only=True)
class Place:
    """A data set and what reads it."""

    path: Path
    kind: Kind
    read: Callable[[Path, Data], Raw]


_TEXT = (".csv", ".tsv", ".arff")
_SUFFIXES = (*_TEXT, ".parquet", ".pq", ".feather", ".arrow", ".npz")
"""Of the files that count in a folder, those of _TEXT also with `.gz`."""

_TELLTALES = {
    b"\x93NUMPY": "one array (.npy); save x and y with np.savez",
    b"\x89HDF": "HDF5; export the table as Parquet or CSV, or save arrays with np.savez",
    b"\xd0\xcf\x11\xe0": "an Excel workbook; save the sheet as CSV",
    b"BZh": "bzip2; unpack it",
    b"\xfd7zXZ": "xz; unpack it",
    b"\x28\xb5\x2f\xfd": "Zstandard; unpack it",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"%PDF": "a PDF; save the table as CSV",
    b"\x89PNG": "one image; give the folder that has a folder of images for each class",
    b"\xff\xd8\xff": "one image; give the folder that has a folder of images for each class",
    b"FEA1": "Feather version 1; write it anew with pandas.DataFrame.to_feather",
} | {
    bytes([0x80, protocol]): "a pickle, which is never loaded; save a frame as Parquet, arrays "
    "with np.savez"
    for protocol in range(2, 6)
}
"""First bytes of files that are often taken for a table, what they are, and what to do."""


def find(data: Data) -> Place:
    """The data set at `data.path`.

    Raises:
        InputError: if nothing is there, or more than one, or something that cannot be read.
    """
    path = Path(data.path)
    try:
        if path.is_file():
            return _of_file(path)
        sets = _in_folder(path) if path.is_dir() else {}
    except OSError as error:
        raise InputError(
            f"data.path: expected a place that can be read, received {error}; check permissions"
        ) from None
    if len(sets) > 1:
        raise InputError(
            f"{path}: expected one data set, received {', '.join(sets)}; keep one, or name its "
            "file in data.path"
        )
    if sets:
        return next(iter(sets.values()))()
    raise InputError(_nothing(path, data))


def _of_file(path: Path) -> Place:
    """What the content says that it is; the name decides between nothing but kinds of text.

    Raises:
        InputError: if it is empty, or of a kind that cannot be read.
    """
    start = packed.beginning(path)
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if not start:
        raise InputError(f"{path}: expected data, received an empty file; fetch it again")
    if start.startswith(b"PAR1"):
        return Place(path=path, kind="table", read=arrow.read_parquet)
    if start.startswith(b"ARROW1"):
        return Place(path=path, kind="table", read=arrow.read_feather)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _of_zip(path, suffix)
    if start[:2] == b"\0\0" and len(start) > 4 and start[2] in idx.TYPES and suffix not in _TEXT:
        raise InputError(
            f"{path}: expected a data set, received a single IDX file; give the folder with images "
            f"and labels ({idx.TRAIN[0]}, {idx.TRAIN[1]}) in data.path"
        )
    for telltale, what in _TELLTALES.items():
        if start.startswith(telltale):
            raise InputError(f"{path}: expected a data set, received {what}")
    if suffix in set(_SUFFIXES) - {*_TEXT}:
        raise InputError(
            f"{path}: expected a {suffix}, as its name says, received a file of another kind or a "
            "damaged one; fetch it again, or give it the suffix of what it is"
        )
    if suffix == ".arff" or re.search(rb"(?im)^\s*@relation\s", start):
        return Place(path=path, kind="table", read=arff.read)
    return Place(path=path, kind="table", read=delimited.read)


def _of_zip(path: Path, suffix: str) -> Place:
    if suffix == ".npz":
        return Place(path=path, kind="arrays", read=lambda path, _: npz.read(path))
    what = "an Excel workbook; save the sheet as CSV" if suffix == ".xlsx" else (
        "a zip archive; unpack it, or name it .npz if it is one"
    )  # fmt: skip
    raise InputError(f"{path}: expected a data set, received {what}")


def _in_folder(path: Path) -> dict[str, Callable[[], Place]]:
    """Data sets in the folder `path`, by what they are called in messages."""
    sets: dict[str, Callable[[], Place]] = {}
    for file in packed.entries(path):
        name = file.name.lower()
        named = name.endswith(_SUFFIXES) or name.endswith(tuple(f"{s}.gz" for s in _TEXT))
        if named and not name.startswith(".") and (file.is_file() or file.is_dir()):
            sets[file.name] = lambda file=file: _of_file(file)  # type: ignore[misc]
    if files := idx.find(path):
        called = ", ".join(sorted(each.name for each in files.values()))
        sets[called] = lambda: Place(path=path, kind="arrays", read=lambda path, _: idx.read(path))
    if classes := images.find(path):
        called = f"folders of images ({', '.join(each.name for each in classes[:5])})"
        sets[called] = lambda: Place(path=path, kind="images", read=images.read)
    return sets


def _nothing(path: Path, data: Data) -> str:
    """That there is no data set at `path`, and what may be the reason."""
    close = difflib.get_close_matches(data.name, KNOWN_CLASSES, n=1)
    hint = f"did you mean data.name {close[0]!r}?" if close else "see docs/data.md"
    received = "nothing there"
    if path.is_dir():
        received = "none"
        deeper = [each for each in packed.entries(path) if each.is_dir() and images.find(each)]
        if deeper:
            received = f"folders of folders of images ({', '.join(d.name for d in deeper[:5])})"
            hint = f"name the one with the classes, such as {deeper[0]}"
        elif any(map(images.is_image, path.iterdir())):
            received = "images without a folder for each class"
            hint = "move them into one folder per class"
    elif path.exists():
        received, hint = "a pipe, a device or the like", "name a file or a folder"
    elif path.parent.is_dir():
        names = (each.name for each in path.parent.iterdir() if each.suffix != ".dvc")
        if near := difflib.get_close_matches(path.name, islice(names, _COMPARED), n=1):
            hint = f"did you mean {path.with_name(near[0])}?"
    return (
        f"data.path: expected the data of data.name {data.name!r} (a table, a .npz, IDX files, or "
        f"a folder of images for each class) at {path}, received {received}; {hint}"
    )
