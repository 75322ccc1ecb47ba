"""DVC's own graph as plain data, and what else only DVC itself can tell of a project.

`Repo().index.graph` has resolved `matrix`, `${...}` and overlapping paths already; a reading of
our own could only disagree with it. It is internal API: DVC is pinned, the tests pin this use.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml, modify_yaml
from dvc_data.hashfile.hash_info import HashInfo
from omegaconf import OmegaConf

from prefect_dvc import dvc_changes
from prefect_dvc.changes import PARAMS, Changed, Reach
from prefect_dvc.errors import ProjectError, quoted

dvc_changes.apply()
logging.getLogger("dvc").setLevel(logging.ERROR)  # what it would do is for us to say


@dataclass(frozen=True)
class Stage:
    """A node with a command, under the name that `dvc repro` takes."""

    name: str
    depends_on: tuple[str, ...]
    state: str
    """What `dvc repro` would do: `unchanged`, `restore` (its inputs were seen before, DVC's cache
    holds the outputs), `run`; `unknown` until the stages above it have done theirs."""
    pages: tuple[str, ...]
    """Its outputs in Markdown, relative to the project."""


def read_stages(targets: Sequence[str] = ()) -> tuple[Stage, ...]:
    """The stages of the project here, in the order of bare `dvc repro`.

    With targets: only these and their ancestors. A matrix's base name stands for all its items.
    """
    stages = _read_project()
    # bare: of the dvc.yaml here; those of other folders are named `folder/dvc.yaml:stage`
    bare = {stage.name for stage in stages if ":" not in stage.name}
    chosen = _resolve(targets, stages) if targets else bare
    for stage in reversed(stages):
        if stage.name in chosen:
            chosen.update(stage.depends_on)
    return tuple(stage for stage in stages if stage.name in chosen)


def waves(stages: Sequence[Stage]) -> Iterator[list[Stage]]:
    """The plan: one after the other, those whose ancestors are all in the waves before."""
    known = {stage.name: stage for stage in stages}
    order = TopologicalSorter({stage.name: stage.depends_on for stage in stages})
    order.prepare()
    while wave := order.get_ready():
        yield [known[name] for name in wave]
        order.done(*wave)


@contextmanager
def _project() -> Iterator[Any]:
    """The project here, while no other DVC works in it. Raises ProjectError for what DVC cannot
    read."""
    try:
        with Repo(_wait_for_lock=True) as repo, repo.lock:
            yield repo
    except DvcException as error:
        raise ProjectError(
            f"dvc.yaml: expected what DVC can read, received: {_line(error)}; "
            "`dvc dag` may tell more"
        ) from None


def _read_project() -> tuple[Stage, ...]:
    with _project() as repo:
        # Its edges go from a stage to what it depends on; a frozen stage depends on nothing.
        graph, root = get_active_graph(repo.index.graph), repo.root_dir
        if root != str(Path.cwd()):  # elsewhere names, and where Prefect keeps its data, differ
            raise ProjectError(
                f"working directory: expected {root}, received {Path.cwd()}; go there"
            )
        above: dict[Any, set[str]] = {}
        stages: list[Stage] = []
        for node in plan_repro(graph):
            # A `.dvc` data source has no command: order goes through it to what is above it.
            ups = ({up.addressing} if up.cmd else above[up] for up in graph.successors(node))
            above[node] = set().union(*ups)
            if node.cmd:
                old = {stage.name for stage in stages if stage.state != "unchanged"}
                state = "unknown" if old & above[node] else _state(node)
                pages = [str(out) for out in node.outs if str(out).endswith(".md")]
                upper = tuple(sorted(above[node]))
                stages.append(Stage(node.addressing, upper, state, tuple(pages)))
    if not stages:
        raise ProjectError("dvc.yaml: expected a stage in this project, received none; add one")
    return tuple(stages)


def _state(node: Any) -> str:
    try:
        if not node.changed():
            return "unchanged"
        # of these inputs, not of those in dvc.lock, as `dvc repro --dry` has it
        node.save_deps()
        for out in node.outs:
            out.hash_info = HashInfo()
        node.repo.stage_cache.restore(node, dry=True)
    except DvcException:  # not there, or locked by a process that writes it
        return "run"
    return "restore"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


@contextmanager
def changed(changes: Sequence[str], reach: Reach | None = None) -> Iterator[None]:
    """Values of params.yaml become others, NAME=VALUE, as `dvc exp run -S` does, and stay so unless
    the block refuses the run.

    Raises ProjectError for what hydra cannot read, and where `reach` does not allow it.
    """
    if not changes:
        yield
        return
    before = PARAMS.read_bytes() if PARAMS.exists() else None
    values, commands = _values(), _commands() if reach else frozenset()
    try:
        _override(changes)
        if reach:
            reach.check(Changed(values, _values()), _commands() - commands)
        yield
    except ProjectError:
        if before is not None:
            PARAMS.write_bytes(before)
        raise


def _override(changes: Sequence[str]) -> None:
    OmegaConf.clear_resolver("oc.env")  # would bring the environment's secrets into a file
    for path, values in to_path_overrides(changes).items():
        try:
            apply_overrides(path, values)
        # hydra, OmegaConf and the writer of YAML have a class for each way in which a value is bad
        except Exception as error:
            raise ProjectError(
                f"set: expected NAME=VALUE with a name of {path}, received {quoted(*values)} "
                f"({quoted(_line(error))}); `dvc exp run -S` takes the same"
            ) from None


def _values() -> Any:
    try:
        return load_yaml(str(PARAMS)) if PARAMS.exists() else {}
    except DvcException as error:
        raise ProjectError(f"{PARAMS}: expected YAML, received: {_line(error)}") from None


def _commands() -> frozenset[str]:
    with _project() as repo:
        commands = [stage.cmd for stage in repo.index.stages if stage.cmd]
    return frozenset(line for cmd in commands for line in ([cmd] if isinstance(cmd, str) else cmd))


def sort_lock() -> None:
    """Give dvc.lock the order of bare `dvc repro`: here each stage adds its entry when it ends."""
    with Repo(_wait_for_lock=True) as repo, repo.lock:
        plan = [node.addressing for node in plan_repro(get_active_graph(repo.index.graph))]
        names = list(Lockfile(repo, "dvc.lock").load().get("stages", {}))
        ordered = sorted(names, key=lambda name: plan.index(name) if name in plan else -1)
        if ordered != names:
            with modify_yaml("dvc.lock") as lock:
                lock["stages"] = {name: lock["stages"][name] for name in ordered}


def missing_sources() -> list[str]:
    """The `.dvc` files of this project whose data are not here."""
    with Repo(_wait_for_lock=True) as repo, repo.lock:
        sources = [node for node in repo.index.stages if not node.cmd]
        return [node.addressing for node in sources if not all(out.exists for out in node.outs)]


def cache_folder() -> str:
    """Where DVC's cache of the project here lies."""
    with Repo() as repo:
        return str(repo.cache.local_cache_dir)


def _resolve(targets: Sequence[str], stages: Sequence[Stage]) -> set[str]:
    names = [stage.name for stage in stages]
    found = {t: {n for n in names if n == t or n.startswith(f"{t}@")} for t in targets}
    known = {*names, *(name.split("@")[0] for name in names)}
    if problems := [
        f"target: expected a stage of dvc.yaml, received {quoted(target)}; did you mean "
        f"'{get_close_matches(target, sorted(known), n=1, cutoff=0)[0]}'?"
        for target in targets
        if not found[target]
    ]:
        raise ProjectError("\n".join(problems))
    return set().union(*found.values())
