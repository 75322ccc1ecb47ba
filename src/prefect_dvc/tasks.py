"""The tasks of a flow: a stage of DVC, here or on another machine, or a command beside them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.deployments import run_deployment
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from prefect_dvc import pages
from prefect_dvc.execute import Companion, Executor, Outcome
from prefect_dvc.place import git_revision

LOCK_RETRY_SECONDS = [1.0, 2.0, 4.0, 8.0, 16.0]
Bring = Callable[[str], Outcome]
"""Brings the stage of that name up to date."""


def _is_locked(_task: object, _run: object, state: State) -> bool:
    """Another DVC process in the way is worth a second try; a stage that failed is not."""
    return bool(getattr(state.result(raise_on_failure=False), "locked", False))


@task(
    task_run_name="{name}",
    cache_policy=NO_CACHE,  # DVC decides what is up to date; a second cache could only disagree
    retries=len(LOCK_RETRY_SECONDS),
    retry_delay_seconds=LOCK_RETRY_SECONDS,
    retry_condition_fn=_is_locked,
)
def run(name: str, work: Callable[[], Outcome]) -> State:
    """The final state's name says what became of it, its message why or how long it took."""
    outcome = work()
    state = {"Failed": Failed, "NotReached": Cancelled}.get(outcome.name, Completed)
    message = outcome.reason or f"{outcome.seconds:.1f} s"
    return state(name=outcome.name, message=message, data=outcome)


def here(executor: Executor, stage: str) -> Outcome:
    """Bring `stage` up to date on this machine."""
    move = pages.progress_bar(stage)
    outcome = executor.run(stage, pages.log, move)
    if outcome.name != "Failed":
        move(100.0, f"{stage}: {outcome.name}, {outcome.seconds:.1f} s", begin=False)
    return outcome


def elsewhere(deployment: str, changes: Sequence[str], bring: Bring, stage: str) -> Outcome:
    """By a flow run of `deployment`, which leaves on DVC's remote what we then take from there."""
    given = {"targets": [stage], "pull": True, "push": True, "set": changes}
    ran: Any = run_deployment(
        deployment,
        parameters={**given, "revision": git_revision()},
        flow_run_name=f"{flow_run.name}-{stage}",
    )
    if not (ran.state and ran.state.is_completed()):
        return Outcome("Failed", reason=f"flow run {ran.name}: {ran.state and ran.state.message}")
    return bring(stage)


@contextmanager
def beside(commands: Mapping[str, Sequence[str]]) -> Iterator[dict[str, PrefectFuture[State]]]:
    """`commands` as tasks while the block lasts, and after it until they have ended."""
    companions = {name: Companion(command) for name, command in commands.items()}
    tasks = {
        name: run.submit(name, partial(companion.run, pages.log), return_state=False)
        for name, companion in companions.items()
    }
    try:
        yield tasks
    finally:
        for companion in companions.values():
            companion.close()
    for future in tasks.values():
        future.wait()
