"""No process outlives the one it works for."""

import ctypes
import os
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
