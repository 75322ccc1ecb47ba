"""What a killed DVC leaves half written, and the order of dvc.lock."""

from collections.abc import Callable
from pathlib import Path

import pytest

from foreign_project import FlowRun, dvc, git
from prefect_dvc.graph import read_stages, sort_lock
from prefect_dvc.place import BEFORE, LOCK, occupied

# DVC's own, inside the trie of its outputs
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

HEAD = "schema: '2.0'\nstages:\n"


def entries(*names: str) -> str:
    return "".join(f"  {name}:\n    cmd: x # of {name}\n" for name in names)


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


def kill_a_flow() -> None:
    """What one leaves that is killed while it works: no orderly end."""
    BEFORE.write_text(LOCK.read_text() if LOCK.exists() else "")


def test_the_lock_takes_bare_dvcs_order_and_keeps_what_was_there(here: Path) -> None:
    """Whatever the order in which stages ended; entries of stages that are gone stay in front."""
    (here / "dvc.lock").write_text(HEAD + entries("gone", "alone", "right", "left", "split"))
    sort_lock()
    assert LOCK.read_text() == HEAD + entries("gone", "split", "left", "right", "alone")


def test_a_lock_in_order_is_left_alone(here: Path) -> None:
    text = HEAD + entries("split", "alone") + "  # a person's comment\n"
    (here / "dvc.lock").write_text(text)
    sort_lock()
    assert LOCK.read_text() == text


def test_without_a_lock_there_is_nothing_to_sort(here: Path) -> None:
    sort_lock()
    assert not (here / "dvc.lock").exists()


def test_wherever_the_lock_was_cut_off_the_next_flow_can_read_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = here / "dvc.lock"
    dvc(here, "repro", "split", "left")
    whole = lock.read_text()
    taken_back = 0
    for length in range(0, len(whole), 17):
        BEFORE.write_text(whole)
        lock.write_text(whole[:length])
        with occupied():
            pass
        assert {stage.name for stage in read_stages()} >= {"split", "left"}
        taken_back += lock.read_text() == whole
    assert taken_back > 0
    assert capsys.readouterr().out.count("dvc.lock: unreadable since a flow was killed") > 0


def test_an_unreadable_lock_is_the_users_where_no_flow_was_killed(here: Path) -> None:
    lock = here / "dvc.lock"
    lock.write_text(HEAD + "  spl")
    with occupied():
        pass
    assert lock.read_text() == HEAD + "  spl"


def test_so_is_one_that_was_merged_after_a_flow_was_killed(here: Path) -> None:
    lock = here / "dvc.lock"
    kill_a_flow()
    lock.write_text("<<<<<<< HEAD\n")
    with occupied():
        pass
    assert lock.read_text() == "<<<<<<< HEAD\n"


@pytest.mark.parametrize("half", ["", '{"write": {"/alo'])
def test_a_half_written_list_of_held_paths_is_forgotten(here: Path, half: str) -> None:
    held = here / ".dvc/tmp/rwlock"
    held.write_text(half)
    with occupied():
        assert not held.exists()


def test_a_flow_recovers_from_both_and_leaves_bare_dvcs_lock(
    project: Path, flow: Callable[..., FlowRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    dvc(project, "repro")
    whole = (project / "dvc.lock").read_text()
    git(project, "add", "dvc.lock")
    monkeypatch.chdir(project)
    kill_a_flow()
    (project / "dvc.lock").write_text(whole[: len(whole) // 2])
    (project / ".dvc/tmp/rwlock").write_text("")
    assert flow(project).exit_code == 0
    assert (project / "dvc.lock").read_text() == whole
