"""Files that promise more than they hold, or unpack to more than they should."""

import gzip
import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from warmstart.config import limits
from warmstart.config.data import Data
from warmstart.data.sources import load
from warmstart.errors import InputError


def refused(path: Path, **more: object) -> str:
    parts = {"validation_fraction": 0.2, "test_fraction": 0.2}
    with pytest.raises(InputError) as error:
        load(Data(name="mine", path=str(path), **parts, **more))
    return error.value.problems[0]


def npy(header: str) -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + b"\0" * 64


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("'<f8'", f"({10**30},)"),
        ("'<f8'", f"({2**40}, 8)"),
        ("'<f8'", "(-8,)"),
        ("'<f8'", "(8, True)"),
        ("'<f8'", "(8.0,)"),
        ("'<f8'", f"({'1, ' * 70}8)"),
        ("'|S0'", f"({10**15},)"),
        ("'<f8'", f"{'(' * 500}8{')' * 500}"),
        ("'<f8'", f"{'-' * 5_000}8"),
    ],
)
def test_a_header_of_an_array(kind: str, shape: str, tmp_path: Path) -> None:
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n"
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("x.npy", npy(header))
    assert "x: expected a whole array, received a corrupt one (" in refused(tmp_path / "mine.npz")


def test_room_is_made_for_what_is_there(tmp_path: Path) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (10000000, 8), }\n"
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("x.npy", npy(header))
    words = "(64 bytes for shape (10000000, 8) of float64); save it again"
    assert words in refused(tmp_path / "mine.npz")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATIO_BYTES", 1_000_000)


@pytest.mark.usefixtures("small")
def test_what_unpacks_to_far_more(tmp_path: Path) -> None:
    (tmp_path / "mine.csv.gz").write_bytes(gzip.compress(b"a,y\n" + b"1,p\n2,q\n" * 500_000))
    words = "expected what is packed to have at most 100 times its size, received 0.0"
    assert words in refused(tmp_path / "mine.csv.gz", target="y")
    np.savez_compressed(tmp_path / "mine.npz", x=np.zeros((1_000, 2_000), np.uint8), y=np.ones(9))
    assert words in refused(tmp_path / "mine.npz")


def test_an_image_of_ten_thousand_million_pixels(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    for name, side in (("a", 100_000), ("b", 8_000)):
        (tmp_path / name).mkdir()
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
        (tmp_path / name / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    line = refused(tmp_path)
    assert "a/1.png (Image size (10000000000 pixels) exceeds limit" in line
    assert "b/1.png (8000 × 8000 pixels, more than 50,000,000: make it smaller)" in line


def test_pipes_devices_and_links_to_themselves_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mine.csv")
    assert "received a pipe, a device or the like" in refused(tmp_path / "mine.csv")
    assert "received none" in refused(tmp_path)
    assert "received a pipe, a device or the like" in refused(Path("/dev/zero"))
    (tmp_path / "self").symlink_to("self")
    assert "received nothing there" in refused(tmp_path / "self")


def test_tables_too_wide_and_lines_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("x" * 1_000_001)
    assert "lines of at most 1,000,000 characters" in refused(path, target="y")
    path.write_text(f"{'x' * 1_001},y\n1,p\n")
    assert "names of columns of at most 1,000 characters, received 1,001" in refused(path)
    monkeypatch.setattr(limits, "COLUMNS", 3)
    path.write_text("a,b,c,y\n1,2,3,p\n")
    assert "expected at most 3 columns, received 4" in refused(path)
    arff = tmp_path / "mine.arff"
    arff.write_text("@relation r\n" + "@attribute a numeric\n" * 50_000)
    assert "at most 1,000,000 characters before the line @data" in refused(arff, target="y")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["p\x1b[2J", "q"], r"without control characters, received 'p\x1b[2J'"),
        (["p" * 10**5, "q"], "names of classes of at most 250 characters, received 100,000"),
        ([f"of {n}" for n in range(100_000)], "at most 1,000 classes, received 100,000"),
    ],
)
def test_names_of_classes(names: list[str], words: str, tmp_path: Path) -> None:
    y, buffer = np.array(names * (30 if len(names) == 2 else 1), object).astype(str), io.BytesIO()
    np.savez(buffer, x=np.zeros((len(y), 2)), y=y)
    (tmp_path / "mine.npz").write_bytes(buffer.getvalue())
    assert words in refused(tmp_path / "mine.npz")
