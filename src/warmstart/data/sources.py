"""A name in `params.yaml` -> a dataset: one that everybody has, or the user's own files."""

import difflib
import io
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.config.params import KNOWN_CLASSES, Data
from warmstart.data import fashion_mnist, idx
from warmstart.data.dataset import Dataset, Told, from_arrays
from warmstart.data.official import SETS, joined
from warmstart.errors import InputError

# what NumPy and zipfile raise on bytes that are not what the headers promise
_CORRUPT = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    MemoryError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)
DIGITS = (
    "Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998), UCI Machine Learning "
    "Repository; its test set as scikit-learn bundles it"
)


def load(data: Data) -> Dataset:
    """The dataset called `data.name`: `digits`, `fashion_mnist`, or the files at `data.path`.

    Raises:
        InputError: one line per problem with the files.
    """
    where, source, licence = data.name, DIGITS, "CC BY 4.0"
    class_names = KNOWN_CLASSES.get(data.name)
    if data.name == "digits":
        # scikit-learn takes a second to import, and only this branch needs it
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        arrays: dict[str, Any] = {"x": x.reshape(-1, 8, 8), "y": y, "class_names": class_names}
    elif data.name == "fashion_mnist":
        x, y, n_test = fashion_mnist.read(Path(data.path))
        arrays = {"x": x, "y": y, "class_names": class_names, "n_test": n_test}
        source = "Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), Zalando Research"
        licence = "MIT, copyright 2017 Zalando SE"
    else:
        path = _file_or_folder(data)
        where = str(path)
        if idx.find(path):
            arrays = dict(zip(("x", "y", "n_test"), idx.read(path), strict=True))
        else:
            arrays = read_npz(path)
        source, licence = f"the user's files at {data.path}", "not stated: the user's"
    told = Told(
        task=data.task,
        columns=data.columns,
        group=data.group,
        order=data.order,
        test_fraction=data.test_fraction,
    )
    return from_arrays(
        **arrays, name=data.name, where=where, source=source, licence=licence, told=told
    )


def _file_or_folder(data: Data) -> Path:
    """The .npz at or in `data.path`, or `data.path` where it is a folder with IDX files.

    Raises:
        InputError: if neither is there, or more than one.
    """
    path = Path(data.path)
    try:
        if path.is_file():
            return path
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
    if npz or files:
        return npz[0] if npz else path
    close = difflib.get_close_matches(data.name, KNOWN_CLASSES, n=1)
    raise InputError(
        f"data.path: expected the files of data.name {data.name!r} (one .npz, or IDX files such "
        f"as {idx.TRAIN[0]}) at {path}, received {'none' if path.is_dir() else 'nothing there'}; "
        + (f"did you mean data.name {close[0]!r}?" if close else "see docs/data.md")
    )


def read_npz(path: Path) -> dict[str, Any]:
    """`x`, `y` and, if there, `class_names` of a .npz, or what `joined` makes of its SETS. Pickles
    are never loaded.

    Raises:
        InputError: with every array that is missing or cannot be read, one line each.
    """
    content = idx.file_content(path)
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise InputError(
            f"{path}: expected a .npz, received a file of another kind or a truncated one; "
            "write it with np.savez(path, x=x, y=y)"
        )
    arrays: dict[str, Any] = {}
    wanted: tuple[str, ...] = ("x", "y")
    problems: list[str] = []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            there = [name.removesuffix(".npy") for name in archive.namelist()]
            if not {"x", "y"} & {*there} and {*SETS} & {*there}:
                wanted = SETS
            for name in (*wanted, "class_names"):
                if name in there:
                    try:
                        arrays[name] = _member(archive, name)
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
    if wanted == SETS and not problems:
        arrays, problems = joined(arrays)
    if problems:  # each in one line, whatever a damaged file calls its arrays
        raise InputError(*(f"{path}: {' '.join(problem.split())}" for problem in problems))
    return arrays


def _member(archive: zipfile.ZipFile, name: str) -> NDArray:
    """The array called `name`, whose checksum is verified."""
    try:
        content = archive.read(f"{name}.npy")
        if not content.startswith(np.lib.format.MAGIC_PREFIX):
            raise InputError(
                f"{name}: expected an array, received other bytes; save it with np.savez"
            )
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
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
