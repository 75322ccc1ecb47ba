"""DVC's own files cut off anywhere: the next run from a terminal notices, and ends with the same
outputs. And a signal to it reaches all that it has started."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from dvc import cli
from test_killed import processes_with

from foreign_project import dvc, environment, wait_until
from prefect_dvc import dvc_changes, dvc_process, graph

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")
DOOR = [sys.executable, "-P", dvc_process.__file__, "dvc"]
STAGES = """\
stages:
  split: {cmd: cat raw.txt > split.txt, deps: [raw.txt], outs: [split.txt]}
  many:
    cmd: mkdir -p many; cp split.txt many/a; echo 8 > many/b
    deps: [split.txt]
    outs: [many]
"""
OUTPUTS = {"split.txt": "3\n", "many/a": "3\n", "many/b": "8\n"}
assert graph.dvc_changes is dvc_changes  # it has changed DVC in this process


@pytest.fixture
def small(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two stages, one with a folder, that have run."""
    (project / "dvc.yaml").write_text(STAGES)
    dvc(project, "repro")
    monkeypatch.chdir(project)
    return project


def cut(whole: bytes) -> Iterator[bytes]:
    yield from dict.fromkeys((b"", whole[: len(whole) // 2], whole[:-1]))


@pytest.mark.slow
@pytest.mark.parametrize("gone", [False, True], ids=["outputs are there", "outputs are gone"])
def test_each_file_of_dvcs_cut_off_at_three_lengths(small: Path, gone: bool) -> None:
    """Read-only objects of the cache, too, which DVC takes for whole."""
    files = [p for f in (".dvc/tmp", ".dvc/cache") for p in (small / f).rglob("*") if p.is_file()]
    assert len(files) >= 9
    for file in files:
        whole, mode = file.read_bytes(), file.stat().st_mode
        for rest in cut(whole):
            file.chmod(0o644)
            file.write_bytes(rest)
            file.chmod(mode)
            if gone:
                for name in (*OUTPUTS, "dvc.lock"):
                    (small / name).unlink()
            assert cli.main(["repro"]) == 0, (file, len(rest))
            found = {name: (small / name).read_text() for name in OUTPUTS}
            assert found == OUTPUTS, (file, len(rest))
            if gone and "cache" in file.parts:
                assert file.read_bytes().strip() == whole.strip(), (file, len(rest))


def test_a_read_only_object_that_is_cut_off_is_noticed(small: Path) -> None:
    (object_,) = [
        p for p in (small / ".dvc/cache/files").rglob("*") if p.is_file() and p.read_text() == "8\n"
    ]
    object_.chmod(0o644)
    object_.write_text("")
    object_.chmod(0o444)
    (small / "many/b").unlink()
    assert cli.main(["repro"]) == 0
    assert ((small / "many/b").read_text(), object_.read_text()) == ("8\n", "8\n")


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGHUP, signal.SIGINT)),
    ],
)
def test_a_signal_to_dvc_reaches_all_that_it_has_started(project: Path, number: int) -> None:
    with (project / "dvc.yaml").open("a") as file:
        file.write("  more: {cmd: bash more.sh, outs: [more.txt]}\n")
    (project / "more.sh").write_text("setsid sleep 600 & touch begun; exec sleep 601\n")
    entry = f"TEST_OF_SIGNAL={uuid4().hex}"
    env = environment(**dict([entry.split("=")]))
    with (project / "log").open("w") as log:
        process = subprocess.Popen(
            [*DOOR, "repro", "more"], cwd=project, env=env, stdout=log, stderr=log
        )
        wait_until((project / "begun").exists, (project / "log").read_text)
        process.send_signal(number)
        code = process.wait(60)
    said = (project / "log").read_text()
    assert code == 128 + number
    wait_until(lambda: not processes_with(entry), partial(processes_with, entry))
    assert "Traceback" not in said
    assert "ERROR" not in said


def test_a_second_run_says_who_is_at_work_and_waits(small: Path) -> None:
    from prefect_dvc.place import occupied

    with occupied():
        second = subprocess.Popen([*DOOR, "repro"], stdout=subprocess.PIPE, text=True)
        assert second.stdout
        said = second.stdout.readline()
    assert said == f"{small}: another run works here (process {os.getpid()}): waiting\n"
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "up to date" in out
