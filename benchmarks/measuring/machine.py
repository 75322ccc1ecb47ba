"""Where a table was made, without names of hosts or paths."""

import os
import platform
import re
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = (
    "warmstart",
    "keras",
    "tensorflow-cpu",
    "tensorflow",
    "jax",
    "numpy",
    "pandas",
    "pyarrow",
    "mlflow",
    "keras-tuner",
    "optuna",
    "ray",
)


def limit_cores(count: int) -> None:
    """Have this process and its children use `count` cores only."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def made(*command: str) -> dict[str, Any]:
    """What every table begins with: the `command` of Python's that made it, where, and of what."""
    return {
        "command": shlex.join(["python", *command]),
        "machine": describe(),
        "versions": versions(),
    }


def describe() -> dict[str, Any]:
    """The part of the machine that the measurements could use."""
    cache = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "level_2_cache": cache.read_text().strip() if cache.exists() else "unknown",
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
    }


def versions() -> dict[str, str]:
    """Of Python and what is compared."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _cpu() -> str:
    """The model, with the widest vectors it computes with."""
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    name = re.search(r"model name\s*:\s*(.+)", text)
    widest = next((flag for flag in ("avx512f", "avx2", "avx") if f" {flag} " in text), "")
    return " ".join(part for part in (name[1] if name else platform.machine(), widest) if part)
