"""Where a flow works, and that flows do not get in each other's way, nor in a person's."""

import errno
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import AbstractContextManager, closing
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from hostile import NAMES

from foreign_project import STAGES, dvc, git
from prefect_dvc import dvc_process
from prefect_dvc.errors import ProjectError
from prefect_dvc.execute import Processes
from prefect_dvc.place import git_revision, occupied, safe_name, worktree

ID = "0192e4a8-7c1e-7f3a-9b1d-5f6e7a8b9c0d"


@pytest.fixture(scope="module")
def committed(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which every stage has run, committed. Shared: copy it."""
    project = Path(shutil.copytree(fresh, tmp_path_factory.mktemp("committed") / "project"))
    dvc(project, "repro")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "first")
    return project


@pytest.fixture
def here(committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Such a project of the test's own."""
    project = Path(shutil.copytree(committed, tmp_path / "project"))
    monkeypatch.chdir(project)
    return project


def worktrees(project: Path) -> int:
    return len(git(project, "worktree", "list").splitlines())


def test_a_worktree_and_a_person_do_not_disturb_each_other(here: Path) -> None:
    revision = git_revision()
    (here / "add.py").write_text("a person is at work\n")
    (here / "left.txt").unlink()
    with worktree("HEAD", "nightly", ID) as stages:
        place = Path.cwd()
        assert git_revision() == revision
        assert Path("left.txt").read_text() == "6\n"  # out of the cache that both share
        Path("raw.txt").write_text("5\n")
        dvc(place, "repro")
        stages += STAGES
    assert Path.cwd() == here
    assert not place.exists()
    assert worktrees(here) == 1
    assert (here / "add.py").read_text() == "a person is at work\n"
    assert (here / "raw.txt").read_text() == "3\n"
    assert git(here, "status", "--porcelain") == " M add.py"
    (here / "left.txt").write_text("6\n")
    git(here, "checkout", "add.py")
    assert f"nightly-{ID[-12:]}" in dvc(here, "exp", "list")
    dvc(here, "exp", "apply", f"nightly-{ID[-12:]}")
    assert (here / "scale-2.txt").read_text() == "50\n"


def test_what_went_well_is_kept_though_another_stage_failed(here: Path) -> None:
    with worktree("HEAD", "half", ID) as stages:
        Path("raw.txt").write_text("5\n")
        dvc(Path.cwd(), "repro", "left")
        Path("right.txt").unlink()
        stages += ["split", "left"]
    dvc(here, "exp", "apply", f"half-{ID[-12:]}")
    assert (here / "left.txt").read_text() == "10\n"


def test_where_nothing_has_changed_there_is_no_experiment(here: Path) -> None:
    with worktree("HEAD", "idle", ID) as stages:
        dvc(Path.cwd(), "repro")
        stages += STAGES
    assert dvc(here, "exp", "list") == ""


def test_a_revision_whose_outputs_were_made_elsewhere_trains_once(here: Path) -> None:
    """Its dvc.lock names outputs that DVC's cache here does not hold."""
    shutil.rmtree(here / ".dvc/cache/runs")
    lock = here / "dvc.lock"
    entry = yaml.safe_load(lock.read_text())["stages"]["left"]["outs"][0]
    lock.write_text(lock.read_text().replace(entry["md5"], "f" * 32))
    git(here, "commit", "--quiet", "--all", "-m", "made elsewhere")
    became = []
    for name in ("first", "second"):
        with worktree("HEAD", name, ID), closing(Processes()) as processes:
            became.append(processes.run("left", print).name)
            assert Path("left.txt").read_text() == "6\n"
    assert became == ["Ran", "Restored"]


def test_in_a_terminal_too_what_was_made_here_is_found_behind_what_is_nowhere(here: Path) -> None:
    """`make run` uses the flow's DVC. Neither the outputs that dvc.lock names, nor those of the
    newest run of the same inputs are in the cache."""
    lock = here / "dvc.lock"
    md5 = yaml.safe_load(lock.read_text())["stages"]["left"]["outs"][0]["md5"]
    lock.write_text(lock.read_text().replace(md5, "e" * 32))
    runs = [path for path in (here / ".dvc/cache/runs").rglob("*") if path.is_file()]
    (made,) = [
        path for path in runs if "cmd: python add.py split.txt split.txt >" in path.read_text()
    ]
    newer = made.with_name("f" * 64)
    newer.write_text(made.read_text().replace(md5, "f" * 32))
    os.utime(newer, (made.stat().st_mtime + 10,) * 2)
    command = [sys.executable, "-P", dvc_process.__file__, "dvc", "repro", "--single-item", "left"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Stage 'left' is cached - skipping run, checking out outputs" in said
    assert (here / "left.txt").read_text() == "6\n"


def test_data_that_are_only_on_the_remote_come_into_the_worktree(here: Path) -> None:
    dvc(here, "remote", "add", "--default", "--local", "shelf", str(here.parent / "shelf"))
    dvc(here, "push", "--quiet")
    shutil.rmtree(here / ".dvc/cache")
    with worktree("HEAD", "one", ID):
        assert Path("raw.txt").read_text() == "3\n"


def test_data_that_are_nowhere_are_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is run may not need them; a stage that does is refused by DVC."""
    shutil.rmtree(here / ".dvc/cache")
    with worktree("HEAD", "lost", ID):
        said = capsys.readouterr().out
        assert re.fullmatch(r"raw\.txt\.dvc: expected data in DVC's cache or [^\n]*\n", said)
        assert not Path("raw.txt").exists()


def test_a_failure_removes_the_worktree_too(here: Path) -> None:
    def fail() -> None:
        with worktree("HEAD", "broken", ID):
            Path("raw.txt").write_text("5\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert worktrees(here) == 1
    assert dvc(here, "exp", "list") == ""


def test_what_a_dead_flow_has_left_is_removed_and_what_a_live_one_uses_is_not(here: Path) -> None:
    git(here, "worktree", "add", "--detach", ".dvc/tmp/flows/dead")
    with worktree("HEAD", "living", ID):
        living = Path.cwd()
        assert not (here / ".dvc/tmp/flows/dead").exists()
        with pytest.MonkeyPatch.context() as elsewhere:
            elsewhere.chdir(here)
            with worktree("HEAD", "second", ID):
                assert living.exists()
                assert worktrees(here) == 3
    assert worktrees(here) == 1


def enter(place: AbstractContextManager[object]) -> None:
    with place:
        pass


def test_an_unknown_revision_is_one_line(here: Path) -> None:
    for unknown in ("nowhere", "--detach", "HEAD^{tree}"):
        with pytest.raises(ProjectError) as caught:
            enter(worktree(unknown, "lost", ID))
        assert str(caught.value).startswith(
            f"revision: expected a branch, tag or commit of this repository, received '{unknown}'; "
        )
    assert worktrees(here) == 1


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("ancient-heron", "ancient-heron"),
        ("../../x", "x"),
        ("my run", "my-run"),
        ("--force", "force"),
        ("a..b.lock", "a-b-lock"),
        ("größe", "gr-e"),
        ("a\nb", "a-b"),
        ("/", "run"),
        ("", "run"),
        ("x" * 10_000, "x" * 40),
    ],
)
def test_a_runs_name_makes_no_path_and_no_option(name: str, safe: str) -> None:
    assert safe_name(name, ID) == f"{safe}-{ID[-12:]}"


def test_whatever_a_run_is_called_git_can_have_such_a_branch_and_no_two_share_it() -> None:
    names = {safe_name(name, str(uuid4())) for name in [*NAMES, *NAMES]}
    assert len(names) == 2 * len(NAMES)
    for name in names:
        assert re.fullmatch(r"\w[\w-]{,52}", name, re.ASCII)
    refs = [f"refs/exps/ab/cdef/{name}" for name in names]
    for ref in refs[:3]:
        subprocess.run(["git", "check-ref-format", ref], check=True)


def test_an_experiment_can_have_such_a_name(here: Path) -> None:
    """And the one before it of this name stays."""
    for number in "57":
        with worktree("HEAD", "../../my run", f"{number}{ID[1:-1]}{number}") as stages:
            assert Path.cwd().parent == here / ".dvc/tmp/flows"
            Path("raw.txt").write_text(f"{number}\n")
            dvc(Path.cwd(), "repro", "split")
            stages += ["split"]
    listed = dvc(here, "exp", "list")
    assert listed.count("my-run-") == 2
    assert worktrees(here) == 1


def test_nothing_is_removed_but_worktrees_of_flows(here: Path) -> None:
    """Neither what a person has put there, nor what a link leads to, nor a worktree that is away
    just now, on a disk that is not mounted."""
    beside, away = here.parent / "beside", here.parent / "away"
    for folder in (beside, away):
        git(here, "worktree", "add", "--quiet", "--detach", str(folder))
    (beside / "unsaved.txt").write_text("work\n")
    flows = here / ".dvc/tmp/flows"
    (flows / "mine").mkdir(parents=True)
    (flows / "link").symlink_to(beside)
    away.rename(here.parent / "unmounted")
    git(here, "worktree", "add", "--quiet", "--detach", str(flows / "dead"))
    git(here, "worktree", "lock", str(flows / "dead"))  # as one is that git makes just now
    with worktree("HEAD", "next", ID):
        pass
    assert sorted(path.name for path in flows.iterdir()) == ["link", "mine"]
    assert (beside / "unsaved.txt").exists()
    assert not (beside / ".dvc/tmp/flow.lock").exists()
    listed = git(here, "worktree", "list").splitlines()
    assert [Path(line.split()[0]).name for line in listed] == [here.name, "away", "beside"]


def test_a_link_in_the_place_of_the_worktrees_is_refused(here: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (here / ".dvc/tmp/flows").symlink_to(elsewhere)
    with pytest.raises(ProjectError, match=r"^\.dvc/tmp/flows: expected a folder of this project"):
        enter(worktree("HEAD", "one", ID))
    assert [*elsewhere.iterdir()] == []


def test_a_second_flow_is_refused_or_waits(here: Path) -> None:
    second = threading.Thread(target=enter, args=[occupied(wait=True)])
    refusal = rf"^{here}: another run works here \(process {os.getpid()}\); let it end, "
    with occupied(wait=False):
        with pytest.raises(ProjectError, match=refusal):
            enter(occupied(wait=False))
        second.start()
        second.join(0.2)
        assert second.is_alive()
    second.join(30)
    assert not second.is_alive()


def test_a_system_that_starts_no_more_processes_is_no_other_run(here: Path) -> None:
    with pytest.raises(BlockingIOError), occupied():
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


def test_a_remote_that_only_this_checkout_knows_is_known_there(here: Path) -> None:
    dvc(here, "remote", "add", "--local", "shelf", "/shelf")
    with worktree("HEAD", "one", ID):
        assert "/shelf" in dvc(Path.cwd(), "remote", "list")


def test_without_a_commit_there_is_no_revision(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fresh)
    assert git_revision() == ""
    with pytest.raises(ProjectError, match=r"^revision: expected"):
        enter(worktree("HEAD", "none", ID))
