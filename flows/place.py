"""Where a flow works: in the checkout, or in a git worktree of its own. One flow in each."""

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, suppress
from itertools import product
from pathlib import Path

from flows.graph import ProjectError, cache_folder

LOCK = Path(".dvc/tmp/flow.lock")
WORKTREES = Path(".dvc/tmp/flows")
DVC = (sys.executable, "-m", "dvc")


@contextmanager
def occupied(wait: bool) -> Iterator[None]:
    """Keep other flows out of the project in the working directory, or `wait` for one to end.

    Raises ProjectError if one is there already. The lock of a process that died is free.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise ProjectError(
                f"{Path.cwd()}: another flow works here (process {LOCK.read_text().strip()}); "
                "let it end, or ask to wait for it (--wait)"
            ) from None
        file.truncate(0)
        print(os.getpid(), file=file, flush=True)
        yield


@contextmanager
def worktree(revision: str, name: str) -> Iterator[list[str]]:
    """Work in a git worktree of `revision` that shares DVC's cache, and is gone afterwards.

    What the stages that are put into the list have made is kept as the DVC experiment `name`, where
    it differs from `revision`.
    """
    place, local = (WORKTREES / name).resolve(), Path(".dvc/config.local")
    cache, stages = cache_folder(), list[str]()
    with ExitStack() as stack:
        with _only_one():  # else the new one could be taken for that of a dead flow
            _clear(place.parent)
            _run("git", "worktree", "add", "--detach", str(place), revision)
            stack.callback(_remove, place)
            if local.exists():  # a remote's credentials are there, too
                shutil.copy(local, place / local)
            stack.enter_context(chdir(place))
            stack.enter_context(occupied(wait=False))
        _run(*DVC, "config", "--local", "cache.dir", cache)
        _run(*DVC, "checkout", "--quiet", "--allow-missing")
        yield stages
        if stages and _run("git", "status", "--porcelain"):
            _run(*DVC, "exp", "save", "--force", "--name", name, *stages, env=_with_author())


def _with_author() -> dict[str, str]:
    """The environment in which git knows who commits, also where nobody has told it."""
    if _ask("git", "var", "GIT_COMMITTER_IDENT"):
        return dict(os.environ)
    who = {"NAME": "dvc-pipeline", "EMAIL": "dvc-pipeline@localhost"}
    roles = product(("GIT_AUTHOR", "GIT_COMMITTER"), who.items())
    return os.environ | {f"{role}_{key}": value for role, (key, value) in roles}


@contextmanager
def _only_one() -> Iterator[None]:
    WORKTREES.mkdir(parents=True, exist_ok=True)
    with WORKTREES.with_suffix(".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _clear(folder: Path) -> None:
    """Remove the worktrees of flows that died."""
    for place in folder.iterdir():
        with suppress(ProjectError), chdir(place), occupied(wait=False):
            _remove(place)
    _run("git", "worktree", "prune")


def _remove(place: Path) -> None:
    _run("git", "worktree", "remove", "--force", str(place))


def git_revision() -> str:
    """Of what is checked out; empty without git or a commit."""
    return _ask("git", "rev-parse", "--quiet", "--verify", "HEAD")


def last_results() -> str:
    """The revision of the newest experiment, or where there is none, what is committed."""
    newest = ("--sort=-creatordate", "--count=1", "--format=%(objectname)")
    return _ask("git", "for-each-ref", *newest, "refs/exps/[0-9a-f]*/**") or "HEAD"


def _ask(*command: str) -> str:
    """What the command says; empty where it fails."""
    try:
        return _run(*command)
    except ProjectError:
        return ""


def _run(*command: str, env: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    except (OSError, subprocess.CalledProcessError) as error:
        said = " ".join(str(getattr(error, "stderr", error)).split())
        raise ProjectError(f"{shlex.join(command)}: expected success, received: {said}") from None
    return done.stdout.strip()
