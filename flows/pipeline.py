"""A DVC project as a Prefect flow, one task per stage.

DVC owns the graph and decides what must run; Prefect runs independent stages side by side,
schedules and shows them. A new stage is an edit of `dvc.yaml`.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from graphlib import TopologicalSorter
from typing import Annotated, Any

from prefect import State, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.deployments import run_deployment
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from prefect.utilities.annotations import allow_failure
from pydantic import Field

from flows import shown
from flows.graph import ProjectError, Stage, override, read_stages
from flows.lockfiles import lock_in_order, mend_lock
from flows.place import git_revision, occupied, worktree
from flows.processes import leave_nothing_behind
from flows.stage import Outcome, StageProcesses, beside

LOCK_RETRY_SECONDS = [1.0, 2.0, 4.0, 8.0, 16.0]

HOOKS: list[Any] = [shown.tell_of_failure]


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
def run_stage(stage: str, work: Callable[[str], Outcome]) -> State:
    """The final state's name says what became of the stage."""
    outcome = work(stage)
    state = {"Failed": Failed, "NotReached": Cancelled}.get(outcome.name, Completed)
    message = outcome.reason or f"{outcome.seconds:.1f} s"
    return state(name=outcome.name, message=message, data=outcome)


@flow(name=shown.FLOW_NAME, on_failure=HOOKS, on_crashed=HOOKS)
def pipeline(
    targets: Sequence[str] = (),
    set: Sequence[str] = (),
    force: bool = False,
    width: Annotated[int | None, Field(ge=1)] = None,
    pull: bool = False,
    push: bool = False,
    revision: str | None = None,
    wait: bool = False,
    minutes: Annotated[float | None, Field(gt=0)] = None,
    deployment: str | None = None,
    tracker: str = "",
    metrics: str = "*",
) -> State:
    """Bring a DVC project up to date.

    Args:
        targets: stages, with their ancestors; none: all of dvc.yaml
        set: changes of parameters, as `dvc exp run -S` takes them: data.name=fashion_mnist
        force: run even what is up to date
        width: stages side by side; 1 where there is one GPU; none: one per core
        pull: take from DVC's remote what is not here
        push: bring to DVC's remote what was made
        revision: work in a git worktree of this revision and keep the results as an experiment
            named after the run; none: work in the checkout itself
        wait: for another run that works in the same place to end; else this one is refused
        minutes: time limit of a stage
        deployment: run each stage as a run of this one, on whichever machine has a worker for it;
            pull and push on a common remote are then as good as given
        tracker: a command beside the stages, until its standard input ends
        metrics: show those that match this pattern beside the last run's
    """
    leave_nothing_behind()
    shown.bury_the_dead()
    about = shown.introduce()
    try:
        with worktree(revision, flow_run.name) if revision else occupied(wait) as kept:
            mend_lock()
            override(set)
            stages = read_stages(targets)
            processes = StageProcesses(
                pull=pull or bool(deployment), push=push, minutes=minutes, environment=about
            )
            work = partial(_run_here, processes=processes, force=force)
            if deployment:
                same = {"set": [*set], "minutes": minutes, "revision": git_revision()}
                work = partial(_run_elsewhere, deployment=deployment, parameters=same, bring=work)
            at_once = width or len(os.sched_getaffinity(0))
            with beside(tracker, about), lock_in_order(stages), closing(processes):
                states = _run_all(stages, work, redo=force or push, width=at_once)
            if kept is not None:
                kept += [name for name, state in states.items() if state.is_completed()]
            shown.show(stages, states, metrics, revision)
    except ProjectError as error:
        return Failed(name="Refused", message=str(error))
    counts = Counter(state.name for state in states.values())
    summary = ", ".join(f"{count} {name}" for name, count in counts.items())
    # Said here: a flow that returns plain values would complete whatever became of its tasks.
    good = all(state.is_completed() for state in states.values())
    return Completed(message=summary) if good else Failed(message=summary)


Work = Callable[[str], Outcome]


def _run_all(stages: Sequence[Stage], work: Work, *, redo: bool, width: int) -> dict[str, State]:
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
            what = work
            if not all(future.state.is_completed() for future in above):
                what = _do_not_reach
            elif known[name].state == "unchanged" and not redo:
                what = _leave  # and so is all above it
            # The edges of Prefect's picture. It lets nothing follow what was cancelled.
            links = [allow_failure(up) for up in above if not up.state.is_cancelled()]
            running[run_stage.submit(name, what, wait_for=links, return_state=False)] = name
        done = next(as_completed(list(running)))
        done.wait()
        ended[running[done]] = done
        order.done(running.pop(done))
    return {stage.name: ended[stage.name].state for stage in stages}


def _do_not_reach(stage: str) -> Outcome:
    return Outcome("NotReached", reason="a stage above did not end well")


def _leave(stage: str) -> Outcome:
    return Outcome("Unchanged")


def _run_here(stage: str, *, processes: StageProcesses, force: bool) -> Outcome:
    log, bar = get_run_logger().info, shown.Bar(stage)
    outcome = processes.run(stage, force=force, log=log, progress=bar.show)
    if outcome.name != "Failed":
        bar.end()
    return outcome


def _run_elsewhere(
    stage: str, *, deployment: str, parameters: Mapping[str, object], bring: Work
) -> Outcome:
    """By a flow run of `deployment`, which leaves on DVC's remote what we then take from there."""
    given = {"targets": [stage], "pull": True, "push": True, **parameters}
    run: Any = run_deployment(
        deployment, parameters=given, flow_run_name=f"{flow_run.name}-{stage}"
    )
    if not (run.state and run.state.is_completed()):
        return Outcome("Failed", reason=f"flow run {run.name}: {run.state and run.state.message}")
    return bring(stage)
