"""Whatever is lost of a stage's files, or fails while it writes them: run again, it writes the
bytes that it would have written, and nothing half-written stays."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from damages import damaging, files
from faults import faulty
from in_process import Here

from test_compare import study
from warmstart.config.params import Executor
from warmstart.errors import InputError
from warmstart.files import write_sealed
from warmstart.runtime import pool
from warmstart.runtime.pool import Work
from warmstart.runtime.store import Checkpoint, begin
from warmstart.stages.run import run
from warmstart.training.trials import Cohort

pytestmark = pytest.mark.slow

OUTPUTS = ("records.parquet", "kept.json", "best.keras")
MORTAL = Path(__file__).parents[1] / "mortal_prepare.py"


class Mortal(Here):
    """Dies after so many reports of epochs."""

    left = 10**9

    def submit(self, work: Work, cohort: Cohort) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(cohort, self._folder, self._report))
        return done

    def _report(self, epochs: int) -> None:
        Mortal.left -= 1
        if Mortal.left < 0:
            raise RuntimeError("killed")
        self._reports.put(epochs)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, bytes]]:
    """Run a study of four trials in a folder of its own -> its outputs."""

    @contextmanager
    def start(options: Executor, folder: Path) -> Iterator[Any]:
        yield pool._workers(Mortal(folder), folder, ["code"], options)

    def stage(name: str, dies_after: int = 10**9) -> dict[str, bytes]:
        folder = tmp_path / name
        monkeypatch.setattr(Mortal, "left", dies_after)
        made = study(folder / "data", splits="resampled", seeds=2, learning_rates=[0.1])
        model = Path("best.keras")
        with monkeypatch.context() as there:
            there.chdir(folder)
            run({folder: made}, Executor(), model, folder=folder / ".warmstart/compare@one")
        assert not (folder / ".warmstart/compare@one").exists()
        assert not list(folder.rglob(".unfinished-*"))
        return {name: (folder / name).read_bytes() for name in OUTPUTS}

    monkeypatch.setattr(pool, "start", start)
    monkeypatch.setattr(Checkpoint, "SECONDS", 0.0)
    return stage


def test_unfinished_work_that_is_damaged_is_trained_again(
    tmp_path: Path, stage: Callable[..., dict[str, bytes]], capfd: pytest.CaptureFixture[str]
) -> None:
    whole = stage("whole")
    with pytest.raises(RuntimeError, match="killed"):
        stage("killed", dies_after=7)
    kept, place = tmp_path / "kept", tmp_path / "killed/.warmstart"
    shutil.copytree(place, kept)
    folder = place / "compare@one"
    left = [path.relative_to(place) for path in files(place)]
    kinds = {path.parts[1] if path.suffix == ".json" else len(path.parts) for path in left}
    assert kinds == {"decided_by.json", "trials.json", 2, 3}  # finished trials, in training
    for path in left:
        for damage in damaging(kept / path, flips=(0.1, 0.6)):
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(kept, place)
            capfd.readouterr()
            assert stage("killed") == whole, (path, damage)
            said = [line for line in capfd.readouterr().err.splitlines() if "anew" in line]
            if path.name == "decided_by.json":
                why = "of unknown code, since decided_by.json is damaged"
                assert said in ([f"{folder}: {_finished(left)} trials {why}: trained anew"], [])
            elif path.name == "trials.json":
                assert said == []
            elif "cut off" in damage:
                assert said == [f"{folder}: 1 trials cut off or damaged: trained anew"]


def _finished(left: list[Path]) -> int:
    return sum(path.suffix == ".npz" and len(path.parts) == 2 for path in left)


def test_a_disk_that_is_full_at_any_step_costs_nothing_but_another_run(
    tmp_path: Path, stage: Callable[..., dict[str, bytes]]
) -> None:
    whole = stage("whole")
    with faulty(tmp_path) as undisturbed:
        assert stage("undisturbed") == whole
    failures = 0
    for number in range(1, undisturbed.count, 4):
        name = str(number)
        with faulty(tmp_path, number), suppress(OSError, InputError):
            stage(name)
            failures -= 1  # it went on without what it could not write
        failures += 1
        assert not list((tmp_path / name).rglob(".unfinished-*")), number
        assert stage(name) == whole, number
        shutil.rmtree(tmp_path / name)
    assert failures > 0.8 * undisturbed.count // 4


def test_prepare_killed_at_any_step(tmp_path: Path) -> None:
    command = [sys.executable, str(MORTAL), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    times = int(done.stdout.splitlines()[-1].removeprefix("killed: "))
    assert times >= 4 * 6  # files, each opened, synchronized, renamed, its folder synchronized


def test_what_is_whole_is_kept(tmp_path: Path) -> None:
    """A note of another time is no reason to train again."""
    folder = tmp_path / "stage"
    begin(folder, ["code"])
    write_sealed(folder / "trials.json", {"trials": []})
    before = {path: path.read_bytes() for path in files(folder)}
    begin(folder, ["code"])
    assert {path: path.read_bytes() for path in files(folder)} == before
