"""DVC's own graph as plain data. The only import of dvc.

`Repo().index.graph` has resolved `matrix`, `${...}` and overlapping paths already; a reading of
our own could only disagree with it. It is internal API: DVC is pinned, tests/flows pins this use.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from dvc.utils.serialize import load_yaml, modify_yaml


class ProjectError(Exception):
    """The user's input is wrong; the message has one line per problem."""


@dataclass(frozen=True)
class Stage:
    """A node with a command, under the name that `dvc repro` takes."""

    name: str
    depends_on: tuple[str, ...]


def read_stages(targets: Sequence[str] = ()) -> tuple[Stage, ...]:
    """The stages of the project here, in the order of bare `dvc repro`.

    With targets: only these and their ancestors. A matrix's base name stands for all its items.
    """
    stages = _read_project()
    chosen = _resolve(targets, stages) if targets else {stage.name for stage in stages}
    for stage in reversed(stages):
        if stage.name in chosen:
            chosen.update(stage.depends_on)
    return tuple(stage for stage in stages if stage.name in chosen)


def _read_project() -> tuple[Stage, ...]:
    try:
        with Repo() as repo:
            # Its edges go from a stage to what it depends on; a frozen stage depends on nothing.
            graph, root = get_active_graph(repo.index.graph), repo.root_dir
    except DvcException as error:
        reason = " ".join(str(error).split())
        raise ProjectError(
            f"dvc.yaml: expected what DVC can read, received: {reason}; `dvc dag` may tell more"
        ) from None
    if root != str(Path.cwd()):  # from elsewhere names, and where Prefect keeps its data, differ
        raise ProjectError(f"working directory: expected {root}, received {Path.cwd()}; go there")
    above: dict[Any, set[str]] = {}
    for node in plan_repro(graph):
        # A `.dvc` data source has no command: order goes through it to what lies above it.
        ups = ({up.addressing} if up.cmd else above[up] for up in graph.successors(node))
        above[node] = set().union(*ups)
    stages = tuple(Stage(n.addressing, tuple(sorted(up))) for n, up in above.items() if n.cmd)
    if not stages:
        raise ProjectError("dvc.yaml: expected a stage in this project, received none; add one")
    return stages


def _resolve(targets: Sequence[str], stages: Sequence[Stage]) -> set[str]:
    names = [stage.name for stage in stages]
    found = {t: {n for n in names if n == t or n.startswith(f"{t}@")} for t in targets}
    known = {*names, *(name.split("@")[0] for name in names)}
    if problems := [
        f"target: expected a stage of dvc.yaml, received '{target}'; did you mean "
        f"'{get_close_matches(target, sorted(known), n=1, cutoff=0)[0]}'?"
        for target in targets
        if not found[target]
    ]:
        raise ProjectError("\n".join(problems))
    return set().union(*found.values())


@contextmanager
def lock_in_order(stages: Sequence[Stage]) -> Iterator[None]:
    """Leave the dvc.lock that bare `dvc repro` leaves: each stage adds its entry when it ends."""
    before = _locked()
    yield
    after = _locked()
    added = [stage.name for stage in stages if stage.name in after and stage.name not in before]
    if after != before + added:
        with Repo(_wait_for_lock=True) as repo, repo.lock, modify_yaml("dvc.lock") as lock:
            for name in added:
                lock["stages"][name] = lock["stages"].pop(name)


def _locked() -> list[str]:
    return list(load_yaml("dvc.lock")["stages"]) if Path("dvc.lock").exists() else []
