"""The file that every later stage reads."""

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest

from warmstart.data.task import Task
from warmstart.errors import InputError

ARRAYS = {
    f"{kind}_{part}": values[:n]
    for n, part in ((5, "train"), (3, "validation"), (2, "test"))
    for kind, values in (
        ("x", np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)),
        ("y", np.array([0, 1, 1, 0, 1], np.int32)),
    )
}
TASK = Task.of(name="b", class_names=("Sandal", "naïve ✓"), **ARRAYS)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    TASK.write(tmp_path / "new" / "b.npz")
    read = Task.read(tmp_path / "new" / "b.npz")

    for field in dataclasses.fields(Task):
        written, received = getattr(TASK, field.name), getattr(read, field.name)
        if isinstance(written, np.ndarray):
            assert received.dtype == written.dtype
            np.testing.assert_array_equal(received, written)
        else:
            assert received == written
    assert (read.features, read.classes) == (4, 2)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b.npz"]


def test_the_bytes_hold_no_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    TASK.write(tmp_path / "now.npz")
    later = time.time() + 1e7
    monkeypatch.setattr(time, "time", lambda: later)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(later))
    TASK.write(tmp_path / "later.npz")

    assert (tmp_path / "now.npz").read_bytes() == (tmp_path / "later.npz").read_bytes()


def test_the_digest_is_of_arrays_and_class_names() -> None:
    assert Task.of(name="b", class_names=TASK.class_names, **ARRAYS).digest == TASK.digest
    assert Task.of(name="b", class_names=("Sandal", "Shirt"), **ARRAYS).digest != TASK.digest
    for key, values in ARRAYS.items():
        changed = values.copy()
        changed.flat[0] += 1
        other = Task.of(name="b", class_names=TASK.class_names, **ARRAYS | {key: changed})
        assert other.digest != TASK.digest


def test_a_file_of_another_kind_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "b.npz"
    with pytest.raises(InputError, match=r"b.npz: .*no such file.*dvc repro prepare"):
        Task.read(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"b.npz: expected what the stage prepare writes"):
        Task.read(path)
    np.savez(path, x_train=ARRAYS["x_train"])
    with pytest.raises(InputError, match=r"b.npz: .*y_train"):
        Task.read(path)
    np.savez(path, **ARRAYS | {"y_test": np.array([None])}, name="b", digest="d", class_names="c")
    with pytest.raises(InputError, match=r"b.npz: .*allow_pickle"):
        Task.read(path)
