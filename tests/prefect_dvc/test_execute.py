"""One stage as a process: what became of it, what it said, and what is left of it."""

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from dvc import lock, rwlock
from dvc.fs import localfs

from foreign_project import hold, is_running
from prefect_dvc.execute import Companion, Outcome, Processes, _lines
from prefect_dvc.pages import is_alive


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


def bring(stage: str, *, force: bool = False) -> tuple[Outcome, list[str]]:
    lines: list[str] = []
    with closing(Processes(force=force)) as processes:
        return processes.run(stage, lines.append), lines


def add_stage(project: Path, command: str) -> None:
    with (project / "dvc.yaml").open("a") as file:
        file.write(f"  more:\n    cmd: {command}\n    outs: [more.txt]\n")


def test_ran_unchanged_restored_and_forced(here: Path) -> None:
    assert bring("split")[0].name == "Ran"
    assert bring("split")[0].name == "Unchanged"
    (here / "split.txt").unlink()
    assert bring("split")[0].name == "Restored"
    assert (here / "split.txt").read_text() == "3\n"
    assert bring("split", force=True)[0].name == "Ran"


def test_a_failure_tells_dvcs_reason_and_is_no_matter_of_locks(here: Path) -> None:
    add_stage(here, "echo 'the printer is busy, it is being blocked'; exit 3")
    outcome, lines = bring("more")
    assert (outcome.name, outcome.locked) == ("Failed", False)
    assert outcome.reason.startswith("failed to run: echo 'the printer is busy")
    assert outcome.reason.endswith("exited with 3; it said: " + lines[-2])
    assert "the printer is busy, it is being blocked" in lines


def test_what_a_stage_calls_an_error_is_the_reason_whole_and_nothing_else(here: Path) -> None:
    problems = "error: a: expected 1, received 2\nnoise\nerror: b: expected 3, received 4\n"
    (here / "problems").write_text(problems)
    add_stage(here, "cat problems; exit 2")
    outcome, lines = bring("more")
    assert outcome.reason == "a: expected 1, received 2\nb: expected 3, received 4"
    assert {*problems.splitlines()} < {*lines}


def test_of_a_traceback_the_last_line_is_the_reason(here: Path) -> None:
    add_stage(here, "python -c '1/0'")
    words = "exited with 1; it said: ZeroDivisionError: division by zero"
    assert bring("more")[0].reason == f"failed to run: python -c '1/0', {words}"


EXPLAIN = (sys.executable, "-c", "import sys; sys.exit('error: raw: nothing there\\nnoise')")


def test_where_dvc_cannot_start_a_stage_the_project_is_asked_why(here: Path) -> None:
    (here / "raw.txt").unlink()
    (here / "raw.txt.dvc").unlink()
    with closing(Processes(explain=EXPLAIN)) as processes:
        outcome = processes.run("split", print)
    assert (outcome.name, outcome.reason) == ("Failed", "raw: nothing there")
    # a stage that has started speaks for itself
    add_stage(here, "exit 3")
    with closing(Processes(explain=EXPLAIN)) as processes:
        assert "nothing there" not in processes.run("more", print).reason


def test_data_that_dvc_knows_and_has_not_are_named(here: Path) -> None:
    (here / "raw.txt").unlink()
    shutil.rmtree(here / ".dvc/cache")
    assert bring("split")[0].reason == (
        "raw.txt: expected data in DVC's cache or on its remote, since raw.txt.dvc is here, "
        "received none; `dvc push` where they are"
    )


@pytest.mark.parametrize(
    ("raw", "moves"),
    [
        ("A, seed 3:  42%|####  | 21/50, 0:12 left\r", [(42, "A, seed 3: 21/50, 0:12 left")]),
        ("A, seed 3:  42%| 21/50, 0:12 left\n", [(42, "A, seed 3: 21/50, 0:12 left")]),
        ("training 60%\r", [(60, "training")]),
        ("7%\r", [(7, "")]),
        ("30% of the labels\n", []),
    ],
)
def test_progress_is_told_with_its_part(raw: str, moves: list[tuple[float, str]]) -> None:
    found: list[tuple[float, str]] = []
    assert list(_lines([raw], lambda *move: found.append(move))) == [raw.strip()]
    assert found == moves


def accompany(*command: str) -> tuple[Outcome, list[str]]:
    """What a command beside the stages says, and how it ends, after its input has ended."""
    lines: list[str] = []
    companion = Companion(command)
    with ThreadPoolExecutor(1) as thread:
        outcome = thread.submit(companion.run, lines.append)
        companion.close()
        return outcome.result(), lines


