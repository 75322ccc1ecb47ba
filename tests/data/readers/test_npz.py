"""Arrays that NumPy saved: one set or two, by their names."""

from pathlib import Path

import numpy as np
import pytest

from warmstart.config import limits
from warmstart.data.readers import npz
from warmstart.errors import InputError

X = np.random.default_rng(0).integers(0, 256, (16, 3, 2)).astype(np.uint8)
Y = np.tile([0, 1, 2, 3], 4).astype(np.uint8)
SETS = {"x_train": X[:12], "y_train": Y[:12], "x_test": X[12:], "y_test": Y[12:]}


def written(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "mine.npz", **arrays)
    return folder / "mine.npz"


def test_two_sets_in_a_npz_are_one_training_set_first(tmp_path: Path) -> None:
    found = npz.read(written(tmp_path, **SETS, extra=X))
    assert found.x.tolist() == X.tolist()
    assert found.y.tolist() == Y.tolist()
    assert (found.n_test, found.x.dtype) == (4, np.uint8)
    together = npz.read(written(tmp_path, x=X, y=Y, x_test=X))  # x and y are read where they are
    assert (together.n_test, len(together.x)) == (0, 16)
    names = np.array(["ash", "elm", "oak", "yew"])
    text = {"y_train": names[Y[:12]], "y_test": names[Y[12:]]}
    assert npz.read(written(tmp_path, **SETS | text)).y.tolist() == names[Y].tolist()
    named = npz.read(written(tmp_path, **SETS, class_names=names))
    assert (list(named.class_names), named.y.tolist()) == (names.tolist(), Y.tolist())


@pytest.mark.parametrize("lowest", [-1, 0])
def test_signed_and_unsigned_labels_stay_integers(tmp_path: Path, lowest: int) -> None:
    changed = {"y_train": Y[:12].astype(np.int64) + lowest, "y_test": Y[12:].astype(np.uint64)}
    labels = npz.read(written(tmp_path, **SETS | changed)).y
    assert labels.dtype.kind == ("u" if lowest == 0 else "i")
    assert labels.tolist() == [*(Y[:12].astype(int) + lowest), *Y[12:].tolist()]


@pytest.mark.parametrize(
    "names", ["X Y", "X y", "X_train Y_train X_test Y_test", "X_TRAIN y_train X_test y_test"]
)
def test_capitals_are_as_good(tmp_path: Path, names: str) -> None:
    arrays = [X, Y] if len(names.split()) == 2 else list(SETS.values())
    raw = npz.read(written(tmp_path, **dict(zip(names.split(), arrays, strict=True))))
    assert (raw.x.tolist(), raw.y.tolist()) == (X.tolist(), Y.tolist())


def test_the_very_name_comes_before_capitals(tmp_path: Path) -> None:
    raw = npz.read(written(tmp_path, X=X + 1, x=X, Y=Y + 1, y=Y))
    assert (raw.x.tolist(), raw.y.tolist()) == (X.tolist(), Y.tolist())


def test_arrays_of_another_machine(tmp_path: Path) -> None:
    raw = npz.read(written(tmp_path, x=X.astype(">f8"), y=Y.astype(">i4")))
    assert raw.x.dtype == np.float64
    assert raw.y.dtype == np.int32
    assert raw.x.dtype.isnative
    assert raw.y.dtype.isnative
    assert (raw.x.tolist(), raw.y.tolist()) == (X.tolist(), Y.tolist())


def test_an_array_that_unpacks_to_too_much_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, x=np.zeros((1000, 1000)), y=Y)
    monkeypatch.setattr(limits, "GIGABYTES", 0.007)
    unpacked = []
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: unpacked.append(1))
    with pytest.raises(InputError) as caught:
        npz.read(path)
    (line,) = [line for line in caught.value.problems if "GB" in line]
    assert line.startswith(
        f"{path}: x: expected at most 0.007 GB once it is unpacked, received 0.008"
    )


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        (
            {"x_test": None},
            [
                "x_test: expected an array of this name, received x_train, y_train, y_test; write "
                "it with np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, "
                "y_test=y_test)"
            ],
        ),
        (
            {"y_test": Y[:3]},
            [
                "x_test and y_test: expected one label per sample, received 4 samples and 3 "
                "labels; make them equal"
            ],
        ),
        (
            {"y_test": Y[12:, None]},
            [
                "y_test: expected one label per sample, shape (samples,), received (4, 1); "
                "y_test.ravel() flattens a column, y_test.argmax(axis=1) a one-hot table"
            ],
        ),
        (
            {"x_train": X[:12].astype(str)},
            ["x_test: expected text, as in x_train, received numbers; convert one of them"],
        ),
        (
            {"x_test": X[:0], "y_test": Y[:0]},
            [
                "x_test: expected shape (samples, features, …), none of them 0, received "
                "(0, 3, 2); reshape it",
                "y_test: expected one label per sample, shape (samples,), received (0,); "
                "y_test.ravel() flattens a column, y_test.argmax(axis=1) a one-hot table",
            ],
        ),
        (
            {"x_test": X[12:, :2], "y_test": Y[12:].astype(str)},
            [
                "x_test: expected samples of the shape (3, 2), as in x_train, received (2, 2); "
                "take both from one source",
                "y_test: expected numbers, as in y_train, received text; convert one of them",
            ],
        ),
        (
            {"y_test": np.array([{}] * 4)},
            [
                "y_test: expected numbers or text, received Python objects (a pickle), which are "
                "never loaded; save it with a plain dtype, such as y.astype(str)"
            ],
        ),
    ],
)
def test_wrong_sets_are_named_with_their_file(
    tmp_path: Path, changed: dict[str, np.ndarray | None], lines: list[str]
) -> None:
    arrays = {name: array for name, array in (SETS | changed).items() if array is not None}
    path = written(tmp_path, **arrays)
    with pytest.raises(InputError) as caught:
        npz.read(path)
    assert caught.value.problems == tuple(f"{path}: {line}" for line in lines)
