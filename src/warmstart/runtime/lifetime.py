"""No process outlives the one it works for."""

import ctypes
import fcntl
import os
import select
import signal
import sys
from pathlib import Path


def end_with_parent(parent: int, above: int | None = None) -> None:
    """Have this process ended when `parent`, which started it, is (Linux; elsewhere nothing).

    Otherwise a killed run leaves processes that write beside the next run's. It ends at once where
    the parent, or the process `above` it, was gone before the call.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG
        if os.getppid() != parent or (above and not Path(f"/proc/{above}").exists()):
            os._exit(1)


def end_with_writer(pipe: int, by: signal.Signals = signal.SIGKILL) -> None:
    """Have Linux send this process the signal `by` when nobody can write to `pipe` any more, be it
    before the call: for one that is no child of the process it works for.

    Args:
        pipe: the end to read from, of which nothing more is read or written.
    """
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETSIG, by)
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([pipe], [], [], 0)[0]:
        os.kill(os.getpid(), by)
