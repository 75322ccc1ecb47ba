"""A DVC project as a Prefect flow, one task per stage.

DVC owns the graph and decides what must run; Prefect runs independent stages side by side,
schedules and shows them. A new stage is an edit of `dvc.yaml`.
"""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from typing import Annotated, Any

from prefect import Flow, State, task
from prefect.cache_policies import NO_CACHE
from prefect.deployments import run_deployment
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from prefect.utilities.annotations import allow_failure
from pydantic import Field

from prefect_dvc import pages
from prefect_dvc.execute import Companion, Executor, Outcome, Processes
from prefect_dvc.graph import ProjectError, Stage, override, read_stages, sort_lock
from prefect_dvc.place import git_revision, occupied, safe_name, worktree

LOCK_RETRY_SECONDS = [1.0, 2.0, 4.0, 8.0, 16.0]


Change = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.\[\]-]*=")]
# neither is `int | None`: Prefect's form would ask for the type first
Revision = Annotated[str, Field(pattern=r"^([A-Za-z0-9_][\w./@^~{}+-]*)?$")]
Width = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class dvc_flow:  # noqa: N801, a decorator
    """Makes a function, of which only name and docstring count, the flow of the project around it.

    What a run may ask for is its parameters; what belongs to the project stands here.

    Args:
        name: of the flow, in Prefect
        beside: commands beside the stages, each until its standard input ends, by the names of
            their tasks; they start where some stage has something to do, and may fail without harm
        explain: a command that says in lines `error: …` what is wrong with the project's input,
            asked where DVC could not start a stage
        after: called in the project when its stages have ended, to show more of the run
        minutes: time limit of a stage; 0: none
        wait: for another flow that works in the checkout to end; else this one is refused
        elsewhere: run each stage as a run of this deployment, FLOW/NAME, on whichever machine has a
            worker for it; all of them need a common DVC remote
    """

    name: str
    beside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    explain: Sequence[str] = ()
    after: Callable[[], None] = lambda: None
    minutes: float = 0
    wait: bool = False
    elsewhere: str | None = None

    def __call__(self, named: Callable[[], None]) -> Flow[..., State]:
        def flow(
            targets: Sequence[str] = (),
            set: Sequence[Change] = (),
            force: bool = False,
            width: Width = 0,
            pull: bool = False,
            push: bool = False,
            revision: Revision = "",
        ) -> State:
            """Bring a DVC project up to date.

            Args:
                targets: stages of dvc.yaml, with all that they depend on; none: all stages
                set: changes of params.yaml, NAME=VALUE each, as in seed=43; without a revision
                    they stay in the file
                force: run even what is up to date
                width: stages side by side; 1 where there is one GPU; 0: one per core
                pull: take from DVC's remote what is not here
                push: bring to DVC's remote what was made
                revision: work in a git worktree of this branch, tag or commit, as in HEAD, and keep
                    the results as an experiment named after the run; empty: work in the checkout
            """
            own = worktree(revision, safe_name(flow_run.name)) if revision else None
            bring = bool(self.elsewhere) or pull
            ours = partial(Processes, force=force, pull=bring, push=push, minutes=self.minutes)
            ours = partial(ours, explain=self.explain)
            here = own or occupied(self.wait, pull=bring)
            return _run(self, here, targets, set, ours, force or push, width)

        # Prefect finds the flow again, in another process, by these
        flow.__module__, flow.__qualname__ = named.__module__, named.__qualname__
        flow.__name__ = named.__name__
        hooks: list[Any] = pages.hooks()
        about = inspect.getdoc(named)
        return Flow(flow, name=self.name, description=about, on_failure=hooks, on_crashed=hooks)


def _run(
    project: dvc_flow,
    place: AbstractContextManager[list[str] | None],
    targets: Sequence[str],
    changes: Sequence[str],
    ours: Callable[[], Processes],
    redo: bool,
    width: int,
) -> State:
    pages.mark_dead(project.name)
    try:
        with pages.watched(project.name), place as kept:
            override(changes)
            stages, processes = read_stages(targets), ours()
            bring: Bring = partial(_here, processes)
            if project.elsewhere:
                bring = partial(_elsewhere, project.elsewhere, [*changes], bring)
            busy = redo or any(stage.state != "unchanged" for stage in stages)
            with _beside(project.beside if busy else {}) as others, closing(processes):
                states = _run_all(stages, bring, redo, width or len(os.sched_getaffinity(0)))
            sort_lock()
            if kept is not None:
                kept += [stage for stage, state in states.items() if state.is_completed()]
            pages.show(stages, states, project.after)
    except ProjectError as error:
        return Failed(name="Refused", message=str(error))
    summary = pages.summary(states, {name: future.state for name, future in others.items()})
    # Said here: a flow that returns plain values would complete whatever became of its tasks.
    good = all(state.is_completed() for state in states.values())
    return Completed(message=summary) if good else Failed(message=summary)


@contextmanager
def _beside(commands: Mapping[str, Sequence[str]]) -> Iterator[dict[str, PrefectFuture[State]]]:
    """`commands` as tasks of their own while the block lasts, and until they have ended."""
    companions = {name: Companion(command) for name, command in commands.items()}
    tasks = {
        name: run_stage.submit(name, partial(companion.run, pages.log), return_state=False)
        for name, companion in companions.items()
    }
    try:
        yield tasks
    finally:
        for companion in companions.values():
            companion.close()
    for future in tasks.values():
        future.wait()


Bring = Callable[[str], Outcome]


def _run_all(stages: Sequence[Stage], bring: Bring, redo: bool, width: int) -> dict[str, State]:
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
            running[run_stage.submit(name, work, wait_for=links, return_state=False)] = name
        done = next(as_completed(list(running)))
        done.wait()
        ended[running[done]] = done
        order.done(running.pop(done))
    return {stage.name: ended[stage.name].state for stage in stages}


def _is_locked(_task: object, _run: object, state: State) -> bool:
    """Another DVC process in the way is worth a second try; a stage that failed is not."""
    return bool(getattr(state.result(raise_on_failure=False), "locked", False))


@task(
    task_run_name="{stage}",
    cache_policy=NO_CACHE,  # DVC decides what is up to date; a second cache could only disagree
    retries=len(LOCK_RETRY_SECONDS),
    retry_delay_seconds=LOCK_RETRY_SECONDS,
    retry_condition_fn=_is_locked,
)
def run_stage(stage: str, work: Callable[[], Outcome]) -> State:
    """The final state's name says what became of the stage."""
    outcome = work()
    state = {"Failed": Failed, "NotReached": Cancelled}.get(outcome.name, Completed)
    message = outcome.reason or f"{outcome.seconds:.1f} s"
    return state(name=outcome.name, message=message, data=outcome)


def _here(executor: Executor, stage: str) -> Outcome:
    bar = pages.progress_bar(stage)
    outcome = executor.run(stage, pages.log, bar)
    if outcome.name != "Failed":
        bar(100.0, f"{stage}: {outcome.name}, {outcome.seconds:.1f} s", begin=False)
    return outcome


def _elsewhere(deployment: str, changes: Sequence[str], bring: Bring, stage: str) -> Outcome:
    """By a flow run of `deployment`, which leaves on DVC's remote what we then take from there."""
    given = {"targets": [stage], "pull": True, "push": True, "set": changes}
    run: Any = run_deployment(
        deployment,
        parameters={**given, "revision": git_revision()},
        flow_run_name=f"{flow_run.name}-{stage}",
    )
    if not (run.state and run.state.is_completed()):
        return Outcome("Failed", reason=f"flow run {run.name}: {run.state and run.state.message}")
    return bring(stage)
