"""What this machine has: packages, processor, GPUs. Nothing here loads a backend."""

import os
import platform
import re
from contextlib import suppress
from ctypes.util import find_library
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from warmstart import __version__
from warmstart.training.setup import backend as chosen_backend

DEVICES = Path("/dev")  # where Linux has one nvidiaN per GPU


def gpus(backend: str) -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls the GPUs that `backend` can use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        devices = (re.fullmatch(r"nvidia(\d+)", path.name) for path in DEVICES.glob("nvidia*"))
        names = sorted((device[1] for device in devices if device), key=int)
    else:  # -1 is the usual way to hide them all
        names = [n for name in chosen.split(",") if (n := name.strip()) not in ("", "-1")]
    return names if names and _knows_cuda(backend) else []


def gpu_names() -> list[str]:
    """The machine's NVIDIA GPUs in the order of NVML, which numbers them; none without driver."""
    with suppress(Exception):  # no driver, or no permission to ask it
        import pynvml

        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
        return [
            str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(i)))
            for i in range(count)
        ]
    return []


def device_name() -> str:
    """What workers train on: the names of their GPUs, else of the processor."""
    if used := gpus(chosen_backend()):
        names = gpu_names()
        visible = [names[int(n)] for n in used if n.isdigit() and int(n) < len(names)] or names
        return ", ".join(dict.fromkeys(visible)) or cpu_name()
    return cpu_name()


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def versions(backend: str | None = None) -> dict[str, str]:
    """The packages that results depend on, as installed here; "none" for one that is not.

    Args:
        backend: None: the chosen one.
    """
    packages = {name: _version(name) for name in ("keras", "numpy")}
    if (backend or chosen_backend()) == "jax":
        packages |= {name: _version(name) for name in ("jax", "jaxlib")}
    else:
        packages["tensorflow"] = _version("tensorflow") or _version("tensorflow-cpu")
    installed = {name: version or "none" for name, version in packages.items()}
    return {"warmstart": __version__} | installed


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _knows_cuda(backend: str) -> bool:
    """Whether what is installed of `backend` can use a GPU."""
    if backend == "jax":
        return any("cuda" in plugin.name for plugin in metadata.entry_points(group="jax_plugins"))
    if not _version("tensorflow"):  # tensorflow-cpu has no CUDA
        return False
    in_packages = find_spec("nvidia") and find_spec("nvidia.cudnn")
    return bool(in_packages or find_library("cudnn"))
