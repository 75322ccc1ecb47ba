"""A trial is never trained twice on a machine, and never taken for another."""

import errno
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import workers

from small_task import make_cohort
from warmstart.config.arm import Arm
from warmstart.runtime import environment, finished, shelf
from warmstart.runtime.finished import Finished, decided_by
from warmstart.runtime.store import Store, begin
from warmstart.training import setup
from warmstart.training.outcomes import EPOCH_METRICS, Result
from warmstart.training.trials import Cohort

NETWORK = Arm(hidden=(4,))
LARGE = 10**9


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return make_cohort(tmp_path, NETWORK)


def keys(cohort: Cohort) -> list[str]:
    return [cohort.key(trial) for trial in cohort.trials]


def files(folder: Path) -> dict[str, bytes]:
    """The finished trials in the folder of a stage."""
    return {path.name: path.read_bytes() for path in folder.glob("*.npz")}


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.trial"))


def test_what_one_stage_trained_another_finds(cohort: Cohort, tmp_path: Path, capfd: Any) -> None:
    here = tmp_path / "cache" / "trials"
    first = workers(tmp_path / "1", Finished(here, "code", LARGE))
    trained = first.train([cohort], "first")
    assert len(first.trained) == 4
    assert capfd.readouterr().err.startswith("first:   0%| 0/4 trials, ? left\n")
    second = workers(tmp_path / "2", Finished(here, "code", LARGE))
    assert second.train([cohort], "second") == trained
    assert second.pieces == []
    assert second.trained == []  # so its times do not count them
    assert capfd.readouterr().err == (
        "second: 4 of 4 trials were trained before\nsecond: 100%| 4/4 trials, in 00:00\n"
    )
    assert files(tmp_path / "2") == files(tmp_path / "1")
    assert second.evaluate([cohort]) == first.evaluate([cohort])


def test_only_what_is_new_is_trained_by_all_workers(cohort: Cohort, tmp_path: Path) -> None:
    here = tmp_path / "trials"
    workers(tmp_path / "1", Finished(here, "code", LARGE)).train([cohort], "four seeds")
    more = make_cohort(tmp_path, NETWORK, trials=6)
    second = workers(tmp_path / "2", Finished(here, "code", LARGE))
    found = second.train([more], "six seeds")
    assert second.pieces == [[key] for key in keys(more)[4:]]
    alone = workers(tmp_path / "3")
    expected = alone.train([more], "six seeds, alone")
    assert {k: r.epochs for k, r in found.items()} == {k: r.epochs for k, r in expected.items()}


def test_other_code_trains_anew(cohort: Cohort, tmp_path: Path) -> None:
    here = tmp_path / "trials"
    for number, code in enumerate(("one", "other")):
        some = workers(tmp_path / str(number), Finished(here, code, LARGE))
        some.train([cohort], code)
        assert len(some.trained) == 4
    assert len(entries(here)) == 8


def test_what_a_killed_run_had_finished_is_found_elsewhere(cohort: Cohort, tmp_path: Path) -> None:
    here = tmp_path / "trials"
    killed = workers(tmp_path / "1", Finished(here, "code", LARGE), pieces=1)
    with pytest.raises(RuntimeError, match="killed"):
        killed.train([cohort], "killed")
    elsewhere = workers(tmp_path / "2", Finished(here, "code", LARGE))
    elsewhere.train([cohort], "elsewhere")
    assert [key for piece in elsewhere.pieces for key in piece] == keys(cohort)[2:]
    # and where it was killed it goes on as ever, also without
    again = workers(tmp_path / "1")
    again.train([cohort], "again")
    assert [key for piece in again.pieces for key in piece] == keys(cohort)[2:]


