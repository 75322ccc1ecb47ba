""".npz: arrays that NumPy saved, by name."""

import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from warmstart.config import limits
from warmstart.data.readers import packed
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

PAIR = ("x", "y")
SETS = ("x_train", "y_train", "x_test", "y_test")
"""Names of the arrays of two sets, as Keras's dataset files have them."""

# what NumPy and zipfile raise on bytes that are not what the headers promise
_CORRUPT = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


def read(path: Path) -> Raw:
    """`x` and `y`, or SETS, training before test, and, if there, `class_names`; capitals are as
    good. Pickles are never loaded.

    Raises:
        InputError: with every array that is missing or cannot be read, one line each.
    """
    arrays, problems = _arrays(path)
    if not problems and "x_train" in arrays:
        arrays, problems = _joined(arrays)
    if problems:  # each in one line, whatever a damaged file calls its arrays
        raise InputError(*(f"{path}: {' '.join(problem.split())}" for problem in problems))
    return Raw(**arrays, where=str(path), source=f"the user's file {path} (.npz)")


def _arrays(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The arrays that are wanted, by their names in small letters, and what is wrong."""
    arrays: dict[str, Any] = {}
    problems: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            there = [name.removesuffix(".npy") for name in archive.namelist()]
            # an array that has the very name comes before one in other letters
            known = {name.lower(): name for name in reversed(there)}
            known |= {name: name for name in there}
            wanted = SETS if {*SETS} & {*known} and not {*PAIR} & {*known} else PAIR
            for name in (*wanted, "class_names"):
                if name in known:
                    try:
                        arrays[name] = _member(archive, known[name])
                    except InputError as error:
                        problems += error.problems
                elif name != "class_names":
                    problems.append(
                        f"{name}: expected an array of this name, received "
                        f"{', '.join(there) or 'none'}; write it with np.savez(path, "
                        f"{', '.join(f'{each}={each}' for each in wanted)})"
                    )
    except _CORRUPT as error:
        problems.append(f"expected a whole .npz, received a corrupt one ({error}); save it again")
    return arrays, problems


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """The array called `name`, whose checksum is verified, in the byte order of the machine."""
    try:
        member = archive.getinfo(f"{name}.npy")
        packed.check_size(member.file_size, name)
        packed.check_ratio(member.file_size, member.compress_size, name)
        with archive.open(member) as file:
            start = file.read(len(np.lib.format.MAGIC_PREFIX))
        if start != np.lib.format.MAGIC_PREFIX:
            raise InputError(
                f"{name}: expected an array, received other bytes; save it with np.savez"
            )
        with archive.open(member) as file:
            _check_header(file, member.file_size)
        with archive.open(member) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
            if file.read(1):  # at the end the checksum is compared
                raise ValueError("bytes beyond its end")
    except _CORRUPT as error:
        if "allow_pickle" in str(error):
            raise InputError(
                f"{name}: expected numbers or text, received Python objects (a pickle), which are "
                "never loaded; save it with a plain dtype, such as y.astype(str)"
            ) from None
        raise InputError(
            f"{name}: expected a whole array, received a corrupt one "
            f"({str(error) or type(error).__name__}); save it again"
        ) from None
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _check_header(file: IO[bytes], size: int) -> None:
    """Refuse a header that promises something else than there is, before NumPy makes room for it.

    Raises:
        ValueError: with what is wrong.
    """
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(file)
    if version not in headers:
        raise ValueError(f"format {version}")
    shape, _, kind = headers[version](file)
    if kind.hasobject:
        return  # NumPy's own line
    wrong = any(type(length) is not int or length < 0 for length in shape)
    if wrong or len(shape) > limits.AXES:
        raise ValueError(f"shape {shape}")
    there = size - file.tell()
    if kind.itemsize == 0 or math.prod(shape) * kind.itemsize != there:
        raise ValueError(f"{there:,} bytes for shape {shape} of {kind}")


def _joined(arrays: Mapping[str, NDArray[Any]]) -> tuple[dict[str, Any], list[str]]:
    """`x`, `y` and `n_test` of both sets, and what keeps them from being one."""
    xs, ys = ([arrays[f"{kind}_{part}"] for part in ("train", "test")] for kind in "xy")
    problems = []
    for part, x, y in zip(("train", "test"), xs, ys, strict=True):
        if x.ndim < 2 or x.size == 0:
            problems.append(
                f"x_{part}: expected shape (samples, features, …), none of them 0, received "
                f"{x.shape}; reshape it"
            )
        if y.ndim != 1 or y.size == 0:
            problems.append(
                f"y_{part}: expected one label per sample, shape (samples,), received {y.shape}; "
                f"y_{part}.ravel() flattens a column, y_{part}.argmax(axis=1) a one-hot table"
            )
        elif x.ndim and len(x) != len(y):
            problems.append(
                f"x_{part} and y_{part}: expected one label per sample, received {len(x)} samples "
                f"and {len(y)} labels; make them equal"
            )
    if not problems and xs[0].shape[1:] != xs[1].shape[1:]:
        problems.append(
            f"x_test: expected samples of the shape {xs[0].shape[1:]}, as in x_train, received "
            f"{xs[1].shape[1:]}; take both from one source"
        )
    for called, pair in (("x", xs), ("y", ys)):
        kinds = ["text" if each.dtype.kind in "US" else "numbers" for each in pair]
        if kinds[0] != kinds[1]:
            problems.append(
                f"{called}_test: expected {kinds[0]}, as in {called}_train, received {kinds[1]}; "
                "convert one of them"
            )
    if problems:
        return {}, problems
    others = {name: array for name, array in arrays.items() if name not in SETS}
    return others | {"x": np.concatenate(xs), "y": _labels(ys), "n_test": len(ys[1])}, []


def _labels(ys: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Both together, integers as integers: NumPy joins signed and unsigned ones to floats."""
    if all(y.dtype.kind in "iu" for y in ys) and np.result_type(*ys).kind == "f":
        ys = [y.astype(np.uint64 if min(y.min() for y in ys) >= 0 else np.int64) for y in ys]
    return np.concatenate(ys)
