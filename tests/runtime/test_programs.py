"""What was compiled once is found again, and only where it is the same and undamaged."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_task import make_cohort
from warmstart.config.arm import Arm
from warmstart.config.params import Executor
from warmstart.config.parts import Activation
from warmstart.runtime import environment, pool, programs, shelf
from warmstart.runtime.store import Store
from warmstart.training import backends
from warmstart.training.trials import Cohort, Phase

DAY = 86_400


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where programs are kept."""
    monkeypatch.setenv("WARMSTART_PROGRAMS", str(tmp_path / "programs"))
    programs._kept.cache_clear()
    yield tmp_path / "programs"
    programs._kept.cache_clear()


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return make_cohort(tmp_path, Arm(hidden=(4,)))


@pytest.fixture
def compiler(here: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A process that needs files for a piece of work, and writes those it does not find: which."""
    folders: list[Path] = []
    monkeypatch.setattr(backends.current(), "keep_programs", folders.append)

    def work(cohort: Cohort, needs: dict[str, bytes], job: str = "train") -> list[str]:
        programs._kept.cache_clear()
        with programs.at_hand(job, cohort):
            new = [name for name in needs if not (folders[-1] / name).exists()]
            for name, content in needs.items():
                if name in new:
                    (folders[-1] / name).write_bytes(content)
                assert (folders[-1] / name).read_bytes() == content
        assert not folders[-1].exists()
        return new

    return work


def entry(here: Path) -> Path:
    (found,) = here.glob("*.programs")
    return found


def test_what_one_process_compiled_another_finds(
    cohort: Cohort, here: Path, compiler: Callable[..., list[str]]
) -> None:
    assert compiler(cohort, {"a": b"1", "b": b"2"}) == ["a", "b"]
    assert compiler(cohort, {"a": b"1", "b": b"2", "c": b"3"}) == ["c"]
    written = entry(here).read_bytes()
    assert compiler(cohort, {"a": b"1", "b": b"2", "c": b"3"}) == []
    assert entry(here).read_bytes() == written
    # trials, epochs and the root seed are numbers to a program; structure and job are not
    other = replace(cohort, trials=cohort.trials[:1], root_seed=2, phases=(Phase(epochs=9),))
    assert compiler(other, {"a": b"1"}) == []
    assert compiler(replace(cohort, batch_size=8), {"a": b"1"}) == ["a"]
    assert compiler(cohort, {"a": b"1"}, job="evaluate") == ["a"]
    assert here.stat().st_mode & 0o777 == 0o700


def test_another_processor_or_version_compiles_anew(
    cohort: Cohort,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    compiler: Callable[..., list[str]],
) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("model name\t: EPYC\nflags\t\t: fpu avx2 avx512f\n")
    monkeypatch.setattr(environment, "PROCESSORS", cpu)
    assert compiler(cohort, {"a": b"1"}) == ["a"]
    cpu.write_text("model name\t: EPYC\nflags\t\t: fpu avx2\n")
    assert compiler(cohort, {"a": b"2"}) == ["a"]
    monkeypatch.setattr(environment, "_version", lambda package: "99")
    assert compiler(cohort, {"a": b"3"}) == ["a"]
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert compiler(cohort, {"a": b"4"}) == ["a"]


@pytest.mark.parametrize("damage", ["truncated", "scribbled", "empty", "renamed"])
def test_a_damaged_one_is_compiled_anew(
    cohort: Cohort, here: Path, compiler: Callable[..., list[str]], capfd: Any, damage: str
) -> None:
    compiler(cohort, {"a": b"1" * 1000})
    path = entry(here)
    content = bytearray(path.read_bytes())
    if damage == "renamed":
        compiler(replace(cohort, batch_size=8), {"a": b"of another"})
        other = next(p for p in here.glob("*.programs") if p != path)
        other.replace(path)
    elif damage == "scribbled":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        os.truncate(path, 0 if damage == "empty" else len(content) - 1)
    assert compiler(cohort, {"a": b"1" * 1000}) == ["a"]
    said = f"compiled programs: a damaged or unreadable file in {here}: compiled anew\n"
    assert capfd.readouterr().err == said
    assert compiler(cohort, {"a": b"1" * 1000}) == []


def test_a_file_that_grows_begins_anew(
    cohort: Cohort, compiler: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MOST", 100)
    compiler(cohort, {"a": bytes(101)})
    compiler(cohort, {"b": b"1"})
    assert compiler(cohort, {"a": bytes(101), "b": b"1"}) == ["a"]


def test_what_a_killed_process_left_goes_after_a_day(
    cohort: Cohort, here: Path, compiler: Callable[..., list[str]]
) -> None:
    old, young = here / "unpacked-old", here / "unpacked-young"
    old.mkdir(parents=True)
    young.mkdir()
    here.chmod(0o700)
    then = old.stat().st_mtime - DAY - 60
    os.utime(old, (then, then))
    compiler(cohort, {"a": b"1"})
    assert not old.exists()
    assert young.exists()


def test_where_others_can_write_nothing_is_read(
    cohort: Cohort, here: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.mkdir()
    here.chmod(0o777)
    with programs.at_hand("train", cohort):
        assert list(here.iterdir()) == []
    assert "where others could put theirs; WARMSTART_PROGRAMS names another" in (
        capfd.readouterr().err
    )
    monkeypatch.setenv("WARMSTART_PROGRAMS", "off")
    programs._kept.cache_clear()
    assert programs._kept() is None
    monkeypatch.setenv("WARMSTART_PROGRAMS", str(here / "file" / "programs"))
    (here / "file").touch()
    programs._kept.cache_clear()
    assert programs._kept() is None
    assert "none are kept in" in capfd.readouterr().err


def test_a_full_disk_stops_nothing(
    cohort: Cohort,
    compiler: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: Any,
) -> None:
    @contextmanager
    def full(path: Path, *, lasting: bool) -> Iterator[Path]:
        raise OSError(28, "No space left on device")
        yield path

    monkeypatch.setattr(shelf, "replacing", full)
    assert compiler(cohort, {"a": b"1"}) == ["a"]
    assert "No space left on device; WARMSTART_PROGRAMS names another" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_same_bytes_cold_warm_damaged_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    if backend == "jax":
        pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", backend)
    here = tmp_path / "a place" / "programs"
    names = ("elu", "tanh")
    cohorts = [
        make_cohort(tmp_path, Arm(hidden=(8,), activation=Activation(name=name)), trials=2)
        for name in names
    ]
    # numbers in names of TensorFlow's functions depend on what was traced before
    other = cohorts[::-1] if backend == "tensorflow" else cohorts

    def train(name: str, order: list[Cohort], place: Path | str, workers: int = 1) -> list[Any]:
        monkeypatch.setenv("WARMSTART_PROGRAMS", str(place))
        with pool.start(Executor(workers=workers), tmp_path / name) as some:
            results = [some.train([cohort], name) for cohort in order]
            tested = some.evaluate(cohorts)
        store = Store(tmp_path / name)
        found: dict[str, Any] = {key: r.epochs for each in results for key, r in each.items()}
        return [found, tested, {key: store.weights(key) for key in found}]

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in here.glob("*.programs")}

    expected = train("without", cohorts, "off")
    assert not here.exists()
    found = {"cold": train("cold", cohorts, here)}
    kept = files()
    assert len(kept) >= len(cohorts)
    found["warm"] = train("warm", other, here)
    assert files() == kept  # so nothing was compiled
    for path in here.glob("*.programs"):
        path.write_bytes(path.read_bytes()[:-100] + bytes(100))
    found["damaged"] = train("damaged", cohorts, here, workers=2)
    assert files().keys() == kept.keys()
    for name, (epochs, tested, weights) in found.items():
        assert epochs == expected[0], name
        assert tested == expected[1], name
        for key, values in weights.items():
            for one, same in zip(values, expected[2][key], strict=True):
                np.testing.assert_array_equal(one, same, name)


def test_a_split_that_is_gone_is_left_to_whoever_reads_it(
    compiler: Callable[..., list[str]], cohort: Cohort
) -> None:
    cohort.splits[0].file.unlink()
    assert compiler(cohort, {"a": b"1"}) == ["a"]
