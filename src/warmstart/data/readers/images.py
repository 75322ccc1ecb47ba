"""Images in folders, one folder per class; Pillow reads them."""

import struct
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from warmstart.config import limits
from warmstart.config.data import Data
from warmstart.data.readers import packed
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError
from warmstart.progress import Bar

_FORMATS = ("PNG", "JPEG")
_GREY, _DEEP = {"1", "L", "LA"}, {"I;16", "I"}
_BYTES = {"L": 1, "I;16": 2, "RGB": 3}  # a pixel, in the modes that arrays are made of
_SWAPPED = (5, 6, 7, 8)  # orientations of EXIF that lie on their side
_SHOWN = 5  # files named before it is said how many more there are
# what Pillow raises on bytes that are not what the headers promise
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def find(folder: Path) -> list[Path]:
    """The folders of the classes in `folder`: all in it, if one has a PNG or a JPEG by its name.
    A folder that cannot be read has none."""
    try:
        there = packed.entries(folder)
        inside = [path for path in there if path.is_dir() and not path.name.startswith(".")]
        return inside if any(map(is_image, (f for p in inside for f in p.iterdir()))) else []
    except OSError:
        return []


def is_image(path: Path) -> bool:
    return path.suffix.lower() in (".png", ".jpg", ".jpeg") and not path.name.startswith(".")


def read(folder: Path, data: Data) -> Raw:
    """The images as `(n, height, width)` if all are grey, else `(n, height, width, 3)`, uint8 (of
    16 bits: uint16), upright, of the size `data.image_size`, or the one they all have. Classes are
    the names of the folders. What is transparent lies on white.

    Raises:
        InputError: with what is wrong with the files, one line each.
    """
    classes, problems = find(folder), []
    if len(classes) < 2:
        problems.append(
            f"{folder}: expected a folder for each of two classes or more, received "
            f"{', '.join(each.name for each in classes)} only; add another"
        )
    files: list[Path] = []
    labels: list[int] = []
    for label, each in enumerate(classes):
        inside = [path for path in packed.entries(each) if not _is_left_behind(path)]
        own = [path for path in inside if path.is_file()]
        if other := [path for path in inside if not path.is_file()]:
            problems.append(
                f"{each}: expected images, received {_kind_of(other)} in it "
                f"({_some(other, each)}); move their images one level up"
            )
        elif not own:
            problems.append(f"{each}: expected images of this class, received none; remove it")
        files += own
        labels += [label] * len(own)
    if astray := [path for path in packed.entries(folder) if path.is_file() and is_image(path)]:
        problems.append(
            f"{folder}: expected every image in the folder of its class, received "
            f"{_some(astray, folder)} outside; move them"
        )
    sizes, modes, unreadable = _headers(files)
    if unreadable:
        problems.append(_unreadable_line(folder, unreadable))
    if modes & _DEEP and not modes <= _DEEP:
        problems.append(
            f"{folder}: expected images of 16 bits a pixel alone, or none of them, received both "
            f"({', '.join(sorted(modes))}); convert one kind"
        )
    mode = "L" if modes <= _GREY else "I;16" if modes <= _DEEP else "RGB"
    problems += _size_problems(folder, sizes, mode, data)
    if problems:
        raise InputError(*problems)
    size = data.image_size or next(iter(sizes))
    x = _pixels(folder, files, size, mode)
    said = f"{len(files)} images in the user's folder {data.path}, {size[0]} × {size[1]} pixels"
    y, names = np.array(labels, np.int32), tuple(each.name for each in classes)
    return Raw(x=x, y=y, class_names=names, where=str(folder), source=said)


def _kind_of(paths: list[Path]) -> str:
    return "folders" if any(path.is_dir() for path in paths) else "pipes, devices or the like"


def _is_left_behind(path: Path) -> bool:
    """By a system that looked at the folder."""
    return path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini")


def _headers(
    files: list[Path],
) -> tuple[dict[tuple[int, int], list[Path]], set[str], dict[Path, str]]:
    """Files by the height and width of their image, the modes there are, and what is unreadable,
    with the reason; no pixel is unpacked."""
    sizes: dict[tuple[int, int], list[Path]] = {}
    modes: set[str] = set()
    unreadable: dict[Path, str] = {}
    for path in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                opened = Image.open(path, formats=_FORMATS)
            with opened as image:
                width, height = image.size
                if width * height > limits.PIXELS:
                    raise ValueError(
                        f"{width} × {height} pixels, more than {limits.PIXELS:,}: make it smaller"
                    )
                if image.getexif().get(0x0112) in _SWAPPED:
                    width, height = height, width
                sizes.setdefault((height, width), []).append(path)
                modes.add(image.mode)
        except _UNREADABLE as error:
            unreadable[path] = _reason(error)
    return sizes, modes, unreadable


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "neither PNG nor JPEG"
    return " ".join(str(error).split()) or type(error).__name__


def _size_problems(
    folder: Path, sizes: dict[tuple[int, int], list[Path]], mode: str, data: Data
) -> Iterator[str]:
    if len(sizes) > 1 and data.image_size is None:
        counts = Counter({size: len(paths) for size, paths in sizes.items()}).most_common(_SHOWN)
        shown = ", ".join(
            f"{height} × {width} ({count}, as {sizes[height, width][0].relative_to(folder)})"
            for (height, width), count in counts
        )
        yield (
            f"data.image_size: expected [height, width], since the images in {folder} have "
            f"{len(sizes)} sizes, received null for {shown}; choose a size to make them all"
        )
    elif sizes:
        height, width = data.image_size or next(iter(sizes))
        try:
            count = sum(map(len, sizes.values()))
            packed.check_size(count * height * width * _BYTES[mode], folder)
        except InputError as error:
            yield from error.problems


def _pixels(folder: Path, files: list[Path], size: tuple[int, int], mode: str) -> NDArray[Any]:
    """All images, upright, of one size and one mode."""
    x = np.empty(
        (len(files), *size, *([3] if mode == "RGB" else [])),
        np.uint16 if mode == "I;16" else np.uint8,
    )
    unreadable: dict[Path, str] = {}
    for place, path in enumerate(Bar.over(files, "reading images", "images", delay=1)):
        try:
            with Image.open(path, formats=_FORMATS) as image:
                image.verify()  # a PNG's checksums, at which decoding does not look
            with Image.open(path, formats=_FORMATS) as image:
                upright = _on_white(ImageOps.exif_transpose(image)).convert(mode)
        except _UNREADABLE as error:
            unreadable[path] = _reason(error)
            continue
        if upright.size != (size[1], size[0]):
            upright = upright.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        x[place] = np.asarray(upright)
    if unreadable:
        raise InputError(_unreadable_line(folder, unreadable))
    return x


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    opaque = Image.new("RGBA", image.size, "white")
    opaque.alpha_composite(image.convert("RGBA"))
    return opaque.convert("L" if image.mode in _GREY else "RGB")


def _unreadable_line(folder: Path, unreadable: dict[Path, str]) -> str:
    shown = [f"{path.relative_to(folder)} ({reason})" for path, reason in unreadable.items()]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return (
        f"{folder}: expected PNG or JPEG images that can be read, received "
        f"{', '.join(shown[:_SHOWN])}{more}; mend or remove them"
    )


def _some(paths: list[Path], folder: Path) -> str:
    shown = ", ".join(str(path.relative_to(folder)) for path in paths[:_SHOWN])
    return shown + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
