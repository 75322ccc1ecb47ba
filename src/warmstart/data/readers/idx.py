"""IDX, the format of MNIST and its kin: a short header, then the values.

Header: two zero bytes, the type (8: unsigned byte, 13: float, …), the number of axes, and the
length of each axis as a 32-bit integer; all numbers are big-endian.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.config import limits
from warmstart.data.readers import packed
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""What each code of a type means to NumPy."""

_NAME = re.compile(r"(?:.+-)?(train|t10k|test)-(images|labels)[-.]idx\d-\w+?(?:\.gz)?")


def read(folder: Path) -> Raw:
    """The training images `(n, height, width)` or `(n, height, width, 3)`, followed by the test
    images if there are any, in the type of the files, and their labels.

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
    arrays: dict[str, NDArray[Any]] = {}
    for name, path in files.items():
        try:
            arrays[name] = array(packed.content(path), path)
            problems += _axes_problems(arrays[name], name, path)
        except InputError as error:
            problems += error.problems
    pairs = [p for p in (TRAIN, TEST) if p[0] in arrays and p[1] in arrays]
    for images, labels in pairs:
        if len(arrays[images]) != len(arrays[labels]):
            problems.append(
                f"{folder}: expected a label per image, received {len(arrays[images])} in "
                f"{files[images].name} and {len(arrays[labels])} in {files[labels].name}; take "
                "both from one source"
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
    return Raw(
        x=x,
        y=y,
        n_test=len(arrays[TEST[1]]) if TEST in pairs else 0,
        where=str(folder),
        source=f"the user's files in {folder} (IDX)",
    )


def find(folder: Path) -> dict[str, Path]:
    """Paths of those of the four files that `folder` holds, by their names in `TRAIN` and `TEST`.

    Each may end in `.gz`, have a dot before `idx` (`train-images.idx3-ubyte`), other axes and
    another type in its name, something before it (`emnist-letters-train-…`), and `test` in place
    of `t10k`, as some archives do. A folder that cannot be read holds nothing.

    Raises:
        InputError: if a file is there more than once, one line each.
    """
    found: dict[str, list[Path]] = {name: [] for name in TRAIN + TEST}
    try:
        there = [path for path in packed.entries(folder) if path.is_file()]
    except OSError:
        return {}
    for path in there:
        if match := _NAME.fullmatch(path.name):
            pair = TRAIN if match[1] == "train" else TEST
            found[pair[match[2] == "labels"]].append(path)
    if twice := {name: paths for name, paths in found.items() if len(paths) > 1}:
        raise InputError(
            *(
                f"{folder}: expected {name} once, received "
                f"{' and '.join(path.name for path in paths)}; keep one"
                for name, paths in twice.items()
            )
        )
    return {name: paths[0] for name, paths in found.items() if paths}


def array(content: bytes, where: Path) -> NDArray[Any]:
    """The array in the unpacked bytes of an IDX file, in the byte order of the machine.

    Raises:
        InputError: if the header is none, or the length differs from the header's.
    """
    code, axes = content[2:4] if len(content) >= 4 else (0, 0)
    start = 4 + 4 * axes
    known = content[:2] == b"\0\0" and code in TYPES and 1 <= axes <= limits.AXES
    if not known or len(content) < start:
        raise InputError(
            f"{where}: expected an IDX file that begins with 00 00, one of "
            f"{', '.join(f'{code:02x}' for code in TYPES)} and the number of axes, at most "
            f"{limits.AXES}, received {content[:4].hex(' ') or 'nothing'} at the start of "
            f"{len(content)} bytes; fetch it again"
        )
    kind = np.dtype(TYPES[code])
    shape = tuple(int(length) for length in np.frombuffer(content, ">u4", axes, offset=4))
    expected = start + math.prod(shape) * kind.itemsize
    if len(content) != expected:
        raise InputError(
            f"{where}: expected {expected} bytes for shape {shape} of {kind.name}, received "
            f"{len(content)}; fetch it again"
        )
    values = np.frombuffer(content, kind, offset=start).reshape(shape)
    return values.astype(kind.newbyteorder("="), copy=False)


def _axes_problems(values: NDArray[Any], name: str, path: Path) -> list[str]:
    if "labels" in name and values.ndim != 1:
        return [
            f"{path}: expected a label per image, 1 axis, received {values.ndim}; fetch it again"
        ]
    if "images" in name and values.ndim < 2:
        return [f"{path}: expected images, 2 axes or more, received 1; fetch it again"]
    return []
