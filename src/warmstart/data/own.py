"""The user's own files: one .npz, or IDX files under MNIST's names."""

import difflib
import lzma
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warmstart.config.params import KNOWN_CLASSES, Data
from warmstart.data import idx
from warmstart.errors import InputError

# what NumPy and zipfile raise on bytes that are not what the headers promise
_CORRUPT = (
    ValueError,
    OSError,
    EOFError,
    MemoryError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrays:
    """What the user's files hold, unchecked."""

    x: NDArray
    y: NDArray
    class_names: NDArray | None
    where: Path


def read(data: Data) -> Arrays:
    """The arrays at `data.path`: a .npz file, or a folder with one .npz or with IDX files.

    Raises:
        InputError: when there is no such file, more than one, or one that cannot be read.
    """
    path = Path(data.path)
    try:
        if path.is_file():
            return read_npz(path)
    except OSError as error:
        raise InputError(
            f"data.path: expected a place that can be read, received {error}; check permissions"
        ) from None
    npz = sorted(p for p in path.glob("*.npz") if not p.name.startswith("."))
    files = idx.find(path)
    if len(npz) + bool(files) > 1:
        received = [p.name for p in npz] + sorted(p.name for p in files.values())
        raise InputError(
            f"{path}: expected one .npz or one set of IDX files, received {', '.join(received)}; "
            "keep one, or name the .npz in data.path"
        )
    if npz:
        return read_npz(npz[0])
    if files:
        return read_idx(path, files)
    close = difflib.get_close_matches(data.name, KNOWN_CLASSES, n=1)
    raise InputError(
        f"data.path: expected the files of data.name {data.name!r} (one .npz, or IDX files such "
        f"as {idx.TRAIN[0]}) at {path}, received {'none' if path.is_dir() else 'nothing there'}; "
        + (f"did you mean data.name {close[0]!r}?" if close else "see docs/data.md")
    )


def read_npz(path: Path) -> Arrays:
    """`x`, `y` and, if there, `class_names` of a .npz. Pickles are never loaded.

    Raises:
        InputError: with every array that is missing or cannot be read, one line each.
    """
    arrays: dict[str, NDArray] = {}
    problems: list[str] = []
    try:
        # opened here: NumPy does not close what it cannot read
        opened = path.open("rb")
    except OSError as error:
        raise InputError(
            f"{path}: expected a file that can be read, received {error.strerror}; "
            "check its permissions"
        ) from None
    with opened:
        if not zipfile.is_zipfile(opened):
            raise InputError(
                f"{path}: expected a .npz, received a file of another kind or a truncated one; "
                "write it with np.savez(path, x=x, y=y)"
            )
        opened.seek(0)
        try:
            with np.load(opened, allow_pickle=False) as file:
                for name in ("x", "y", "class_names"):
                    if name in file.files:
                        _read_member(file, name, arrays, problems)
                    elif name != "class_names":
                        problems.append(
                            f"{name}: expected an array of this name, received "
                            f"{', '.join(file.files) or 'none'}; "
                            "write it with np.savez(path, x=x, y=y)"
                        )
        except _CORRUPT as error:
            problems.append(
                f"expected a whole .npz, received a corrupt one ({error}); save it again"
            )
    if problems:
        raise InputError(*(f"{path}: {problem}" for problem in problems))
    return Arrays(x=arrays["x"], y=arrays["y"], class_names=arrays.get("class_names"), where=path)


def _read_member(
    file: "np.lib.npyio.NpzFile", name: str, arrays: dict[str, NDArray], problems: list[str]
) -> None:
    try:
        member = file[name]
    except _CORRUPT as error:
        problems.append(
            f"{name}: expected numbers or text, received Python objects (a pickle), which are "
            "never loaded; save it with a plain dtype, such as y.astype(str)"
            if "allow_pickle" in str(error)
            else f"{name}: expected a whole array, received a corrupt one "
            f"({str(error) or type(error).__name__}); save it again"
        )
        return
    if isinstance(member, np.ndarray):
        arrays[name] = member
    else:  # NumPy hands out the bytes of a member that is no array
        problems.append(f"{name}: expected an array, received other bytes; save it with np.savez")


def read_idx(folder: Path, files: dict[str, Path]) -> Arrays:
    """Training images and labels, followed by the test pair if it is there.

    Raises:
        InputError: with every file that is missing or cannot be read, one line each.
    """
    wanted = idx.TRAIN + (idx.TEST if any(name in files for name in idx.TEST) else ())
    problems = [
        f"{folder}: expected {name} (or .gz), received none; add it"
        for name in wanted
        if name not in files
    ]
    read: dict[str, NDArray[np.uint8]] = {}
    for name, path in files.items():
        try:
            axes = 3 if "images" in name else 1
            read[name] = idx.array(idx.content(path), path, axes)
        except InputError as error:
            problems += error.problems
    pairs = [p for p in (idx.TRAIN, idx.TEST) if p[0] in read and p[1] in read]
    for images, labels in pairs:
        if len(read[images]) != len(read[labels]):
            problems.append(
                f"{folder}: expected a label per image, received {len(read[images])} in {images} "
                f"and {len(read[labels])} in {labels}; take both from one source"
            )
    shapes = [read[images].shape[1:] for images, _ in pairs]
    if len(set(shapes)) > 1:
        problems.append(
            f"{folder}: expected test images of the training images' shape {shapes[0]}, "
            f"received {shapes[1]}; take both from one source"
        )
    if problems:
        raise InputError(*problems)
    return Arrays(
        x=np.concatenate([read[images] for images, _ in pairs]),
        y=np.concatenate([read[labels] for _, labels in pairs]),
        class_names=None,
        where=folder,
    )
