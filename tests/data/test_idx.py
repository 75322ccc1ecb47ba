"""The IDX reader against bytes written by hand."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from warmstart.data import idx
from warmstart.errors import InputError

# two images of 2 rows and 3 columns
IMAGES = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(12)])
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 255])


def test_reads_images_row_by_row() -> None:
    read = idx.array(IMAGES, Path("f"), axes=3)

    assert read.dtype == np.uint8
    assert read.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


def test_reads_labels_beyond_127() -> None:
    assert idx.array(LABELS, Path("f"), axes=1).tolist() == [7, 255]


@pytest.mark.parametrize("name", ["plain", "packed.gz", "packed-but-called-plain"])
def test_unpacks_by_content_and_not_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(LABELS if name == "plain" else gzip.compress(LABELS, mtime=0))

    assert idx.content(path) == LABELS


@pytest.mark.parametrize(
    ("content", "axes", "words"),
    [
        (b"", 1, "begins with 00 00 08 01.*received nothing"),
        (b"PK\x03\x04 and so on", 1, "received 50 4b 03 04"),
        (IMAGES, 1, "axes: 1.*received 00 00 08 03"),
        (LABELS[:6], 1, "start of 6 bytes"),
        (LABELS[:-1], 1, r"expected 10 bytes for shape \(2,\), received 9"),
        (IMAGES + b"!", 3, r"expected 28 bytes for shape \(2, 2, 3\), received 29"),
    ],
)
def test_a_wrong_file_is_one_line(content: bytes, axes: int, words: str) -> None:
    with pytest.raises(InputError) as caught:
        idx.array(content, Path("the-file"), axes)

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
        idx.content(tmp_path / "broken.gz")


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
