"""The user's own files, in every form they may take."""

import gzip
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart.config.data import Data
from warmstart.data.dataset import Dataset
from warmstart.data.sources import load
from warmstart.errors import InputError

X = np.random.default_rng(0).integers(0, 256, (16, 3, 2)).astype(np.uint8)
Y = np.tile([0, 1, 2, 3], 4).astype(np.uint8)
IDX = {
    "train-images-idx3-ubyte": X[:12],
    "train-labels-idx1-ubyte": Y[:12],
    "t10k-images-idx3-ubyte": X[12:],
    "t10k-labels-idx1-ubyte": Y[12:],
}


def load_from(path: Path, name: str = "mine") -> Dataset:
    return load(Data(name=name, path=str(path), validation_fraction=0.2, test_fraction=0.2))


def encode(array: np.ndarray) -> bytes:
    lengths = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def write_idx(folder: Path, files: dict[str, np.ndarray], packed: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for name, array in files.items():
        content = encode(array)
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    return folder


def problems(path: Path, name: str = "mine") -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        load_from(path, name)
    assert not any("\n" in problem for problem in caught.value.problems)
    return caught.value.problems


def test_every_form_gives_the_same_dataset(tmp_path: Path) -> None:
    (tmp_path / "npz").mkdir()
    np.savez(tmp_path / "npz" / "mine.npz", x=X, y=Y)
    (tmp_path / "npz" / "._mine.npz").touch()  # what macOS leaves beside files it copies
    np.savez_compressed(tmp_path / "packed.npz", x=X.astype(np.float64), y=Y.astype(np.int64))
    forms = [
        tmp_path / "npz",
        tmp_path / "npz" / "mine.npz",
        tmp_path / "packed.npz",
        write_idx(tmp_path / "idx", IDX),
        write_idx(tmp_path / "gz", IDX, packed=True),
    ]

    datasets = [load_from(form) for form in forms]

    assert len({dataset.digest for dataset in datasets}) == 1
    for dataset in datasets:
        assert dataset.x.tolist() == X.reshape(16, 6).tolist()  # train files, then test files
        assert dataset.y.tolist() == Y.tolist()
        assert dataset.feature_shape == (3, 2)
        assert dataset.name == "mine"
    assert [dataset.n_test for dataset in datasets] == [0, 0, 0, 4, 4]


def test_the_test_pair_may_be_missing(tmp_path: Path) -> None:
    train_only = {name: array for name, array in IDX.items() if name.startswith("train")}

    dataset = load_from(write_idx(tmp_path, train_only))

    assert (dataset.x.shape, dataset.n_test) == ((12, 6), 0)


def test_class_names_come_with_the_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=X, y=Y, class_names=["a", "b", "c", "d"])

    assert load_from(tmp_path).class_names == ("a", "b", "c", "d")


def test_pickles_are_refused_and_never_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Harmful:
        def __reduce__(self) -> tuple[Callable, tuple]:
            return Path.touch, (ran,)

    labels = np.array([Harmful()] * 16, dtype=object)
    np.savez(tmp_path / "mine.npz", x=X, y=labels, class_names=labels)

    said = problems(tmp_path)

    assert [re.sub(".*npz: | expected.*", "", problem) for problem in said] == [
        "y:",
        "class_names:",
    ]
    assert all("received Python objects (a pickle), which are never" in line for line in said)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X}, "y: expected an array of this name, received x; write it with np.savez"),
        ({"y": Y, "Z": X}, "x: expected an array of this name, received y, Z; "),
        ({"x": X[:-1], "y": Y}, "x and y: .*received 15 samples and 16 labels"),
        ({"x": X, "y": Y[:, None]}, r"y: expected one label per sample.*received \(16, 1\)"),
    ],
)
def test_wrong_arrays_are_named_with_their_file(
    tmp_path: Path, arrays: dict[str, Any], words: str
) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)

    (problem,) = problems(tmp_path)
    assert problem.startswith(f"{tmp_path / 'mine.npz'}: ")
    assert re.search(words, problem)


