"""Workers that the server of a run forks: as those that a stage starts, in what they are, give and
leave."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from warmstart.runtime import alike, fork_server, forked
from warmstart.training import setup

TESTS = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)]),
    "WARMSTART_TRIALS": "off",
}


def ask(folder: Path, what: str, backend: str) -> Any:
    """What `forking` says in `folder`."""
    done = subprocess.run(
        [sys.executable, "-m", "forking", what, backend],
        cwd=folder,
        env=ENVIRONMENT | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("backend", ["jax", pytest.param("tensorflow", marks=pytest.mark.slow)])
def test_a_forked_worker_is_as_one_that_its_stage_starts(backend: str, tmp_path: Path) -> None:
    (alone,), forked_ones, folder_left, address_left = ask(tmp_path, "about", backend)
    _, parent = alone.pop("own")
    assert "forking" in parent
    owns = [worker.pop("own") for worker in forked_ones]
    assert all("warmstart.runtime.fork_server" in parent for _, parent in owns)
    assert owns[0][0] != owns[1][0]  # each draws numbers of its own
    for worker in forked_ones:
        del worker["environment"][alike.ADDRESS]
        assert worker == alone
    assert not folder_left
    assert not address_left


def test_a_server_that_will_be_asked_loads_meanwhile(tmp_path: Path) -> None:
    assert ask(tmp_path, "loads", "jax")


@pytest.mark.slow
@pytest.mark.parametrize("backend", setup.BACKENDS)
def test_a_forked_worker_gives_the_same_bytes(backend: str, tmp_path: Path) -> None:
    own, of_server = ask(tmp_path, "same", backend)
    assert own == of_server


@pytest.mark.slow
def test_a_worker_outlives_its_server_and_the_next_are_the_stages_own(tmp_path: Path) -> None:
    went_on, parent = ask(tmp_path, "kill_server", "jax")
    assert went_on
    assert "forking" in parent


@pytest.mark.slow
def test_a_forked_worker_that_is_killed_is_told_of_with_its_memory(tmp_path: Path) -> None:
    (line,) = ask(tmp_path, "kill_worker", "jax")
    assert "one was ended by SIGKILL" in line
    assert float(line.partition("the largest process took ")[2].split()[0]) > 0.0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_stage_that_is_ended(number: int, tmp_path: Path) -> None:
    # that of pytest may be longer than an address can be
    with (
        TemporaryDirectory() as temporary,
        subprocess.Popen(
            [sys.executable, "-m", "forking", "endless", "jax"],
            cwd=tmp_path,
            env=ENVIRONMENT | {"KERAS_BACKEND": "jax", "TMPDIR": temporary},
            stdout=subprocess.PIPE,
            text=True,
        ) as stage,
    ):
        try:
            assert stage.stdout
            pids = [int(pid) for pid in stage.stdout.readline().split()]
            left = [psutil.Process(pid) for pid in pids]
            assert "warmstart.runtime.fork_server" in left[1].cmdline()
            assert list(Path(temporary).glob("warmstart-*"))
            stage.send_signal(number)
            assert not psutil.wait_procs(left, 20)[1]
            assert not list(Path(temporary).glob("warmstart-*"))
        finally:
            stage.kill()


def test_the_line_tells_what_decides_a_worker_and_not_who_has_started_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = alike.line("jax")
    monkeypatch.setenv("DVC_STAGE", "another")
    assert alike.line("jax") == before
    lines = {before, alike.line("tensorflow")}
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    lines.add(alike.line("jax"))
    monkeypatch.setattr(sys, "path", [*sys.path, "elsewhere"])
    lines.add(alike.line("jax"))
    mask = os.umask(0o027)
    try:
        lines.add(alike.line("jax"))
    finally:
        os.umask(mask)
    assert len(lines) == 5


def test_without_a_server_there_is_no_worker_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(alike.ADDRESS, raising=False)
    with pytest.raises(forked.Refused):
        forked._ask("jax", [])
    monkeypatch.setenv(alike.ADDRESS, str(tmp_path / "socket"))
    with pytest.raises(forked.Refused):
        forked._ask("jax", [])


def test_a_server_that_nobody_asks_loads_nothing() -> None:
    code = (
        f"import sys, {fork_server.__name__}\n"
        "print({'numpy', 'keras', 'jax', 'tensorflow', 'pydantic'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
