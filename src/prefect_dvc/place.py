"""Where a flow works: in the checkout, or in a git worktree of its own. One flow in each."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, suppress
from itertools import product
from pathlib import Path

from prefect_dvc.at_work import AT_WORK, FOLDER, alone, flock, who
from prefect_dvc.graph import ProjectError, cache_folder, missing_sources

WORKTREES = FOLDER / "flows"
DVC = (sys.executable, "-m", "dvc")


@contextmanager
def occupied(wait: bool = False, pull: bool = False) -> Iterator[None]:
    """Keep other runs out of the project in the working directory, or `wait` for one to end.

    With `pull` the project gets its data, see `fetch_sources`. Raises ProjectError if another one
    works here.
    """
    try:
        with alone(wait):
            if pull:
                fetch_sources()
            yield
    except BlockingIOError:
        raise ProjectError(
            f"{who()}; let it end, or give this one a revision, to work beside it"
        ) from None


def safe_name(name: str) -> str:
    """What of `name` can be that of a folder and of a git ref."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-") or "run"


@contextmanager
def worktree(revision: str, name: str) -> Iterator[list[str]]:
    """Work in a git worktree of `revision` that shares DVC's cache, and is gone afterwards.

    What the stages that are put into the list have made is kept as the DVC experiment `name`, where
    it differs from `revision`.
    """
    place, local = (WORKTREES / name).resolve(), Path(".dvc/config.local")
    commit = _ask("git", "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if not commit:
        raise ProjectError(
            f"revision: expected a branch, tag or commit of this repository, received "
            f"'{revision}'; `git log --oneline --all` lists them"
        )
    cache, stages = cache_folder(), list[str]()
    with ExitStack() as stack:
        with flock(WORKTREES.with_suffix(".lock"), wait=True):  # else it may look like a dead one
            for dead in WORKTREES.glob("*"):
                with suppress(BlockingIOError), flock(dead / AT_WORK, wait=False):
                    _remove(dead)
            _run("git", "worktree", "add", "--detach", str(place), commit)
            stack.callback(_remove, place)
            if local.exists():  # a remote's credentials are there, too
                shutil.copy(local, place / local)
            stack.enter_context(chdir(place))
            stack.enter_context(occupied())
        _run(*DVC, "config", "--local", "cache.dir", cache)
        _run(*DVC, "checkout", "--quiet", "--allow-missing")
        fetch_sources()
        yield stages
        if stages and _run("git", "status", "--porcelain"):
            _run(*DVC, "exp", "save", "--force", "--name", name, *stages, env=_with_author())


def fetch_sources() -> None:
    """Take from DVC's remote the data of `.dvc` files that are not here. Where some cannot be had
    it says so: what is run may not need them, or be restored, and DVC refuses a stage that does."""
    if missing := missing_sources():
        try:
            _run(*DVC, "pull", "--quiet", *missing)
        except ProjectError as error:
            print(
                f"{', '.join(missing)}: expected data in DVC's cache or on its remote, received "
                f"none ({error}); `dvc push` where they are"
            )


def missing(said: str) -> Iterator[str]:
    """Where the paths in quotes are of what DVC has `said` that are not here: a line for each that
    is known to DVC, or lies in the checkout of which this is a worktree."""
    here = Path.cwd()
    checkout = here.parents[3] if here.parts[-4:-1] == WORKTREES.parts else here
    for name in (os.path.relpath(path) for path in re.findall("'(.+?)'", said)):
        if not Path(name).exists() and Path(f"{name}.dvc").exists():
            yield (
                f"{name}: expected data in DVC's cache or on its remote, since {name}.dvc is here, "
                "received none; `dvc push` where they are"
            )
        elif not Path(name).exists() and (checkout / name).exists():
            yield (
                f"{name}: expected it in git or in DVC, since this run works in a git worktree, "
                f"received what only the checkout {checkout} has; `dvc add {name}` and commit "
                f"{name}.dvc, or give `.` as revision"
            )


def _with_author() -> dict[str, str]:
    """The environment in which git knows who commits, also where nobody has told it."""
    who = {"NAME": "dvc-flow", "EMAIL": "dvc-flow@localhost"}
    known = bool(_ask("git", "var", "GIT_COMMITTER_IDENT"))
    roles = [] if known else product(("GIT_AUTHOR", "GIT_COMMITTER"), who.items())
    return os.environ | {f"{role}_{key}": value for role, (key, value) in roles}


def _remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    _run("git", "worktree", "prune")


def git_revision() -> str:
    """Of what is checked out; empty without git or a commit."""
    return _ask("git", "rev-parse", "--quiet", "--verify", "HEAD")


def _ask(*command: str) -> str:
    """What the command says; empty where it fails."""
    with suppress(ProjectError):
        return _run(*command)
    return ""


def _run(*command: str, env: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    except (OSError, subprocess.CalledProcessError) as error:
        said = " ".join(str(getattr(error, "stderr", error)).split())
        raise ProjectError(f"{shlex.join(command)}: expected success, received: {said}") from None
    return done.stdout.strip()
