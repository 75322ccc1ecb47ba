"""What workers do in tests of how they are started."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from warmstart.runtime import alike, processes
from warmstart.training.trials import Cohort

OWN = ("SigQ", "SigPnd", "SigCgt", "Shd")


def about(cohort: Cohort, folder: Path, progress: object) -> dict[str, Any]:
    """What of a worker is the same however it was started, by name; and what is its own."""
    status = [line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()]
    limits = {name: value for name, value in status if name.startswith(alike._SAME)}
    return {
        "environment": dict(os.environ),
        "place": [str(Path.cwd()), sys.path, sys.argv, repr(sys.flags), sys.warnoptions],
        "streams": [str(Path(f"/proc/self/fd/{number}").readlink()) for number in range(3)],
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "group": [os.getpgrp(), os.getsid(0)],
        "limits": {name: value for name, value in limits.items() if name not in OWN},
        "loaded": [name for name in processes.UNUSED if sys.modules.get(name)],
        "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM)],
        "own": [float(np.random.rand()), psutil.Process(os.getppid()).cmdline()],
    }


def kill_worker(cohort: Cohort, folder: Path, progress: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_server(cohort: Cohort, folder: Path, progress: object) -> int:
    """And go on -> the parent that there is then."""
    server = psutil.Process(os.getppid())
    server.kill()
    psutil.wait_procs([server], 10)
    return os.getpid()


def endless(cohort: Cohort, folder: Path, progress: object) -> None:
    print(os.getpid(), os.getppid(), flush=True)
    signal.pause()
