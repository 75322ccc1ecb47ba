"""What a process that is started now would be, in a line that equals that of its like.

A worker that another process forks is taken for one of this process's own only where both lines are
the same: code, packages, settings, limits and rights.
"""

import os
import signal
import sys
from collections.abc import Iterator
from hashlib import sha256
from multiprocessing.util import _args_from_interpreter_flags  # type: ignore[attr-defined]
from pathlib import Path

from warmstart.runtime import environment

ADDRESS = "WARMSTART_WORKERS"
"""Environment variable with the socket of the server that forks workers."""
_SHELLS = ("PWD", "OLDPWD", "SHLVL", "_")
_OF_OPENMP = ("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK")  # by scikit-learn, for Intel's
_TOLD = {ADDRESS, *_SHELLS, *_OF_OPENMP}
_TOLD_OF = ("DVC_", "PREFECT_", "FLOW_RUN_")
"""Environment variables, and how names of more begin, that hang on who has started a stage and what
it has loaded. Nothing that a worker loads reads them."""
QUIET = "ignore:resource_tracker:UserWarning"
"""What a stage that is ended leaves is removed by Python, which need not say so."""
_PACKAGE = Path(__file__).parents[1]
_PROC = Path("/proc/self")
_SAME = ("Umask", "Uid", "Gid", "Groups", "Sig", "Cap", "NoNew", "Seccomp", "Cpus_", "Mems_")
"""How lines of /proc/self/status begin that say what a process may do, and on what."""
_OWN = ("SigQ", "SigPnd", "SigCgt")  # of them what a worker does not inherit


def told() -> dict[str, str]:
    """The environment variables that a worker takes from its own stage."""
    return {name: value for name, value in os.environ.items() if _is_told(name)}


def _is_told(name: str) -> bool:
    return name in _TOLD or name.startswith(_TOLD_OF)


def line(backend: str) -> str:
    """A digest of all that decides what a worker for `backend` would be."""
    return sha256("\n".join(_parts(backend)).encode(errors="surrogateescape")).hexdigest()


def _parts(backend: str) -> Iterator[str]:
    yield f"{backend} {sys.executable} {sys.version} {environment.versions(backend)}"
    yield f"{_args_from_interpreter_flags()} {sys.path}"
    yield from sorted(f"{k}={v}" for k, v in os.environ.items() if not _is_told(k))
    for path in sorted(_PACKAGE.rglob("*.py")):
        of_file = path.stat()
        yield f"{path} {of_file.st_mtime_ns} {of_file.st_size}"
    for status in (_PROC / "status").read_text().splitlines():
        name, value = status.split(":", 1)
        if name == "SigIgn":  # a worker ignores Ctrl-C whatever its stage does
            value = f"{int(value, 16) | 1 << signal.SIGINT - 1:x}"
        if name.startswith(_SAME) and name not in _OWN:
            yield f"{name} {value}"
    yield from ((_PROC / name).read_text() for name in ("limits", "cgroup", "oom_score_adj"))
    yield from sorted(f"{path.readlink()}" for path in (_PROC / "ns").iterdir())
    yield f"{os.getpriority(os.PRIO_PROCESS, 0)} {(_PROC / 'root').readlink()}"
