"""Whatever happens to a file's bytes: one line per problem, or the very same arrays."""

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from warmstart.config.data import Data
from warmstart.data.readers.raw import Raw
from warmstart.data.sources import load, read
from warmstart.data.task import Task
from warmstart.errors import InputError

X = np.random.default_rng(0).integers(0, 256, (16, 3, 2)).astype(np.uint8)
Y = np.tile([0, 1, 2, 3], 4).astype(np.uint8)
PLACE = st.floats(0, 1, exclude_max=True)
DAMAGE = st.one_of(
    st.tuples(st.just("flip"), PLACE, st.integers(1, 255)),
    st.tuples(st.just("cut"), PLACE, st.just(0)),
    st.tuples(st.just("insert"), PLACE, st.integers(0, 255)),
)
bounded = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def damaged(content: bytes, damage: tuple[str, float, int]) -> bytes:
    how, share, value = damage
    place = int(share * len(content))
    if how == "cut":
        return content[:place]
    if how == "insert":
        return content[:place] + bytes([value]) + content[place:]
    return content[:place] + bytes([content[place] ^ value]) + content[place + 1 :]


def npz(compressed: bool, **arrays: object) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, x=X, y=Y, **arrays)
    return buffer.getvalue()


def idx(array: np.ndarray) -> bytes:
    lengths = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def digest(path: Path) -> str | None:
    """Of the dataset at `path`, None where it is refused."""
    options = Data(name="mine", path=str(path), validation_fraction=0.2, test_fraction=0.2)
    try:
        return load(options).digest
    except InputError as error:
        problems = error.problems
    assert all(problem and "\n" not in problem for problem in problems)
    return None


@pytest.mark.parametrize("compressed", [False, True])
@bounded
@given(damage=DAMAGE)
@example(damage=("flip", 0.9, 115))  # a line feed in the name of an array
def test_npz(tmp_path: Path, compressed: bool, damage: tuple[str, float, int]) -> None:
    path, whole = tmp_path / "mine.npz", npz(compressed, class_names=list("abcd"))
    possible = {None}
    for content in (whole, npz(compressed)):  # class_names under another name is another array
        path.write_bytes(content)
        possible.add(digest(path))
    path.write_bytes(damaged(whole, damage))

    assert digest(path) in possible


@bounded
@given(damage=DAMAGE)
def test_gzipped_idx(tmp_path: Path, damage: tuple[str, float, int]) -> None:
    for name, array in (("images-idx3", X), ("labels-idx1", Y)):
        (tmp_path / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(idx(array), mtime=0))
    right, path = digest(tmp_path), tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(damaged(path.read_bytes(), damage))

    assert digest(tmp_path) in (right, None)


@bounded
@given(damage=DAMAGE)
@example(damage=("flip", 0.0, 1))
def test_plain_idx_has_no_checksum_but_a_length(
    tmp_path: Path, damage: tuple[str, float, int]
) -> None:
    for name, array in (("images-idx3", X), ("labels-idx1", Y)):
        (tmp_path / f"train-{name}-ubyte").write_bytes(idx(array))
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(damaged(path.read_bytes(), damage))

    received = digest(tmp_path)
    in_pixels = damage[0] == "flip" and damage[1] * len(idx(X)) >= 16
    assert received is None or in_pixels


TREES = "@relation r\n@attribute a numeric\n@attribute t {'u v',w}\n@attribute y {p,q}\n@data\n"


def table(name: str) -> bytes:
    """A table of three columns and six rows, in a file of the kind that `name` says."""
    rows = {"a": [1, 2, 3] * 2, "t": ["ü,v", "w", None] * 2, "y": ["p", "q"] * 3}
    frame, buffer = pd.DataFrame(rows), io.BytesIO()
    if name == "arff":
        return (TREES + "1,'u v',p\n?,w,q\n" * 3).encode()
    if name.startswith("csv"):
        text = frame.to_csv(index=False).encode()
        return gzip.compress(text, mtime=0) if name == "csv.gz" else text
    (frame.to_parquet if name == "parquet" else frame.to_feather)(buffer)
    return buffer.getvalue()


def raw_of(path: Path, **more: object) -> Raw | None:
    """What is at `path`, None where it is refused."""
    parts = {"validation_fraction": 0.2, "test_fraction": 0.2}
    try:
        return read(Data(name="mine", path=str(path), **parts, **more))
    except InputError as error:
        problems = error.problems
    assert all(problem and "\n" not in problem for problem in problems)
    return None


@pytest.mark.parametrize("name", ["csv", "csv.gz", "arff", "parquet", "feather"])
@bounded
@given(damage=DAMAGE)
def test_tables(tmp_path: Path, name: str, damage: tuple[str, float, int]) -> None:
    path = tmp_path / f"mine.{name}"
    path.write_bytes(damaged(table(name), damage))
    if raw := raw_of(path, target="y"):  # text and pages without a checksum: other values
        assert raw.x.index.equals(raw.y.index)
        assert name != "csv.gz" or raw.x["a"].tolist() == [1, 2, 3] * 2


@bounded
@given(damage=DAMAGE)
@example(damage=("flip", 0.655, 120))  # within the pixels, which can be unpacked all the same
def test_an_image(tmp_path: Path, damage: tuple[str, float, int]) -> None:
    pixels = {"a": X[0], "b": X[1]}
    for label, own in pixels.items():
        (tmp_path / label).mkdir(exist_ok=True)
        Image.fromarray(own).save(tmp_path / label / "1.png")
    path = tmp_path / "b/1.png"
    path.write_bytes(damaged(path.read_bytes(), damage))
    if raw := raw_of(tmp_path):  # what follows the pixels may be cut
        assert raw.x.tolist() == X[:2].tolist()


@bounded
@given(damage=DAMAGE)
@example(damage=("flip", 0.8415392218703163, 64))  # a zip file of a version to come
def test_a_damaged_task_is_the_users_to_prepare_again(
    tmp_path: Path, damage: tuple[str, float, int]
) -> None:
    parts = ("train", "validation", "test")
    arrays = {f"x_{part}": np.ones((4, 2), np.float32) for part in parts}
    arrays |= {f"y_{part}": np.array([0, 1, 0, 1], np.int32) for part in parts}
    task, path = Task.of(name="b", class_names=("a", "b"), **arrays), tmp_path / "b.npz"
    task.write(path)
    path.write_bytes(damaged(path.read_bytes(), damage))

    try:
        received = Task.read(path)
    except InputError as error:
        problem = error.problems[0]
        received = None
    if received is None:
        assert problem.startswith(f"{path}: expected what the stage prepare writes")
    else:
        for key, value in arrays.items():
            np.testing.assert_array_equal(getattr(received, key), value)
