"""What lies at `data.path` is found by its content, and nothing is guessed."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from warmstart.config.data import Data
from warmstart.data.place import find
from warmstart.data.readers import arff, arrow, delimited, images
from warmstart.data.sources import load, read
from warmstart.errors import InputError

FRAME = pd.DataFrame({"a": range(12), "b": np.linspace(0, 1, 12), "y": ["p", "q", "r"] * 4})
ARFF = "@relation r\n@attribute a numeric\n@attribute y {0,1}\n@data\n1,0\n2,1\n"


def options(path: Path, **more: object) -> Data:
    return Data(name="mine", path=str(path), validation_fraction=0.2, test_fraction=0.2, **more)


def refused(path: Path, **more: object) -> str:
    with pytest.raises(InputError) as caught:
        read(options(path, **more))
    assert not any("\n" in line for line in caught.value.problems)
    return "\n".join(caught.value.problems)


def test_kinds_of_files_by_content_whatever_they_are_called(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "csv", index=False)
    FRAME.to_parquet(tmp_path / "parquet.csv")
    FRAME.to_feather(tmp_path / "feather.txt")
    (tmp_path / "arff.csv").write_text(ARFF)
    (tmp_path / "packed.dat").write_bytes(gzip.compress(ARFF.encode()))
    readers = {path.name: find(options(path)).read for path in tmp_path.iterdir()}
    assert readers == {
        "csv": delimited.read,
        "parquet.csv": arrow.read_parquet,
        "feather.txt": arrow.read_feather,
        "arff.csv": arff.read,
        "packed.dat": arff.read,
    }


def test_names_of_columns_that_begin_as_other_files_do(tmp_path: Path) -> None:
    for header in ("PK,y", "€,y"):
        (tmp_path / "a.csv").write_bytes(f"{header}\n1,2\n3,4\n".encode("cp1252"))
        assert read(options(tmp_path, target="y")).x.columns.tolist() == [header[:-2]]


@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "a.csv.gz", "a.parquet", "a.feather", "a.arff"])
def test_the_one_table_in_a_folder(tmp_path: Path, name: str) -> None:
    FRAME.to_parquet(tmp_path / name) if name == "a.parquet" else FRAME.to_csv(
        tmp_path / name, index=False, compression=None
    ) if name != "a.feather" else FRAME.to_feather(tmp_path / name)
    for beside in ("README.md", ".gitignore", "a.csv.dvc", "notes.txt", "._a.csv"):
        (tmp_path / beside).write_text("a,b\n")
    if name == "a.arff":
        (tmp_path / name).write_text(ARFF)
    assert find(options(tmp_path)).path == tmp_path / name


def test_a_folder_of_images(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    for name in "ab":
        (folder / name).mkdir(parents=True)
        Image.new("L", (2, 2)).save(folder / name / "1.jpeg")
    place = find(options(folder))
    assert (place.path, place.kind, place.read) == (folder, "images", images.read)
    FRAME.to_csv(folder / "labels.csv")
    line = refused(folder)
    assert "expected one data set, received labels.csv, folders of images (a, b); keep one" in line
    assert "received folders of folders of images (" in refused(tmp_path)
    for name in "ab":
        (folder / name / "1.jpeg").rename(folder / f"{name}.jpeg")
    (folder / "labels.csv").unlink()
    assert "received images without a folder for each class; move them" in refused(folder)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"a,b\n1,2\n", "expected a .parquet, as its name says, received a file of"),
        ("a.npz", b"a,b\n1,2\n", "expected a .npz, as its name says, received a file of another"),
        ("a.csv", b"", "expected data, received an empty file; fetch it again"),
        (
            "a.csv",
            gzip.compress(b"", mtime=0),
            "expected data, received an empty file; fetch it again",
        ),
        (
            "a.csv",
            gzip.compress(b"a,b\n1,2\n", mtime=0)[:-4],
            "received a truncated or corrupt one",
        ),
        ("a.npy", b"\x93NUMPY\x01\0", "received one array (.npy); save x and y with np.savez"),
        ("a.xlsx", b"PK\x03\x04", "received an Excel workbook; save the sheet as CSV"),
        ("a.zip", b"PK\x03\x04", "received a zip archive; unpack it, or name it .npz"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1", "received an Excel workbook; save the sheet as CSV"),
        ("a.pkl", b"\x80\x05\x95", "received a pickle, which is never loaded; save a frame as"),
        ("a.h5", b"\x89HDF\r\n", "received HDF5; export the table as Parquet or CSV"),
        ("a.csv.bz2", b"BZh91AY", "received bzip2; unpack it"),
        ("a.png", b"\x89PNG\r\n", "received one image; give the folder that has a folder of"),
        ("a-ubyte", bytes([0, 0, 8, 1, 0, 0, 0, 0]), "received a single IDX file; give the folder"),
    ],
)
def test_what_is_no_data_set_is_told_by_its_first_bytes(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    line = refused(path, target="b")
    assert line.startswith(f"{path}: ")
    assert words in line


def test_keys_that_do_not_fit_the_data_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((6, 2)), y=[0, 1] * 3)
    path = tmp_path / "a.npz"
    assert refused(path, target="y", drop=("a",), image_size=(2, 2)).split("\n") == [
        f"data.target: expected null, since {path} holds arrays, not a table, received y; "
        "change it",
        f"data.drop: expected [], since {path} holds arrays, not a table, received ['a']; "
        "change it",
        f"data.image_size: expected null, since {path} holds arrays, not images, received [2, 2]; "
        "change it",
    ]


def test_a_table_of_numbers_becomes_a_dataset(tmp_path: Path) -> None:
    for name, write in (("csv", FRAME.to_csv), ("parquet", FRAME.to_parquet)):
        write(tmp_path / f"a.{name}", index=False)
    csv, parquet = (
        load(options(tmp_path / f"a.{name}", target="y")) for name in ("csv", "parquet")
    )
    assert csv.digest == parquet.digest
    assert csv.x.tolist() == FRAME[["a", "b"]].to_numpy(np.float64).tolist()
    assert (csv.class_names, csv.y.tolist()) == (("p", "q", "r"), [0, 1, 2] * 4)


def test_a_table_may_hold_text_and_gaps(tmp_path: Path) -> None:
    FRAME.assign(t="x", gap=[np.nan, *range(11)]).to_csv(tmp_path / "a.csv", index=False)
    kinds = {
        c.name: (c.kind, c.missing) for c in load(options(tmp_path / "a.csv", target="y")).columns
    }
    assert kinds["t"] == ("category", False)
    assert kinds["gap"] == ("number", True)
