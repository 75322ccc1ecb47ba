"""What a flow that was killed cannot do: `python watcher.py FLOW PID...`.

Standard input is a pipe from the flow, whose end without a word tells of its death. Its stages end
by themselves; Prefect's temporary server (PID) does not, and another one would take the run for
running.
"""

import sys
from contextlib import suppress
from pathlib import Path

import psutil


def main(flow: str, pids: list[str]) -> None:
    """Wait for the flow's end, and clear up if it was not an orderly one."""
    servers = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):  # a process, not a number that another one may get
            servers.append(psutil.Process(int(pid)))
    if sys.stdin.read():
        return
    for server in servers:
        with suppress(psutil.NoSuchProcess):
            server.kill()
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from prefect_dvc.pages import mark_dead

        mark_dead(flow)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