def test_truncated_and_foreign_npz(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, x=X, y=Y)
    whole = path.read_bytes()
    np.save(tmp_path / "array.npy", X)

    for content, words in (
        (whole[:-30], "expected a whole .npz, received a corrupt one (File is not a zip file)"),
        (b"", "received an empty file"),
        (b"x,y\n1,2\n", "expected a .npz, as its name says, received a file of another kind"),
        ((tmp_path / "array.npy").read_bytes(), "one array (.npy); save x and y with np.savez"),
    ):
        path.write_bytes(content)
        (problem,) = problems(path)
        assert words in problem


def test_a_corrupt_array_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, x=X, y=Y)
    content = bytearray(path.read_bytes())
    content[content.index(X.tobytes()) + 5] ^= 1
    path.write_bytes(content)

    (problem,) = problems(path)
    assert re.search("x: expected a whole array, received a corrupt one .*CRC", problem)


def test_a_member_that_is_no_array(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("x.npy", "not an array")
        archive.writestr("y.npy", "not an array")

    assert [line.split("mine.npz: ")[1].split(",")[0] for line in problems(tmp_path)] == [
        "x: expected an array",
        "y: expected an array",
    ]


def test_a_folder_called_npz_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.npz").mkdir()

    (problem,) = problems(tmp_path)
    assert "expected a file that can be read, received Is a directory" in problem


def test_which_of_several_files_is_not_guessed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    np.savez(tmp_path / "b.npz", x=X, y=Y)
    assert "received a.npz, b.npz; keep one" in problems(tmp_path)[0]

    (tmp_path / "b.npz").unlink()
    write_idx(tmp_path, IDX)
    assert "received a.npz, t10k-images-idx3-ubyte, " in problems(tmp_path)[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fashion_mnsit", "did you mean data.name 'fashion_mnist'"),
        ("digit", "did you mean data.name 'digits'"),
        ("butterflies", "see docs/data.md"),
    ],
)
def test_nothing_at_the_path(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "README.md").touch()

    (problem,) = problems(tmp_path, name)
    assert f"data.name '{name}'" in problem
    assert f"at {tmp_path}, received none; {words}" in problem
    (problem,) = problems(tmp_path / "missing", name)
    assert f"received nothing there; {words}" in problem


def test_a_path_that_is_almost_right(tmp_path: Path) -> None:
    """What DVC keeps beside a file is none."""
    for name in ("wine.csv", "win.csv.dvc"):
        (tmp_path / name).touch()
    (problem,) = problems(tmp_path / "win.csv", "mine")
    assert problem.endswith(f"received nothing there; did you mean {tmp_path / 'wine.csv'}?")


def test_all_problems_of_idx_files_at_once(tmp_path: Path) -> None:
    write_idx(tmp_path, {name: IDX[name] for name in list(IDX)[:3]}, packed=True)
    packed = tmp_path / "train-images-idx3-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-10])
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(encode(Y[:12])[:-2])

    said = problems(tmp_path)

    assert re.search(r"expected t10k-labels-idx1-ubyte \(or .gz\), received none", said[0])
    assert re.search("train-images-idx3-ubyte.gz: expected a whole gzip file", said[1])
    assert re.search("train-labels.*: expected 20 bytes .* received 18", said[2])
    assert len(said) == 3


def test_idx_files_that_do_not_belong_together(tmp_path: Path) -> None:
    write_idx(
        tmp_path,
        IDX | {"train-labels-idx1-ubyte": Y[:11], "t10k-images-idx3-ubyte": X[12:, :2]},
    )

    lengths, shapes = problems(tmp_path)
    assert "received 12 in train-images-idx3-ubyte and 11 in train-labels" in lengths
    assert "training images' shape (3, 2), received (2, 2)" in shapes
