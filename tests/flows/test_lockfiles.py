"""What a killed DVC leaves half written, and the order of dvc.lock."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.graph import read_stages
from flows.lockfiles import lock_in_order, mend_lock
from flows.stage import StageProcesses
from foreign_project import FlowRun, dvc, git

# DVC's own, inside the trie of its outputs
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

HEAD = "schema: '2.0'\nstages:\n"


def entries(*names: str) -> str:
    return "".join(f"  {name}:\n    cmd: x # of {name}\n" for name in names)


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


def test_the_lock_takes_bare_dvcs_order_and_keeps_what_was_there(here: Path) -> None:
    lock = here / "dvc.lock"
    lock.write_text(HEAD + entries("alone"))
    with lock_in_order(read_stages()), lock.open("a") as file:
        file.write(entries("right", "left", "split"))
    assert lock.read_text() == HEAD + entries("alone", "split", "left", "right")


def test_the_flow_after_a_killed_one_puts_that_ones_entries_in_order_too(here: Path) -> None:
    lock = here / "dvc.lock"
    lock.write_text(HEAD + entries("alone"))
    killed = lock_in_order(read_stages())
    killed.__enter__()
    with lock.open("a") as file:
        file.write(entries("right", "split"))
    with lock_in_order(read_stages()), lock.open("a") as file:
        file.write(entries("left"))
    assert lock.read_text() == HEAD + entries("alone", "split", "left", "right")
    assert not (here / ".dvc/tmp/flow.dvc.lock").exists()


def test_what_a_killed_flow_lost_comes_back_at_its_place(here: Path) -> None:
    """Cut in the middle of an entry, the lock may still be one that DVC can read."""
    lock = here / "dvc.lock"
    lock.write_text(HEAD + entries("split", "left"))
    killed = lock_in_order(read_stages())
    killed.__enter__()
    lock.write_text(HEAD + entries("split"))
    with lock_in_order(read_stages()), lock.open("a") as file:
        file.write(entries("right", "left"))
    assert lock.read_text() == HEAD + entries("split", "left", "right")


def test_wherever_the_lock_was_cut_off_the_next_flow_can_read_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = here / "dvc.lock"
    dvc(here, "repro", "split", "left")
    whole = lock.read_text()
    lock_in_order(read_stages()).__enter__()  # killed
    taken_back = 0
    for length in range(0, len(whole), 17):
        lock.write_text(whole[:length])
        mend_lock()
        assert {stage.name for stage in read_stages()} >= {"split", "left"}
        taken_back += lock.read_text() == whole
    assert taken_back > 0
    assert capsys.readouterr().out.count("dvc.lock: unreadable since a flow was killed") > 0


def test_an_unreadable_lock_is_the_users_where_no_flow_was_killed(here: Path) -> None:
    lock = here / "dvc.lock"
    lock.write_text(HEAD + "  spl")
    mend_lock()
    assert lock.read_text() == HEAD + "  spl"


def test_so_is_one_that_was_merged_after_a_flow_was_killed(here: Path) -> None:
    lock = here / "dvc.lock"
    lock_in_order(read_stages()).__enter__()  # killed
    lock.write_text("<<<<<<< HEAD\n")
    mend_lock()
    assert lock.read_text() == "<<<<<<< HEAD\n"


@pytest.mark.parametrize("half", ["", '{"write": {"/alo'])
def test_a_half_written_list_of_held_paths_is_forgotten(here: Path, half: str) -> None:
    held = here / ".dvc/tmp/rwlock"
    held.write_text(half)
    processes = StageProcesses()
    assert processes.run("alone", force=False, log=print).name == "Ran"
    assert "alone" not in held.read_text()


def test_a_flow_recovers_from_both_and_leaves_bare_dvcs_lock(
    project: Path, flow: Callable[..., FlowRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    dvc(project, "repro")
    whole = (project / "dvc.lock").read_text()
    git(project, "add", "dvc.lock")
    monkeypatch.chdir(project)
    lock_in_order(read_stages()).__enter__()  # killed
    (project / "dvc.lock").write_text(whole[: len(whole) // 2])
    (project / ".dvc/tmp/rwlock").write_text("")
    assert flow(project).exit_code == 0
    assert (project / "dvc.lock").read_text() == whole
