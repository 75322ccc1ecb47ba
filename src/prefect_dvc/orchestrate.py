"""A DVC project as a Prefect flow, one task per stage.

DVC owns the graph and decides what must run; Prefect runs independent stages side by side,
schedules and shows them. A new stage is an edit of `dvc.yaml`.
"""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Annotated, Any

from prefect import Flow, State
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed
from prefect.utilities.annotations import allow_failure
from pydantic import Field

from prefect_dvc import pages, tasks
from prefect_dvc.changes import Reach
from prefect_dvc.errors import ProjectError
from prefect_dvc.execute import Outcome, Processes
from prefect_dvc.graph import Stage, changed, read_stages, sort_lock
from prefect_dvc.place import occupied, worktree
from prefect_dvc.temporary import GuardedFlow

# the server, too, refuses what these refuse, before there is a run
Target = Annotated[str, Field(max_length=200)]
Change = Annotated[str, Field(max_length=1000, pattern=r"^[A-Za-z_][\w.\[\]-]*=")]
Targets = Annotated[Sequence[Target], Field(max_length=100)]
Changes = Annotated[Sequence[Change], Field(max_length=100)]
# no parameter may be None: Prefect's form would ask for the type first; and a text that is emptied
# there is not sent at all, so that the deployment's own would hold
CHECKOUT = "."
Revision = Annotated[str, Field(max_length=200, pattern=r"^(\.|[A-Za-z0-9_][\w./@^~{}+-]*)$")]
Width = Annotated[int, Field(ge=0, le=1000)]
Place = AbstractContextManager[list[str] | None]


@dataclass(frozen=True)
class dvc_flow:  # noqa: N801, a decorator
    """Makes a function, of which only name and docstring count, the flow of the project around it.

    What a run may ask for is its parameters; what belongs to the project stands here.

    Args:
        name: of the flow, in Prefect
        beside: commands beside the stages, each until its standard input ends, by the names of
            their tasks; they start in every run, since an earlier one may have left something to
            do, and may fail without harm
        explain: a command that says in lines `error: …` what is wrong with the project's input,
            asked where DVC could not start a stage
        after: called in the project when its stages have ended, to show more of the run
        minutes: time limit of a stage; 0: none
        wait: for another flow that works in the checkout to end; else this one is refused
        fixed: names of params.yaml that a run of a deployment may not change, with all below them,
            since they belong to the machine
        elsewhere: run each stage as a run of this deployment, FLOW/NAME, on whichever machine has a
            worker for it; all of them need a common DVC remote
    """

    name: str
    beside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    explain: Sequence[str] = ()
    after: Callable[[], None] = lambda: None
    minutes: float = 0
    wait: bool = False
    fixed: Sequence[str] = ()
    elsewhere: str | None = None

    def __call__(self, named: Callable[[], None]) -> Flow[..., State]:
        def flow(
            targets: Targets = (),
            set: Changes = (),
            force: bool = False,
            width: Width = 0,
            pull: bool = False,
            push: bool = False,
            revision: Revision = CHECKOUT,
        ) -> State:
            """Bring a DVC project up to date.

            Args:
                targets: stages of dvc.yaml, with all that they depend on; none: all stages
                set: changes of params.yaml, NAME=VALUE each, as in seed=43; in the checkout they
                    stay there
                force: run even what is up to date
                width: stages side by side; 1 where there is one GPU; 0: one per core
                pull: take from DVC's remote what is not here
                push: bring to DVC's remote what was made
                revision: work in a git worktree of this branch, tag or commit, as in HEAD, and keep
                    the results as an experiment named after the run; a dot: work in the checkout
            """
            bring = bool(self.elsewhere) or pull
            ours = Processes(force, bring, push, self.minutes, self.explain)
            if revision == CHECKOUT:
                here: Place = occupied(self.wait, pull=bring)
            else:
                here = worktree(revision, flow_run.name, flow_run.id)
            return _run(self, here, targets, set, ours, force or push, width)

        # Prefect finds the flow again, in another process, by these
        flow.__module__, flow.__qualname__ = named.__module__, named.__qualname__
        flow.__name__ = named.__name__
        hooks: list[Any] = pages.hooks()
        about = inspect.getdoc(named)
        return GuardedFlow(
            flow, name=self.name, description=about, on_failure=hooks, on_crashed=hooks
        )


def _run(
    project: dvc_flow,
    place: Place,
    targets: Sequence[str],
    changes: Sequence[str],
    processes: Processes,
    redo: bool,
    width: int,
) -> State:
    pages.mark_dead(project.name)
    # who starts it by hand has a shell here anyway
    reach = Reach(project.fixed) if deployment.id else None
    try:
        with pages.watched(project.name), place as kept:
            with changed(changes, reach):
                stages = read_stages(targets)
            bring: tasks.Bring = partial(tasks.here, processes)
            if project.elsewhere:
                bring = partial(tasks.elsewhere, project.elsewhere, [*changes], bring)
            with tasks.beside(project.beside) as others, closing(processes):
                states = _run_all(stages, bring, redo, width or len(os.sched_getaffinity(0)))
            sort_lock()
            if kept is not None:
                kept += [stage for stage, state in states.items() if state.is_completed()]
            pages.show(stages, states, project.after)
            if kept:  # DVC takes a while, in which nothing else would be seen
                pages.log(f"keeping what is new as the DVC experiment {Path.cwd().name}")
    except ProjectError as error:
        return Failed(name="Refused", message=str(error))
    summary = pages.summary(states, {name: future.state for name, future in others.items()})
    # Said here: a flow that returns plain values would complete whatever became of its tasks.
    good = all(state.is_completed() for state in states.values())
    return Completed(message=summary) if good else Failed(message=summary)


def _run_all(
    stages: Sequence[Stage], bring: tasks.Bring, redo: bool, width: int
) -> dict[str, State]:
    """Submit a stage only when what it depends on has ended: a waiting task would hold a slot."""
    known = {stage.name: stage for stage in stages}
    order = TopologicalSorter({stage.name: stage.depends_on for stage in stages})
    order.prepare()
    ready: list[str] = []
    running: dict[PrefectFuture[State], str] = {}
    ended: dict[str, PrefectFuture[State]] = {}
    while order.is_active():
        ready += order.get_ready()
        while ready and len(running) < width:
            name = ready.pop(0)
            above = [ended[other] for other in known[name].depends_on]
            work: Callable[[], Outcome] = partial(bring, name)
            if not all(future.state.is_completed() for future in above):
                work = partial(Outcome, "NotReached", reason="a stage above did not end well")
            elif known[name].state == "unchanged" and not redo:  # and so is all above it
                work = partial(Outcome, "Unchanged")
            # The edges of Prefect's picture. It lets nothing follow what was cancelled.
            links = [allow_failure(up) for up in above if not up.state.is_cancelled()]
            running[tasks.run.submit(name, work, wait_for=links, return_state=False)] = name
        done = next(as_completed(list(running)))
        done.wait()
        ended[running[done]] = done
        order.done(running.pop(done))
    return {stage.name: ended[stage.name].state for stage in stages}
