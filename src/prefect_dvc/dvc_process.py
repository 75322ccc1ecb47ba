"""A DVC command of which nothing outlives the flow: `python dvc_process.py SECONDS ARGUMENT...`;
or, for a terminal, `python dvc_process.py dvc ARGUMENT...`, which waits for other runs here to end.

The flow holds our standard input, so its end, however it comes, is that of the input; a terminal's
is a signal. DVC runs in a child. Linux gives us every orphan below it (PR_SET_CHILD_SUBREAPER),
sessions of their own included, so all that the stage has started can be ended, by force after a
while.
"""

import ctypes
import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

LATE = 124
"""Exit code of a command that took more than SECONDS (0: no limit), as that of `timeout`."""
GRACE_SECONDS = 3.0
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STARTED_BY = "DVC_PROCESS"
"""In a stage's environment: the process whose child it is, which may have died since."""
Ends = queue.SimpleQueue[int]
"""Gets the signal that ends the command; 0: anything else."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""
    first, *rest = arguments
    if first != "dvc":
        return run(rest, float(first))
    from at_work import alone  # type: ignore[import-not-found]  # as a file

    for number in ENDS:  # Python would show where it was interrupted
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.SIG_DFL)
    with alone(wait=True):
        return run(rest)


def run(arguments: list[str], seconds: float | None = None) -> int:
    """Run DVC until it ends or has to.

    Args:
        seconds: for a flow, whose limit they are; None: for a terminal.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    command = os.fork()
    if not command:
        run_dvc(arguments, for_flow=seconds is not None)
    code, late, ends, told = 0, threading.Event(), Ends(), list[int]()

    def end(number: int, _: object) -> None:
        told.append(number)
        ends.put(number)

    if seconds is None:
        for number in ENDS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, end)
    else:
        threading.Thread(target=lambda: ends.put(len(os.read(0, 1))), daemon=True).start()
    threading.Thread(target=end_all, args=[ends, seconds or None, late], daemon=True).start()
    with suppress(ChildProcessError):  # none is left
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == command:
                code = os.waitstatus_to_exitcode(status)
                ends.put(0)  # for what the stage has left behind
    if told:
        return 128 + told[0]
    return LATE if late.is_set() else code if code >= 0 else 128 - code


def run_dvc(arguments: list[str], *, for_flow: bool) -> NoReturn:
    """Be DVC, as we run it, until the end of the process or its parent's."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # below us, too: our parent ends all in one way
    if for_flow:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ[STARTED_BY] = str(os.getpid())
    import dvc_changes  # type: ignore[import-not-found]
    from dvc import cli

    dvc_changes.apply()
    sys.exit(cli.main(["--wait-for-lock", *arguments]))


def end_all(ends: Ends, seconds: float | None, late: threading.Event) -> None:
    """Once asked to, or after `seconds`, end all descendants as long as there are any."""
    try:
        ends.get(timeout=seconds)
    except queue.Empty:
        late.set()
    import psutil

    force, asked = time.monotonic() + GRACE_SECONDS, set[object]()
    while True:
        # parents first: a DVC that sees its stage end writes its files, and would die at it
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if time.monotonic() > force:
                    process.kill()
                elif process not in asked:
                    process.terminate()
                    asked.add(process)
        time.sleep(0.05)


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent))  # last: these names are nobody else's
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code & 255)  # a thread still reads
