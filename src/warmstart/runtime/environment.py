"""What this machine has: packages, processor, GPUs. Nothing here loads a backend."""

import os
import platform
import re
from contextlib import suppress
from ctypes.util import find_library
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from warmstart import __version__
from warmstart.training import setup
from warmstart.training.setup import backend as chosen_backend

DEVICES = Path("/dev")  # where Linux has one nvidiaN per GPU
PROCESSORS = Path("/proc/cpuinfo")
_MODEL = r"(?m)^(?:model name|cpu family|model|stepping|cache size|flags|CPU \w+|Features)\s*:.*$"
_TENSORFLOW = ("TF_CUDNN", "TF_DETERMINISTIC", "TF_DISABLE", "TF_ENABLE", "TF_XLA")
_SETTINGS = (*_TENSORFLOW, "JAX_", "NVIDIA_TF32", "XLA_")  # TF_ is Terraform's too


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


def device_name(backend: str | None = None) -> str:
    """What workers train on: the names of their GPUs, else of the processor.

    Args:
        backend: None: the chosen one.
    """
    if used := gpus(backend or chosen_backend()):
        names = gpu_names()
        visible = [names[int(n)] for n in used if n.isdigit() and int(n) < len(names)] or names
        return ", ".join(dict.fromkeys(visible)) or cpu_name()
    return cpu_name()


def cpu_name() -> str:
    try:
        lines = PROCESSORS.read_text().splitlines()
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


def arithmetic(backend: str) -> dict[str, Any]:
    """What of this machine may decide the last bit of a sum that `backend` computes, besides code:
    versions, the processor with its instructions (two of one name may differ in them: virtual ones
    do), GPUs and their libraries, and what the user has set."""
    processor = PROCESSORS.read_text() if PROCESSORS.exists() else platform.processor()
    variables = {k: v for k, v in os.environ.items() if k.startswith(_SETTINGS)}
    flags = variables.pop("XLA_FLAGS", "").removesuffix(setup.XLA_FLAGS).strip()
    libraries = metadata.distributions() if gpus(backend) else ()
    return {
        "backend": backend,
        "versions": versions(backend),
        "python": platform.python_version().rpartition(".")[0],
        "device": device_name(backend),
        "processor": sorted(set(re.findall(_MODEL, processor))) or processor,
        "libraries": sorted(f"{d.name} {d.version}" for d in libraries if "nvidia" in d.name),
        "flags": flags,
        "variables": {k: v for k, v in variables.items() if k not in setup.VARIABLES},
    }


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