def flip(path: Path, _: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def unreadable(path: Path, _: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "truncated": lambda path, _: os.truncate(path, path.stat().st_size - 1),
    "empty": lambda path, _: os.truncate(path, 0),
    "flipped": flip,
    "of another trial": lambda path, other: shutil.copy(other, path),
    "unreadable": unreadable,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_trained_anew(
    cohort: Cohort, tmp_path: Path, capfd: Any, damage: str
) -> None:
    here = tmp_path / "trials"
    trained = workers(tmp_path / "1", Finished(here, "code", LARGE)).train([cohort], "first")
    victim, other, *_ = entries(here)
    whole = victim.read_bytes()
    DAMAGES[damage](victim, other)
    capfd.readouterr()
    second = workers(tmp_path / "2", Finished(here, "code", LARGE))
    found = second.train([cohort], "second")
    said = [line for line in capfd.readouterr().err.splitlines() if "finished trials" in line]
    assert said == [f"finished trials: 1 damaged or unreadable in {here}: trained anew"]
    assert [result.key for result in second.trained] == [victim.stem.partition("-")[2]]
    assert {k: r.epochs for k, r in found.items()} == {k: r.epochs for k, r in trained.items()}
    for key in keys(cohort):
        for one, same in zip(
            Store(tmp_path / "1").weights(key), Store(tmp_path / "2").weights(key), strict=True
        ):
            np.testing.assert_array_equal(one, same)
    if damage != "unreadable":  # a folder in its place stays
        assert len(victim.read_bytes()) == len(whole)
    third = workers(tmp_path / "3", Finished(here, "code", LARGE))
    third.train([cohort], "third")
    assert len(third.trained) == (damage == "unreadable")


@contextmanager
def full(path: Path, *, lasting: bool) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    yield


@pytest.mark.parametrize("how", ["a file in its place", "a full disk"])
def test_where_nothing_can_be_kept_the_run_goes_on(
    cohort: Cohort, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    here = tmp_path / "trials"
    if how == "a full disk":
        monkeypatch.setattr(shelf, "replacing", full)
    else:
        here.write_text("mine")
    some = workers(tmp_path / "1", Finished(here, "code", LARGE))
    assert len(some.train([cohort], "a study")) == 4
    said = [line for line in capfd.readouterr().err.splitlines() if "finished trials" in line]
    reason = "No space left on device" if how == "a full disk" else "File exists"
    assert said == [
        f"finished trials: none are kept in {here}: {reason}; WARMSTART_TRIALS names another"
    ]
    if how != "a full disk":
        assert here.read_text() == "mine"


def made_up(folder: Path, number: int) -> str:
    """Key of a trial of some 4 kB that is written into `folder` without training."""
    key, curve = f"{number:064x}", (float(number),)
    result = Result(
        key=key,
        outcome="completed",
        epochs=dict.fromkeys(EPOCH_METRICS, curve),
        samples=1,
        train_seconds=1.0,
    )
    Store(folder).write(result, [np.full(500, number, np.float32)])
    return key


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in entries(folder))


def test_the_limit_holds_and_the_least_used_go(tmp_path: Path) -> None:
    here, stage, empty = tmp_path / "trials", tmp_path / "stage", tmp_path / "empty"
    first = made_up(stage, 0)
    one = len(Store(stage).path(first).read_bytes()) + 32
    limit, used = 20 * one, first
    some = Finished(here, "code", limit)
    here.mkdir()
    (here / "letter.txt").write_text("no trial")
    for number in range(60):
        key = made_up(stage, number)
        some.keep([key], Store(stage))
        assert size(here) <= limit, number
        now = 10**9 + number  # seconds: the clock of files is coarse
        os.utime(here / f"code-{key}.trial", (now, now))
        assert some.fetch([used], Store(empty)) == {used}  # which makes it the youngest
        os.utime(here / f"code-{used}.trial", (now + 0.5, now + 0.5))
    left = {path.stem.partition("-")[2] for path in entries(here)}
    assert left == {used, *(f"{n:064x}" for n in range(60 - len(left) + 1, 60))}
    assert len(left) >= 18  # one twentieth of the limit is cleared at a time
    assert (here / "letter.txt").exists()


def test_using_one_makes_it_young(tmp_path: Path) -> None:
    here, stage = tmp_path / "trials", tmp_path / "stage"
    some, key = Finished(here, "code", LARGE), made_up(stage, 1)
    some.keep([key], Store(stage))
    (entry,) = entries(here)
    os.utime(entry, (1, 1))
    assert some.fetch([key], Store(tmp_path / "empty")) == {key}
    assert entry.stat().st_mtime > 10**9


def test_one_that_exceeds_the_limit_drives_out_no_other(tmp_path: Path) -> None:
    here, stage = tmp_path / "trials", tmp_path / "stage"
    small, large = made_up(stage, 1), "f" * 64
    Finished(here, "code", 10_000).keep([small], Store(stage))
    shutil.copy(Store(stage).path(small), Store(stage).path(large))
    with Store(stage).path(large).open("ab") as file:
        file.write(bytes(10_000))
    Finished(here, "code", 10_000).keep([large], Store(stage))
    assert [path.stem for path in entries(here)] == [f"code-{small}"]


def use(here: Path, folder: Path, start: int, limit: int) -> int:
    """Keep 150 trials, half of which another process keeps too, and look for all those; how many
    were found. Each of those found is whole."""
    some, found = Finished(here, "code", limit), 0
    for number in range(start, start + 150):
        some.keep([made_up(folder, number)], Store(folder))
        there = folder / str(number)
        for key in some.fetch([f"{n:064x}" for n in range(number - 8, number + 8)], Store(there)):
            (weights,) = Store(there).weights(key)
            np.testing.assert_array_equal(weights, np.full(500, int(key, 16), np.float32))
            found += 1
    return found


def test_several_processes_use_them_at_once(tmp_path: Path, capfd: Any) -> None:
    here, limit = tmp_path / "trials", 100_000
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        pair = [pool.submit(use, here, tmp_path / str(n), n * 75, limit) for n in range(2)]
        assert all(one.result() > 150 for one in pair)
    assert capfd.readouterr().err == ""
    assert 0.5 * limit < size(here) <= limit * 1.1  # each may write a twentieth unseen
    assert len(list(here.iterdir())) == len(entries(here))


def test_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def folder(*alike: str, limit: int = 1) -> Path | None:
        found = Finished.of_machine(alike, limit)
        return found and found._shelf.folder

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folder("code") is None  # no test uses the user's
    for unset in ("", None):
        monkeypatch.delenv("WARMSTART_TRIALS") if unset is None else monkeypatch.setenv(
            "WARMSTART_TRIALS", unset
        )
        assert folder("code") == tmp_path / "warmstart" / "trials"
    monkeypatch.setenv("WARMSTART_TRIALS", str(tmp_path / "mine"))
    assert folder("code", "code") == tmp_path / "mine"
    assert folder("code", limit=0) is None
    assert folder("code", "other") is None  # workers that do not compute alike
    assert folder() is None


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's source, to be changed."""
    copy = shutil.copytree(finished._PACKAGE, tmp_path / "warmstart")
    monkeypatch.setattr(finished, "_PACKAGE", copy)
    return copy


def test_all_that_trains_is_part_of_the_name(package: Path) -> None:
    seen = {decided_by("tensorflow"), decided_by("jax")}
    assert len(seen) == 2
    for name in (
        "training/backends/jax.py",
        "networks/building.py",
        "data/split.py",
        "config/arm.py",
        "seeds.py",
        "runtime/store.py",
    ):
        path = package / name
        path.write_text(f"{path.read_text()}# a comment\n")
        seen.add(decided_by("tensorflow"))
    (package / "training/probe.py").rename(package / "training/prober.py")
    seen.add(decided_by("tensorflow"))
    assert len(seen) == 2 + 6 + 1
    for name in ("runtime/pool.py", "analysis/page.py", "tracking/runs.py", "stages/study.py"):
        path = package / name
        path.write_text(f"{path.read_text()}# a comment\n")
    assert decided_by("tensorflow") in seen


def test_all_that_rounds_is_part_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("model name\t: EPYC\nflags\t\t: fpu avx2\ncpu MHz\t: 2000\n")
    monkeypatch.setattr(environment, "PROCESSORS", cpu)
    for name in [n for n in os.environ if n.startswith(environment._SETTINGS)]:
        monkeypatch.delenv(name)
    plain = decided_by("tensorflow")
    # neither what workers set themselves nor what changes from day to day
    for name, value in {**setup.VARIABLES, "XLA_FLAGS": setup.XLA_FLAGS, "TF_VAR_x": "1"}.items():
        monkeypatch.setenv(name, value)
    cpu.write_text(cpu.read_text().replace("2000", "3000"))
    assert decided_by("tensorflow") == plain
    seen = {plain}
    monkeypatch.setenv("XLA_FLAGS", f"--xla_cpu_enable_fast_math=true {setup.XLA_FLAGS}")
    seen.add(decided_by("tensorflow"))
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    seen.add(decided_by("tensorflow"))
    cpu.write_text(cpu.read_text().replace("avx2", "avx2 avx512f"))
    seen.add(decided_by("tensorflow"))
    monkeypatch.setattr(environment, "_version", lambda package: "99")
    seen.add(decided_by("tensorflow"))
    monkeypatch.setattr(environment, "gpus", lambda backend: ["0"])
    monkeypatch.setattr(environment, "gpu_names", lambda: ["H100"])
    seen.add(decided_by("tensorflow"))
    assert len(seen) == 6


def test_a_stage_drops_what_other_code_left_unfinished(tmp_path: Path, capfd: Any) -> None:
    begin(tmp_path, ["code"])
    key = made_up(tmp_path, 1)
    checkpoint = tmp_path / "running" / "trials.npz"
    checkpoint.parent.mkdir()
    np.savez(checkpoint, rows=[1])
    (tmp_path / "unlabelled.npz").touch()  # of the stage itself
    begin(tmp_path, ["code", "code"])
    assert Store(tmp_path).read(key)
    assert checkpoint.exists()
    assert capfd.readouterr().err == ""
    begin(tmp_path, ["other"])
    assert Store(tmp_path).read(key) is None
    assert not checkpoint.exists()
    assert (tmp_path / "unlabelled.npz").exists()
    expected = f"{tmp_path}: 1 trials of other code or another machine: trained anew\n"
    assert capfd.readouterr().err == expected
