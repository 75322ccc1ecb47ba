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
from prefect_dvc.errors import ProjectError, quoted
from prefect_dvc.graph import cache_folder, missing_sources
from prefect_dvc.servers import hidden

WORKTREES = FOLDER / "flows"
DVC = (sys.executable, "-m", "dvc")


@contextmanager
def occupied(wait: bool = False, pull: bool = False) -> Iterator[None]:
    """Keep other runs out of the project in the working directory, or `wait` for one to end.

    With `pull` the project gets its data, see `fetch_sources`. Raises ProjectError if another one
    works here.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(alone(wait))
        except BlockingIOError:  # of the lock, not of a system that starts no more processes
            raise ProjectError(
                f"{who()}; let it end, or give this one a revision, to work beside it"
            ) from None
        if pull:
            fetch_sources()
        yield


def safe_name(run: str, identity: str) -> str:
    """Name of a run's folder, branch and experiment: what of its own can be in all of them, and of
    its id the part that is random, since two runs may be called the same."""
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", run)[:40].strip("-")
    return f"{readable or 'run'}-{identity[-12:]}"


@contextmanager
def worktree(revision: str, run: str, identity: str) -> Iterator[list[str]]:
    """Work in a git worktree of `revision` that shares DVC's cache, and is gone afterwards.

    What the stages that are put into the list have made is kept as a DVC experiment with the name
    of the folder, where it differs from `revision`.

    Args:
        revision: a branch, tag or commit
        run: what the flow run is called, which may be anything
        identity: its UUID
    """
    commit = _ask("git", "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if not commit:
        raise ProjectError(
            "revision: expected a branch, tag or commit of this repository, received "
            f"{quoted(revision)}; `git log --oneline --all` lists them"
        )
    place, local = Path.cwd() / WORKTREES / safe_name(run, identity), Path(".dvc/config.local")
    if place.resolve() != place:
        raise ProjectError(
            f"{WORKTREES}: expected a folder of this project, received a link to "
            f"{place.parent.resolve()}; remove it"
        )
    cache, stages = cache_folder(), list[str]()
    with ExitStack() as stack:
        with flock(WORKTREES.with_suffix(".lock"), wait=True):  # else it may look like a dead one
            for dead in _worktrees():
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
            save = ("exp", "save", "--force", "--name", place.name, "--", *stages)
            _run(*DVC, *save, env=_with_author())


def _worktrees() -> list[Path]:
    """Those of flows of this repository which no link leads out of: what is dead is removed, and
    nothing else is ever touched."""
    listed = _run("git", "worktree", "list", "--porcelain").splitlines()
    paths = [Path(line.removeprefix("worktree ")) for line in listed]
    ours = [path for path in paths if path.parent == Path.cwd() / WORKTREES and path.is_dir()]
    return [path for path in ours if (path / FOLDER).resolve() == path / FOLDER]


def fetch_sources() -> None:
    """Take from DVC's remote the data of `.dvc` files that are not here. Where some cannot be had
    it says so: what is run may not need them, or be restored, and DVC refuses a stage that does."""
    if missing := missing_sources():
        wanted = ", ".join(missing)
        print(f"{wanted}: DVC's remote is asked, however long that takes", file=sys.stderr)
        try:
            _run(*DVC, "pull", "--quiet", "--", *missing)
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
    # not `prune`, which would forget a worktree on a disk that is not mounted now; twice: also one
    # that was killed while it was made
    _ask("git", "worktree", "remove", "--force", "--force", str(place))


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
        said = hidden(" ".join(str(getattr(error, "stderr", error)).split()))
        raise ProjectError(f"{shlex.join(command)}: expected success, received: {said}") from None
    return done.stdout.strip()
