"""What a killed DVC leaves half written, and the order of dvc.lock."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc import rwlock
from dvc.utils.serialize import modify_yaml

from foreign_project import FlowRun, dvc, git, hold
from prefect_dvc.graph import ProjectError, read_stages, sort_lock

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
    """Whatever the order in which stages ended; entries of stages that are gone stay in front."""
    (here / "dvc.lock").write_text(HEAD + entries("gone", "alone", "right", "left", "split"))
    sort_lock()
    assert (here / "dvc.lock").read_text() == HEAD + entries(
        "gone", "split", "left", "right", "alone"
    )


def test_a_lock_in_order_is_left_alone(here: Path) -> None:
    text = HEAD + entries("split", "alone") + "  # a person's comment\n"
    (here / "dvc.lock").write_text(text)
    sort_lock()
    assert (here / "dvc.lock").read_text() == text


def test_without_a_lock_there_is_nothing_to_sort(here: Path) -> None:
    sort_lock()
    assert not (here / "dvc.lock").exists()


def test_wherever_the_lock_was_cut_off_it_can_be_read(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was committed holds, or nothing: DVC finds the outputs by their inputs."""
    lock = here / "dvc.lock"
    dvc(here, "repro", "split", "left")
    whole = lock.read_text()
    git(here, "add", "dvc.lock")
    git(here, "commit", "--quiet", "-m", "first")
    taken_back = 0
    for length in range(0, len(whole), 17):
        lock.write_text(whole[:length])
        states = {stage.name: stage.state for stage in read_stages()}
        assert states["left"] != "run"
        taken_back += lock.read_text() == whole
    said = capsys.readouterr().err
    assert said.count("dvc.lock: unreadable, set aside as .dvc/tmp/dvc.lock.unreadable; ") > 5
    assert taken_back == said.count("\n")


def test_what_was_set_aside_is_not_lost_and_nothing_may_be_committed(here: Path) -> None:
    lock = here / "dvc.lock"
    lock.write_text(HEAD + "  spl")
    read_stages()
    assert not lock.exists()
    assert (here / ".dvc/tmp/dvc.lock.unreadable").read_text() == HEAD + "  spl"


def test_a_merges_conflicts_are_the_users(here: Path) -> None:
    lock = here / "dvc.lock"
    lock.write_text("<<<<<<< HEAD\n")
    with pytest.raises(ProjectError, match=r"dvc\.lock"):
        read_stages()
    assert lock.read_text() == "<<<<<<< HEAD\n"


@pytest.mark.parametrize("half", ["", '{"write": {"/alo', '{"write": []}'])
def test_a_half_written_list_of_held_paths_is_forgotten(here: Path, half: str) -> None:
    (here / ".dvc/tmp/rwlock").write_text(half)
    assert "run" in {stage.state for stage in read_stages(["alone"])}


def test_a_list_of_held_paths_and_a_lock_are_never_half_written(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed while it writes, or has no room, leaves what was there."""
    dvc(here, "repro", "split")
    lock = here / "dvc.lock"
    before = lock.read_text()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), modify_yaml(str(lock)) as content:
        content.clear()
    assert lock.read_text() == before
    assert not list(here.glob(".dvc.lock*"))


@pytest.mark.parametrize("ago", [0, 86_400])
def test_who_has_the_number_of_a_process_that_is_gone_holds_nothing(here: Path, ago: int) -> None:
    """One that was started after the list was written cannot stand in it."""
    hold(here, "left.txt")
    held = here / ".dvc/tmp/rwlock"
    os.utime(held, (held.stat().st_mtime - ago,) * 2)
    with rwlock._edit_rwlock(str(held.parent), None, hardlink=False) as known:
        assert bool(known["write"]) == (ago == 0)


def test_a_flow_recovers_from_both_and_leaves_bare_dvcs_lock(
    project: Path, flow: Callable[..., FlowRun]
) -> None:
    dvc(project, "repro")
    whole = (project / "dvc.lock").read_text()
    git(project, "add", "dvc.lock")
    git(project, "commit", "--quiet", "-m", "first")
    (project / "dvc.lock").write_text(whole[: len(whole) // 2] + ": [")
    (project / ".dvc/tmp/rwlock").write_text("")
    assert flow(project).exit_code == 0
    assert (project / "dvc.lock").read_text() == whole
