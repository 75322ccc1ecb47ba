"""Finished trials that are kept for other runs of this machine."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from small_task import make_cohort
from warmstart.config.arm import Arm
from warmstart.config.params import Executor
from warmstart.runtime import finished, pool
from warmstart.runtime.finished import Finished
from warmstart.runtime.store import Store
from warmstart.training.trials import EPOCH_METRICS, Result


def write(store: Store, key: str, size: int = 100) -> None:
    """A trial whose weights take `size` bytes."""
    epochs = dict.fromkeys(EPOCH_METRICS, (0.1, 0.2))
    result = Result(key=key, outcome="dropped", epochs=epochs, samples=7, train_seconds=0.5)
    store.write(result, [np.arange(size, dtype=np.uint8)])


def fetched(kept: Finished, key: str, folder: Path) -> bool:
    kept.fetch([key], Store(folder))
    return Store(folder).path(key).exists()


def test_a_study_takes_what_another_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three trials of the first, four of the second, in other folders: one is trained."""
    monkeypatch.setenv("WARMSTART_TRIALS", str(tmp_path / "kept"))
    cohort = make_cohort(tmp_path, Arm(hidden=(8,)))
    some = replace(cohort, trials=cohort.trials[:3])
    found = {}
    for name, wanted, trained in (("one", some, 3), ("two", cohort, 1), ("three", cohort, 0)):
        with pool.start(Executor(workers=1), tmp_path / name) as workers:
            found[name] = workers.train([wanted], name)
            assert len(workers.trained) == trained
            scores = workers.evaluate([wanted])
        assert len(scores) == len(wanted.trials)
    assert found["three"] == found["two"]
    assert found["two"].items() >= found["one"].items()
    with pool.start(Executor(workers=1, kept_gb=0), tmp_path / "four") as workers:
        again = workers.train([some], "four")
        assert len(workers.trained) == 3
    for key, result in again.items():
        assert result.epochs == found["one"][key].epochs
        one, other = (Store(tmp_path / name).weights(key) for name in ("one", "four"))
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_nothing_is_taken_under_other_circumstances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Store(tmp_path / "run"), "k")
    Finished(tmp_path / "kept", 1e9).keep(["k"], Store(tmp_path / "run"))
    assert fetched(Finished(tmp_path / "kept", 1e9), "k", tmp_path / "same")
    monkeypatch.setattr(finished.environment, "cpu_name", lambda: "another processor")
    assert not fetched(Finished(tmp_path / "kept", 1e9), "k", tmp_path / "other")


@pytest.mark.parametrize("changed", ["networks/mlp.py", "seeds.py", "training/backends/jax.py"])
def test_circumstances_hold_the_code_that_decides_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    before, read = finished.circumstances(), Path.read_bytes
    monkeypatch.setattr(
        Path,
        "read_bytes",
        lambda self: read(self) + b"#" * self.as_posix().endswith(f"warmstart/{changed}"),
    )
    assert finished.circumstances() != before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-300]), "a damaged file (BadZipFile)"),
        (lambda path: path.write_bytes(b""), "a damaged file (BadZipFile)"),
        (lambda path: flip(path), "a damaged weight_0.npy"),
        (lambda path: path.write_bytes(path.with_name("other.npz").read_bytes()), "another one"),
    ],
)
def test_what_is_damaged_is_removed_with_a_line_and_never_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage, said: str
) -> None:
    kept, run = Finished(tmp_path / "kept", 1e9), Store(tmp_path / "run")
    for key in ("k", "other"):
        write(run, key, 5000)
    kept.keep(["k", "other"], run)
    path = next((tmp_path / "kept").glob("*/k.npz"))
    copy = path.read_bytes()
    path.unlink()  # the link to the run's file
    path.write_bytes(copy)
    damage(path)
    assert not fetched(kept, "k", tmp_path / "next")
    assert capsys.readouterr().err == (
        f"{path}: expected a finished trial, found {said}; removed, the trial is trained again\n"
    )
    assert not path.exists()
    assert fetched(kept, "other", tmp_path / "next")
    kept.keep(["k"], run)
    assert fetched(kept, "k", tmp_path / "next")


def flip(path: Path) -> None:
    """Turn one bit of the weights around, which are the numbers from 0 on."""
    content = bytearray(path.read_bytes())
    content[content.index(bytes(range(100, 200))) + 7] ^= 1
    path.write_bytes(content)


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    run, keys = Store(tmp_path / "run"), [f"k{i}" for i in range(6)]
    for key in keys:
        write(run, key, 10_000)
    size = run.path("k0").stat().st_size
    kept = Finished(tmp_path / "kept", 4.5 * size)
    for i, key in enumerate(keys[:4]):
        kept.keep([key], run)
        os.utime(next((tmp_path / "kept").glob(f"*/{key}.npz")), (i, i))
    assert fetched(kept, "k0", tmp_path / "next")  # which is the newest now
    kept.keep(["k4"], run)
    left = {path.stem for path in (tmp_path / "kept").glob("*/*.npz")}
    assert left == {"k0", "k2", "k3", "k4"}
    # code that nobody has any more makes way as well
    older = tmp_path / "kept/older"
    (tmp_path / "kept").joinpath(finished.circumstances()).rename(older)
    Finished(tmp_path / "kept", 2.5 * size).keep(["k5"], run)
    assert sum(1 for _ in (tmp_path / "kept").glob("*/*.npz")) == 2
    assert run.path("k1").exists()  # a run keeps its own


def test_several_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    """Eight runs keep and fetch the same trials; whoever comes last finds all."""
    keys = [f"k{i}" for i in range(20)]

    def work(number: int) -> None:
        run, kept = Store(tmp_path / f"run{number}"), Finished(tmp_path / "kept", 1e9)
        kept.fetch(keys, run)
        for key in keys:
            if not run.path(key).exists():
                write(run, key)
        kept.keep(keys, run)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    Finished(tmp_path / "kept", 1e9).fetch(keys, Store(tmp_path / "last"))
    assert {path.stem for path in (tmp_path / "last").glob("*.npz")} == set(keys)


def test_a_place_that_cannot_be_written_to_is_said_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept").write_text("a file")
    write(Store(tmp_path / "run"), "k")
    kept = Finished(tmp_path / "kept", 1e9)
    kept.keep(["k"], Store(tmp_path / "run"))
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path / 'kept'}: finished trials are not kept: ")
    assert said.count("\n") == 1
    assert not fetched(kept, "k", tmp_path / "next")


@pytest.mark.parametrize(
    ("place", "kept_gb", "kept"), [("off", 1, False), ("x", 0, False), ("x", 1, True)]
)
def test_it_can_be_turned_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, kept_gb: float, kept: bool
) -> None:
    monkeypatch.setenv("WARMSTART_TRIALS", place if place == "off" else str(tmp_path / place))
    assert (Finished.open(kept_gb) is not None) == kept
