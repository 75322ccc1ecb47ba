"""A DVC project as a Prefect flow, one task per stage. The only import of prefect.

DVC owns the graph and decides what must run; Prefect runs independent stages side by side,
schedules and shows them. A new stage is an edit of `dvc.yaml`.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from graphlib import TopologicalSorter
from pathlib import Path

# Prefect reads these when it is imported: no calls home, its database in the project, and more
# than 20 s for its temporary server to start on a busy machine.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
if Path(".dvc").is_dir():
    os.environ.setdefault("PREFECT_HOME", str(Path.cwd() / ".prefect"))

from prefect import State, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.futures import PrefectFuture, as_completed
from prefect.schedules import Cron
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Completed, Failed
from prefect.utilities.annotations import allow_failure

from flows.graph import ProjectError, Stage, lock_in_order, read_stages
from flows.stage import Outcome, StageProcesses, leave_nothing_behind

NIGHTLY = Cron("0 2 * * *", timezone="UTC")
LOCK_RETRY_SECONDS = [1.0, 2.0, 4.0, 8.0, 16.0]
START = "run `prefect server start --host 127.0.0.1` and set it to http://127.0.0.1:4200/api"


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
def run_stage(stage: str, force: bool, reached: bool, processes: StageProcesses) -> State:
    """The final state's name says what became of the stage."""
    outcome = Outcome("NotReached", reason="a stage above did not end well")
    if reached:
        outcome = processes.run(stage, force=force, log=get_run_logger().info)
    state = {"Failed": Failed, "NotReached": Cancelled}.get(outcome.name, Completed)
    message = outcome.reason or f"{outcome.seconds:.1f} s"
    return state(name=outcome.name, message=message, data=outcome)


@flow(name="dvc-pipeline")
def pipeline(targets: Sequence[str] = (), force: bool = False, width: int | None = None) -> State:
    """Bring the DVC project in the working directory up to date.

    targets: stages to run, with their ancestors (none: all). force: run even what is up to date.
    width: how many stages side by side (none: one per core this process may use).
    """
    leave_nothing_behind()
    stages = read_stages(targets)
    with lock_in_order(stages), closing(StageProcesses()) as processes:
        states = _run_all(stages, processes, force, width or len(os.sched_getaffinity(0)))
    rows = []
    for name, state in states.items():
        seconds = getattr(state.result(raise_on_failure=False), "seconds", 0.0)
        rows.append({"stage": name, "state": state.name, "seconds": round(seconds, 1)})
        print(f"{name:<32} {state.name:<10} {seconds:>8.1f} s")
    create_table_artifact(key="dvc-stages", table=rows, description="What became of each stage")
    create_markdown_artifact(key="dvc-graph", markdown=_draw(stages, states))
    counts = Counter(state.name for state in states.values())
    summary = ", ".join(f"{count} {name}" for name, count in counts.items())
    # Said here: a flow that returns plain values would complete whatever became of its tasks.
    good = all(state.is_completed() for state in states.values())
    return Completed(message=summary) if good else Failed(message=summary)


def _run_all(
    stages: Sequence[Stage], processes: StageProcesses, force: bool, width: int
) -> dict[str, State]:
    """Submit a stage only when what it depends on has ended: a waiting task would hold a slot."""
    depends_on = {stage.name: stage.depends_on for stage in stages}
    order = TopologicalSorter(depends_on)
    order.prepare()
    ready: list[str] = []
    running: dict[PrefectFuture[State], str] = {}
    ended: dict[str, PrefectFuture[State]] = {}
    while order.is_active():
        ready += order.get_ready()
        while ready and len(running) < width:
            name = ready.pop(0)
            above = [ended[other] for other in depends_on[name]]
            reached = all(future.state.is_completed() for future in above)
            # The edges of Prefect's picture. It lets nothing follow what was cancelled.
            links = [allow_failure(up) for up in above if not up.state.is_cancelled()]
            arguments = (name, force, reached, processes)
            running[run_stage.submit(*arguments, wait_for=links, return_state=False)] = name
        done = next(as_completed(list(running)))
        done.wait()
        ended[running[done]] = done
        order.done(running.pop(done))
    return {stage.name: ended[stage.name].state for stage in stages}


def _draw(stages: Sequence[Stage], states: Mapping[str, State]) -> str:
    number = {stage.name: f"s{index}" for index, stage in enumerate(stages)}
    nodes = [f'  {number[s.name]}["{s.name}: {states[s.name].name}"]' for s in stages]
    edges = [f"  {number[up]} --> {number[s.name]}" for s in stages for up in s.depends_on]
    return "\n".join(["```mermaid", "graph TD", *nodes, *edges, "```"])


def main(argv: Sequence[str] | None = None) -> int:
    """0: every stage is up to date. 1: a stage failed. 2: the user's input."""
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="a stage, or a matrix's name")
    parser.add_argument("--force", action="store_true", help="run even what is up to date")
    parser.add_argument("--width", type=int, metavar="N", help="how many stages side by side")
    parser.add_argument("--serve", action="store_true", help="stay, and run all stages every night")
    given = parser.parse_args(argv)
    try:
        _check(given)
        leave_nothing_behind()  # before Prefect starts a server of its own
        if given.serve:
            # This limit is the process's own: a killed run cannot hold a slot on the server.
            pipeline.serve(name="nightly", schedules=[NIGHTLY], limit=1)
            return 0
        state = pipeline(given.targets, given.force, given.width, return_state=True)
    except ProjectError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0 if state.is_completed() else 1


def _check(given: argparse.Namespace) -> None:
    read_stages(given.targets)
    if given.width is not None and given.width < 1:
        raise ProjectError(f"--width: expected 1 or more stages, received {given.width}")
    url = PREFECT_API_URL.value()
    if given.serve and not url:  # Prefect's temporary server keeps no schedule
        raise ProjectError("PREFECT_API_URL: expected a server's address, received none; " + START)
    if url:
        with get_client(sync_client=True) as client:
            if problem := client.api_healthcheck():
                raise ProjectError(f"PREFECT_API_URL: nobody at {url} ({problem}); {START}")


if __name__ == "__main__":
    sys.exit(main())