def test_a_command_beside_the_stages_ends_with_its_input() -> None:
    code = "import sys; print('at work', flush=True); sys.stdin.read(); print('3 published')"
    outcome, lines = accompany(sys.executable, "-c", code)
    assert (outcome.name, outcome.reason) == ("Ran", "3 published")
    assert lines == ["at work", "3 published"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["sh", "-c", "echo 'error: no server'; echo more; exit 2"], "no server"),
        (["sh", "-c", "echo half; exit 3"], "exit code 3; it said: half"),
        (["nowhere-to-be-found"], "nowhere-to-be-found: expected a command, received: No such "),
    ],
)
def test_a_command_beside_the_stages_that_fails_says_why(command: list[str], reason: str) -> None:
    outcome, _ = accompany(*command)
    assert outcome.name == "Failed"
    assert outcome.reason.startswith(reason)


def test_what_a_stage_says_is_not_taken_for_what_dvc_says(here: Path) -> None:
    add_stage(here, "echo \"Stage 'more' didn't change, skipping\"; touch more.txt")
    assert bring("more")[0].name == "Ran"


def test_a_progress_bar_shows_only_its_last_state(here: Path) -> None:
    add_stage(here, "printf '\\r10%%\\r50%%\\r100%%\\r\\ndone\\n' | tee more.txt")
    _, lines = bring("more")
    assert [line for line in lines if line in {"10%", "50%", "100%", "done"}] == ["100%", "done"]


def test_lines_come_while_the_stage_runs(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage goes on only when its first line was seen; Python would keep it to the end."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    (here / "ask.py").write_text(
        "import pathlib, sys, time\n"
        "print('question')\n"
        "for _ in range(100):\n"
        "    if pathlib.Path('answer').exists():\n"
        "        sys.exit(pathlib.Path('more.txt').write_text('42') - 2)\n"
        "    time.sleep(0.1)\n"
        "sys.exit(1)\n"
    )
    add_stage(here, "python ask.py")

    def answer(line: str) -> None:
        if line == "question":
            (here / "answer").touch()

    with closing(Processes()) as processes:
        assert processes.run("more", answer).name == "Ran"


def test_python_in_dvc_yaml_is_the_one_that_runs_the_flow(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    add_stage(here, "python -c 'import sys; print(sys.executable)' > more.txt")
    assert bring("more")[0].name == "Ran"
    assert (here / "more.txt").read_text().strip() == sys.executable


def test_a_stage_that_another_process_holds_is_locked(here: Path) -> None:
    hold(here, "alone.txt")
    outcome, _ = bring("alone")
    assert (outcome.name, outcome.locked) == ("Failed", True)


def test_closing_ends_the_whole_tree_and_starts_no_more(here: Path) -> None:
    """The shell, a child of its own, and one in a session of its own that ignores SIGTERM."""
    (here / "tree.sh").write_text(
        "sleep 600 & echo child $!\n"
        "trap '' TERM; setsid sleep 600 & echo child $!\n"
        "echo child $$; wait\n"
    )
    add_stage(here, "bash tree.sh")
    processes, pids, started = Processes(), [], threading.Event()

    def note(line: str) -> None:
        if line.startswith("child "):
            pids.append(line.split()[1])
        if len(pids) == 3:
            started.set()

    thread = threading.Thread(target=lambda: processes.run("more", note), daemon=True)
    thread.start()
    assert started.wait(30)
    processes.close()
    thread.join(30)
    assert not thread.is_alive()
    assert [pid for pid in pids if is_running(pid)] == []
    assert processes.run("alone", print).name == "Failed"
    assert not (here / "alone.txt").exists()


def test_a_time_limit_ends_the_stage(here: Path) -> None:
    add_stage(here, "sleep 600 & echo $! > pid; sleep 601")
    with closing(Processes(minutes=0.05)) as processes:
        outcome = processes.run("more", print)
    assert (outcome.name, outcome.reason) == ("Failed", "ended after 0.05 minutes, its limit")
    assert not is_running((here / "pid").read_text().strip())


def test_what_a_stage_leaves_behind_ends_with_it(here: Path) -> None:
    """Also where it holds the stage's output, which would keep the task open."""
    add_stage(here, "setsid sleep 600 & echo $! > pid; touch more.txt")
    assert bring("more")[0].name == "Ran"
    assert not is_running((here / "pid").read_text().strip())


def test_a_process_is_known_by_pid_and_start_and_by_nothing_else() -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        pid, created = str(other.pid), psutil.Process(other.pid).create_time()
        assert is_alive(pid, str(created))
        assert is_alive(pid, str(created - 1))  # the clock was set
        assert not is_alive(pid, str(created - 60))  # of one that had this pid before
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(pid, str(created))  # though it was not buried yet
    assert not is_alive(pid, str(created))


def test_dvc_looks_again_for_a_short_lock_after_a_twentieth_of_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And as often as it takes, also for the guard of the list of held paths."""
    held = lock.make_lock(str(tmp_path / rwlock.RWLOCK_LOCK))
    held.lock()
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 9:
            held.unlock()

    monkeypatch.setattr(lock, "time", SimpleNamespace(sleep=sleep))
    with rwlock._edit_rwlock(str(tmp_path), localfs, hardlink=False):
        pass
    assert waited == pytest.approx([0.05] * 9)
