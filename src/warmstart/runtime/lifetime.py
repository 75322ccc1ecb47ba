"""No process outlives the one it works for."""

import ctypes
import os
import signal
import sys


def end_with_parent(parent: int) -> None:
    """Have this process ended when `parent`, which started it, is (Linux; elsewhere nothing).

    Otherwise a killed run leaves processes that write beside the next run's.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it was gone before the call
            os._exit(1)
