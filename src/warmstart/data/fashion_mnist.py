"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 70,000 images of clothes, found or downloaded."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warmstart.data import idx
from warmstart.errors import InputError
from warmstart.files import replacing

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where the package `dataset-fashion-mnist` of Debian and Ubuntu puts the files."""

# of the unpacked bytes: distributors compress the same files anew
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

STALL_SECONDS = 20.0
"""A download that brings nothing for so long is given up. Keras imports within five."""

_DOWNLOAD = (
    sys.executable,
    "-c",
    "from keras.datasets import fashion_mnist; fashion_mnist.load_data()",
)


def read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images `(70000, 28, 28)` and labels `(70000,)`, training files before test files.

    Looks in `path`, in Debian's folder, in Keras's cache, and lets Keras download them else.

    Raises:
        InputError: when files have another content than Fashion-MNIST's, or are to be had nowhere.
    """
    places = (path, DEBIAN, keras_cache())
    lacking = []
    for place in places:
        files = idx.find(place)
        if len(files) == len(SHA256):
            return _verified(place, files)
        missing = [name for name in SHA256 if name not in files]
        lacking.append(f"{place}" + (f" (lacks {', '.join(missing)})" if files else ""))
    with tempfile.TemporaryDirectory() as home:
        reason = _download(Path(home))
        folder = Path(home) / "datasets" / "fashion-mnist"
        files = idx.find(folder)
        if not reason and len(files) == len(SHA256):
            try:
                arrays = _verified(folder, files)
            except InputError:
                reason = "what came is not Fashion-MNIST"
            else:
                _keep(files)
                return arrays
    raise InputError(
        f"data.name: expected Fashion-MNIST in {', '.join(lacking)} or by download, received none "
        f"(download: {reason or 'incomplete'}); install the Debian or Ubuntu package "
        f"dataset-fashion-mnist, or copy {', '.join(f'{name}.gz' for name in SHA256)} to {path}, "
        "or run once on a machine with internet, or take data.name: digits"
    )


def keras_cache() -> Path:
    """Keras's own folder for this dataset."""
    # os.path, since Path.expanduser raises for a user without a home
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")  # noqa: PTH111
    return Path(home) / "datasets" / "fashion-mnist"


def _keep(files: dict[str, Path]) -> None:
    """Copy what was downloaded and verified to Keras's cache."""
    with contextlib.suppress(OSError):  # a cache that cannot be written: download again next time
        for file in files.values():
            with replacing(keras_cache() / file.name) as unfinished:
                shutil.copyfile(file, unfinished)


def _verified(folder: Path, files: dict[str, Path]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    contents: dict[str, bytes] = {}
    problems: list[str] = []
    for name, expected in SHA256.items():
        try:
            contents[name] = idx.content(files[name])
        except InputError as error:
            problems += error.problems
            continue
        received = hashlib.sha256(contents[name]).hexdigest()
        if received != expected:
            problems.append(
                f"{files[name]}: expected Fashion-MNIST, whose unpacked file has SHA-256 "
                f"{expected}, received {received}; remove it, or give data of your own another "
                "data.name"
            )
    if problems:
        raise InputError(*problems)
    images, labels = (
        np.concatenate([idx.array(contents[n], folder / n, axes) for n in pair])
        for pair, axes in zip(zip(idx.TRAIN, idx.TEST, strict=True), (3, 1), strict=True)
    )
    return images, labels


def _download(home: Path) -> str:
    """Have Keras download the files below `home`; why that failed, or nothing.

    In a process of its own: a network that swallows packets holds Keras for minutes (it sets no
    timeout, and tries each address in turn), and a process can be ended. Below a folder of its
    own: Keras takes the stump that a broken download left in its cache for the file.
    """
    user = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")  # noqa: PTH111
    with contextlib.suppress(OSError):  # names the backend, which Keras imports even for data
        shutil.copyfile(Path(user) / "keras.json", home / "keras.json")
    print("downloading Fashion-MNIST (31 MB) …", file=sys.stderr, flush=True)
    with (home / "log").open("w+", encoding="utf-8") as log:
        with subprocess.Popen(
            _DOWNLOAD,
            env=os.environ | {"KERAS_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as child:
            try:
                if not _finishes(child, home):
                    return f"nothing came for {STALL_SECONDS:g} seconds"
            finally:
                child.kill()
        if child.returncode == 0:
            return ""
        log.seek(0)
        lines = [line.strip() for line in log if line.strip()]
    return lines[-1] if lines else f"Keras ended with status {child.returncode}"


def _finishes(child: subprocess.Popen, home: Path) -> bool:
    """Wait for `child` as long as the files below `home` grow."""
    size, deadline = -1, time.monotonic() + STALL_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=0.2)
            return True
        with contextlib.suppress(FileNotFoundError):  # Keras removes what it could not finish
            now = sum(p.stat().st_size for p in (home / "datasets").rglob("*"))
            if now != size:
                size, deadline = now, time.monotonic() + STALL_SECONDS
    return False
