"""IDX, the format of MNIST and its kin: a short header, then unsigned bytes.

Header: two zero bytes, the type (8: unsigned byte), the number of axes, and the length of each
axis as a big-endian 32-bit integer.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warmstart.errors import InputError

TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def read(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int]:
    """The training images `(n, height, width)`, followed by the test images if there are any, their
    labels `(n,)`, and how many of them are test images.

    Raises:
        InputError: with every file that is missing or cannot be read, one line each.
    """
    files = find(folder)
    wanted = TRAIN + (TEST if any(name in files for name in TEST) else ())
    problems = [
        f"{folder}: expected {name} (or .gz), received none; add it"
        for name in wanted
        if name not in files
    ]
    arrays: dict[str, NDArray[np.uint8]] = {}
    for name, path in files.items():
        try:
            arrays[name] = array(content(path), path, axes=3 if "images" in name else 1)
        except InputError as error:
            problems += error.problems
    pairs = [p for p in (TRAIN, TEST) if p[0] in arrays and p[1] in arrays]
    for images, labels in pairs:
        if len(arrays[images]) != len(arrays[labels]):
            problems.append(
                f"{folder}: expected a label per image, received {len(arrays[images])} in {images} "
                f"and {len(arrays[labels])} in {labels}; take both from one source"
            )
    shapes = [arrays[images].shape[1:] for images, _ in pairs]
    if len(set(shapes)) > 1:
        problems.append(
            f"{folder}: expected test images of the training images' shape {shapes[0]}, "
            f"received {shapes[1]}; take both from one source"
        )
    if problems:
        raise InputError(*problems)
    x, y = (np.concatenate([arrays[name] for name in names]) for names in zip(*pairs, strict=True))
    return x, y, len(arrays[TEST[1]]) if TEST in pairs else 0


def find(folder: Path) -> dict[str, Path]:
    """Paths of those of the four files that `folder` holds, by their names in `TRAIN` and `TEST`.

    Each may end in `.gz`, and may have a dot before `idx` (`train-images.idx3-ubyte`), as some
    archives do. A folder that cannot be read holds nothing.

    Raises:
        InputError: if a file is there more than once, one line each.
    """
    try:
        there = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    except OSError:
        return {}
    files, problems = {}, []
    for name in TRAIN + TEST:
        dotted = name.replace("-idx", ".idx")
        spellings = (name, f"{name}.gz", dotted, f"{dotted}.gz")
        paths = [there[spelling] for spelling in spellings if spelling in there]
        if len(paths) > 1:
            received = " and ".join(path.name for path in paths)
            problems.append(f"{folder}: expected {name} once, received {received}; keep one")
        elif paths:
            files[name] = paths[0]
    if problems:
        raise InputError(*problems)
    return files


def file_content(path: Path) -> bytes:
    """The bytes of `path`.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: expected a file that can be read, received {error.strerror}; "
            "check its permissions"
        ) from None


def content(path: Path) -> bytes:
    """The bytes of `path`, see `unpacked`."""
    return unpacked(file_content(path), str(path))


def unpacked(packed: bytes, where: str) -> bytes:
    """`packed`, decompressed when it is gzip (whatever its name says).

    Raises:
        InputError: if the gzip is truncated or corrupt.
    """
    if not packed.startswith(b"\x1f\x8b"):
        return packed
    try:
        return gzip.decompress(packed)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{where}: expected a whole gzip file, received a truncated or corrupt one ({error}); "
            "fetch it again"
        ) from None


def array(content: bytes, where: Path, axes: int) -> NDArray[np.uint8]:
    """The array (read-only, uint8, `axes` axes) in the unpacked bytes of an IDX file.

    Raises:
        InputError: if the header does not say so, or the length differs from the header's.
    """
    start = 4 + 4 * axes
    header = bytes([0, 0, 8, axes])
    if content[:4] != header or len(content) < start:
        raise InputError(
            f"{where}: expected an IDX file that begins with {header.hex(' ')} (unsigned bytes, "
            f"axes: {axes}), received {content[:4].hex(' ') or 'nothing'} at the start of "
            f"{len(content)} bytes; fetch it again"
        )
    shape = tuple(int(length) for length in np.frombuffer(content, ">u4", axes, offset=4))
    if len(content) != start + math.prod(shape):
        raise InputError(
            f"{where}: expected {start + math.prod(shape)} bytes for shape {shape}, "
            f"received {len(content)}; fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
