"""A process by a name that no other process of any machine has, now or later."""

import os
import socket
from contextlib import suppress
from pathlib import Path

_MACHINE = Path("/etc/machine-id")  # hosts of one name are not rare


def _here() -> str:
    return f"{socket.gethostname()}:{_MACHINE.read_text()[:8] if _MACHINE.exists() else ''}:"


def this_process() -> str:
    """Host, machine, number and start (s since 1970) of this process."""
    import psutil

    return f"{_here()}{os.getpid()}:{psutil.Process().create_time()}"


def is_gone(name: str) -> bool:
    """Whether the process that called itself so is one of this machine's that has ended."""
    import psutil

    if not name.startswith(_here()):
        return False
    pid, started = name.removeprefix(_here()).split(":")
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int(pid))
        dead = process.status() == psutil.STATUS_ZOMBIE
        # the clock may have been set meanwhile, which moves all starts a little
        return dead or abs(process.create_time() - float(started)) > 5
    return True
