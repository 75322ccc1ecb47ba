"""Folders of images: every pixel at its place, every file accounted for."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from warmstart.config import limits
from warmstart.config.data import Data
from warmstart.data.readers import images
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 3, 5)).astype(np.uint8)


def save(folder: Path, name: str, pixels: np.ndarray, **more: object) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **more)
    return path


def read(folder: Path, size: tuple[int, int] | None = None) -> Raw:
    parts = {"validation_fraction": 0.2, "test_fraction": 0.2}
    return images.read(folder, Data(name="m", path=str(folder), image_size=size, **parts))


def refused(folder: Path, size: tuple[int, int] | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(folder, size)
    assert not any("\n" in line for line in caught.value.problems)
    return [line.replace(f"{folder}", "F") for line in caught.value.problems]


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """Two classes of two grey images of 3 × 5 pixels."""
    folder = tmp_path / "grey"
    for place, name in enumerate(("b/1.png", "b/2.png", "10/z.PNG", "10/a.png")):
        save(folder, name, PIXELS[place])
    return folder


def test_grey_images_sorted_by_class_and_name(grey: Path) -> None:
    for left_behind in ("b/.DS_Store", "b/Thumbs.db", "README.md", ".hidden/x.png"):
        (grey / left_behind).parent.mkdir(exist_ok=True)
        (grey / left_behind).write_text("nothing")
    raw = read(grey)
    assert raw.x.dtype == np.uint8
    assert raw.x.tolist() == PIXELS[[3, 2, 0, 1]].tolist()
    assert (raw.class_names, raw.y.tolist()) == (("10", "b"), [0, 0, 1, 1])


def test_one_image_of_colour_makes_all_so(grey: Path) -> None:
    colour = np.stack([PIXELS[0], PIXELS[1], PIXELS[2]], axis=2)
    save(grey, "b/3.png", colour)
    raw = read(grey)
    assert raw.x.shape == (5, 3, 5, 3)
    assert raw.x[4].tolist() == colour.tolist()
    assert raw.x[0].tolist() == np.repeat(PIXELS[3][:, :, None], 3, axis=2).tolist()


def test_the_camera_was_held_on_its_side(tmp_path: Path) -> None:
    stored = np.zeros((16, 32), np.uint8)
    stored[:, :16] = 255  # a JPEG keeps large areas
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: what lies left is on top
    for name in ("a", "b"):
        save(tmp_path, f"{name}/1.jpg", stored, exif=exif)
    x = read(tmp_path).x
    assert x.shape == (2, 32, 16)
    assert x[:, :16].min() > 200
    assert x[:, 16:].max() < 50


def test_images_of_other_sizes_are_resized_if_told(grey: Path) -> None:
    save(grey, "b/3.png", np.full((6, 10), 77, np.uint8))
    (line,) = refused(grey)
    assert line == (
        "data.image_size: expected [height, width], since the images in F have 2 sizes, received "
        "null for 3 × 5 (4, as 10/a.png), 6 × 10 (1, as b/3.png); choose a size to make them all"
    )
    raw = read(grey, (3, 5))
    assert raw.x[:4].tolist() == PIXELS[[3, 2, 0, 1]].tolist()  # those that have it stay
    assert raw.x[4].tolist() == np.full((3, 5), 77).tolist()
    assert read(grey, (2, 7)).x.shape == (5, 2, 7)


def test_sixteen_bits_stay(tmp_path: Path) -> None:
    deep = PIXELS.astype(np.uint16) * 257
    for place, name in enumerate(("a/1.png", "b/1.png")):
        save(tmp_path, name, deep[place])
    raw = read(tmp_path)
    assert (raw.x.dtype, raw.x.tolist()) == (np.uint16, deep[:2].tolist())
    save(tmp_path, "b/2.png", PIXELS[0])
    (line,) = refused(tmp_path)
    assert "expected images of 16 bits a pixel alone, or none of them, received both" in line


def test_palettes_bits_and_what_is_transparent(tmp_path: Path) -> None:
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, 0] = (10, 20, 30, 255)
    save(tmp_path, "a/clear.png", clear)
    palette = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), mode=None).convert("P")
    palette.putpalette([1, 2, 3, 4, 5, 6])
    (tmp_path / "b").mkdir()
    palette.save(tmp_path / "b/palette.png")
    raw = read(tmp_path)
    assert raw.x[0].tolist() == [[[10, 20, 30], [255] * 3], [[255] * 3, [255] * 3]]
    assert raw.x[1].tolist() == [[[1, 2, 3], [4, 5, 6]], [[4, 5, 6], [1, 2, 3]]]
    bits = tmp_path / "bits"
    for name in ("a/1.png", "b/1.png"):
        save(bits, name, np.array([[True, False]]))
    assert read(bits).x.tolist() == [[[255, 0]], [[255, 0]]]


def test_grey_with_transparency_and_what_is_meant_for_print(tmp_path: Path) -> None:
    grey = np.array([[[100, 255], [100, 0]]], np.uint8)
    for name in ("a/1.png", "b/1.png"):
        save(tmp_path / "grey", name, grey)
    assert read(tmp_path / "grey").x.tolist() == [[[100, 255]]] * 2
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[..., 0] = 255  # cyan alone takes all red away
    for name in ("a", "b"):
        (tmp_path / "print" / name).mkdir(parents=True)
        Image.fromarray(inks, "CMYK").save(tmp_path / "print" / name / "1.jpg", quality=100)
    x = read(tmp_path / "print").x.astype(int)
    assert x.shape == (2, 8, 8, 3)
    assert np.abs(x - [0, 255, 255]).max() <= 3


def test_all_that_is_wrong_with_a_folder(grey: Path) -> None:
    (grey / "b/notes.txt").write_text("not an image")
    whole = (grey / "b/2.png").read_bytes()
    (grey / "b/2.png").write_bytes(whole[:20])
    (grey / "10/deeper").mkdir()
    (grey / "empty").mkdir()
    save(grey, "stray.jpg", PIXELS[0])
    assert refused(grey) == [
        "F/10: expected images, received folders in it (deeper); move their images one level up",
        "F/empty: expected images of this class, received none; remove it",
        "F: expected every image in the folder of its class, received stray.jpg outside; move them",
        "F: expected PNG or JPEG images that can be read, received b/2.png (Truncated File Read), "
        "b/notes.txt (neither PNG nor JPEG); mend or remove them",
    ]


def test_one_class_and_pixels_that_are_damaged(grey: Path) -> None:
    path = grey / "b/2.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"IDAT") + 8])
    (line,) = refused(grey)
    assert line.startswith("F: expected PNG or JPEG images that can be read, received b/2.png (")
    for each in (grey / "b").iterdir():
        each.unlink()
    (grey / "b").rmdir()
    (line,) = refused(grey)
    assert line == (
        "F: expected a folder for each of two classes or more, received 10 only; add another"
    )


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is so large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_500, 60_000])  # Pillow warns of one and refuses the other
def test_an_image_that_unpacks_to_too_much_is_named(grey: Path, side: int) -> None:
    (grey / "b/bomb.png").write_bytes(bomb(side, side))
    (line,) = refused(grey, (3, 5))
    assert "received b/bomb.png (" in line


def test_all_together_may_be_too_much(grey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GIGABYTES", 0.01)
    assert read(grey, (1000, 1000)).x.nbytes == 4e6
    save(grey, "b/3.png", np.zeros((3, 5, 3), np.uint8))
    (line,) = refused(grey, (1000, 1000))
    assert "F: expected at most 0.01 GB once it is unpacked, received 0.015 GB" in line
