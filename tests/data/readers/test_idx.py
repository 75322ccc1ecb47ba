"""The IDX reader against bytes written by hand."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from warmstart.data.readers import idx, packed
from warmstart.errors import InputError

# two images of 2 rows and 3 columns
IMAGES = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(12)])
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 255])


def test_reads_images_row_by_row() -> None:
    read = idx.array(IMAGES, Path("f"))

    assert read.dtype == np.uint8
    assert read.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


def test_reads_labels_beyond_127() -> None:
    assert idx.array(LABELS, Path("f")).tolist() == [7, 255]


@pytest.mark.parametrize(
    ("code", "kind"), [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
)
def test_every_type_in_the_byte_order_of_the_machine(code: int, kind: str) -> None:
    values = [[1, -2, 3], [100, 7, 127]] if kind != "u1" else [[1, 254, 3], [100, 7, 127]]
    content = bytes([0, 0, code, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + np.array(values, kind).tobytes()

    read = idx.array(content, Path("f"))

    assert read.tolist() == values
    assert read.dtype == np.dtype(kind).newbyteorder("=")
    assert read.dtype.isnative


def write(folder: Path, name: str, array: np.ndarray, code: int = 8) -> None:
    lengths = np.array(array.shape, ">u4").tobytes()
    (folder / name).write_bytes(bytes([0, 0, code, array.ndim]) + lengths + array.tobytes())


def test_images_of_colour_and_floats_with_names_of_other_archives(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(5, 4, 3, 3)).astype(">f4")
    write(tmp_path, "mine-train-images-idx4-float", x[:3], 13)
    write(tmp_path, "mine-train-labels-idx1-int", np.array([300, -1, 300], ">i4"), 12)
    write(tmp_path, "mine-test-images.idx4-float", x[3:], 13)
    write(tmp_path, "mine-test-labels.idx1-int", np.array([-1, 300], ">i4"), 12)

    raw = idx.read(tmp_path)

    assert raw.x.dtype == np.float32
    assert raw.x.tolist() == x.tolist()
    assert (raw.y.tolist(), raw.n_test) == ([300, -1, 300, -1, 300], 2)


def test_labels_with_two_axes_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "train-images-idx3-ubyte", np.zeros((2, 2, 2), np.uint8))
    write(tmp_path, "train-labels-idx2-int", np.zeros((2, 8), ">i4"), 12)

    with pytest.raises(InputError, match="expected a label per image, 1 axis, received 2"):
        idx.read(tmp_path)


@pytest.mark.parametrize("name", ["plain", "packed.gz", "packed-but-called-plain"])
def test_unpacks_by_content_and_not_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(LABELS if name == "plain" else gzip.compress(LABELS, mtime=0))

    assert packed.content(path) == LABELS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begins with 00 00, one of 08, 09, 0b, 0c, 0d, 0e and .*received nothing"),
        (b"PK\x03\x04 and so on", "received 50 4b 03 04"),
        (bytes([0, 0, 10, 1, 0, 0, 0, 0]), "received 00 00 0a 01"),
        (bytes([0, 0, 8, 0]), "received 00 00 08 00"),
        (LABELS[:6], "start of 6 bytes"),
        (LABELS[:-1], r"expected 10 bytes for shape \(2,\) of uint8, received 9"),
        (IMAGES + b"!", r"expected 28 bytes for shape \(2, 2, 3\) of uint8, received 29"),
    ],
)
def test_a_wrong_file_is_one_line(content: bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        idx.array(content, Path("the-file"))

    (problem,) = caught.value.problems
    assert problem.startswith("the-file: ")
    assert re.search(words, problem)


@pytest.mark.parametrize(
    "broken", [gzip.compress(LABELS, mtime=0)[:-9], gzip.compress(LABELS, mtime=0)[:-8] + bytes(8)]
)
def test_a_broken_gzip_is_one_line(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "broken.gz").write_bytes(broken)

    with pytest.raises(
        InputError, match=r"broken.gz: expected a whole gzip file, .*fetch it again"
    ):
        packed.content(tmp_path / "broken.gz")


def test_finds_every_spelling_and_nothing_else(tmp_path: Path) -> None:
    spelled = {
        "train-images-idx3-ubyte": "train-images.idx3-ubyte.gz",
        "train-labels-idx1-ubyte": "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte": "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte": "t10k-labels.idx1-ubyte",
    }
    for name in (*spelled.values(), "README.md"):
        (tmp_path / name).touch()

    assert idx.find(tmp_path) == {name: tmp_path / file for name, file in spelled.items()}
    assert idx.find(tmp_path / "missing") == {}


def test_a_file_that_is_there_twice_is_ambiguous(tmp_path: Path) -> None:
    for name in ("train-labels-idx1-ubyte", "train-labels.idx1-ubyte.gz"):
        (tmp_path / name).touch()

    with pytest.raises(InputError, match=r"received train-labels-idx1-ubyte and train-labels.idx1"):
        idx.find(tmp_path)
