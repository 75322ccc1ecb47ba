"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 70,000 images of clothes, local or downloaded."""

import hashlib
import io
import os
import tempfile
import textwrap
from dataclasses import replace
from pathlib import Path

from warmstart.config.data import KNOWN_CLASSES
from warmstart.data import reachable
from warmstart.data.readers import idx, packed
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where the package `dataset-fashion-mnist` of Debian and Ubuntu puts the files."""

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
"""Where `keras.datasets` downloads the files from, too."""

# of the unpacked bytes: distributors compress the same files anew
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def read(path: Path) -> Raw:
    """Images `(70000, 28, 28)` and labels `(70000,)`, training files before the 10,000 test images.

    Looks in `path`, in Debian's folder and in Keras's cache, and downloads the files otherwise.

    Raises:
        InputError: if files hold something else than Fashion-MNIST, or cannot be obtained.
    """
    lacking = []
    for place in (path, DEBIAN, keras_cache()):
        files = idx.find(place)
        if len(files) == len(SHA256):
            _verify(files)
            return _known(place)
        missing = [name for name in SHA256 if name not in files]
        lacking.append(f"{place}" + (f" (lacks {', '.join(missing)})" if files else ""))
    try:
        return _download()
    except (InputError, OSError, ValueError) as error:
        reason = str(error).rpartition("(Caused by ")[2]  # requests wraps it in two others
        raise InputError(
            f"data.name: expected Fashion-MNIST in {', '.join(lacking)} or by download, received "
            f"none (download: {textwrap.shorten(reason, 200, placeholder=' …')}); install the "
            "Debian or Ubuntu package dataset-fashion-mnist, or copy "
            f"{', '.join(f'{name}.gz' for name in SHA256)} to {path}, "
            "or run once on a machine with internet, or take data.name: digits"
        ) from None


def keras_cache() -> Path:
    """Keras's own folder for this dataset."""
    # os.path, since Path.expanduser raises for a user without a home
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")  # noqa: PTH111
    return Path(home) / "datasets" / "fashion-mnist"


def _verify(files: dict[str, Path]) -> None:
    problems: list[str] = []
    for name, expected in SHA256.items():
        try:
            received = hashlib.sha256(packed.content(files[name])).hexdigest()
        except InputError as error:
            problems += error.problems
            continue
        if received != expected:
            problems.append(
                f"{files[name]}: expected Fashion-MNIST, whose unpacked file has SHA-256 "
                f"{expected}, received {received}; remove it, or give data of your own another "
                "data.name"
            )
    if problems:
        raise InputError(*problems)


def _known(folder: Path) -> Raw:
    return replace(
        idx.read(folder),
        class_names=KNOWN_CLASSES["fashion_mnist"],
        where="fashion_mnist",
        source="Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), Zalando Research",
        licence="MIT, copyright 2017 Zalando SE",
    )


def _download() -> Raw:
    """As `read`, from pooch's cache where the files are there and whole.

    Raises:
        OSError, ValueError, InputError: if they cannot be had, or hold something else.
    """
    import pooch  # takes a moment to import, and only a download needs it

    with tempfile.TemporaryDirectory() as spare:
        folder = pooch.os_cache("warmstart") / "fashion-mnist"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:  # a cache that cannot be written: download again next time
            folder = Path(spare)
        for name, digest in SHA256.items():
            url = f"{URL}{name}.gz"
            pooch.retrieve(url, digest, fname=name, path=folder, downloader=_fetch)
        return _known(folder)


def _fetch(url: str, output_file: str, _: object) -> None:
    """Download the gzip file at `url` and unpack it to `output_file`, where pooch verifies it."""
    import pooch

    reachable.check(url)
    http = pooch.HTTPDownloader(timeout=reachable.TIMEOUT_SECONDS, stream=False)
    received = io.BytesIO()
    http(url, received, None)
    Path(output_file).write_bytes(packed.unpacked(received.getvalue(), url))
