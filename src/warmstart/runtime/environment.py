"""What a process that trains needs before Keras is loaded in it: backend, threads, GPUs.

Nothing here imports a backend but `enter`, which is for worker processes.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from warmstart import __version__
from warmstart.errors import InputError

BACKENDS = ("tensorflow", "jax")
"""Those of Keras that compile cohorts."""

DEVICES = Path("/dev")  # where Linux has one nvidiaN per GPU

UNUSED = ("jax", "matplotlib", "pandas", "sklearn", "tensorflow")
"""Packages that Keras loads where it finds them, for features that no worker needs."""

_entered: str | None = None  # the backend that this process was set up for


def backend() -> str:
    """The backend of the variable KERAS_BACKEND, `tensorflow` where it is not set.

    Raises:
        InputError: if it is none of ours.
    """
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name not in BACKENDS:
        raise InputError(
            f"KERAS_BACKEND: expected {' or '.join(BACKENDS)}, received {name!r}; "
            "change or unset the environment variable"
        )
    return name


def enter(backend: str) -> None:
    """Set up this process for `backend` with single-threaded kernels: a core works on one trial,
    and no sum depends on how many cores there are. A second call does nothing.

    Raises:
        InputError: if the process was set up for another backend before.
    """
    global _entered
    if _entered not in (None, backend):
        raise InputError(
            f"KERAS_BACKEND: expected {_entered}, which worker process {os.getpid()} has loaded, "
            f"received {backend}; start new workers"
        )
    if _entered:
        return
    os.environ["KERAS_BACKEND"] = backend
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # oneDNN may change the order of sums, and announces that at every start
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    # Vectors as wide as the processor's, where XLA's default is 256 bits: deep networks gain 4 %.
    # Its alternative to Eigen's matrix products, which one thread is all that they have here, is
    # unrolled code for each small one: no faster, and twice as long to compile.
    flags = os.environ.get("XLA_FLAGS", "")
    ours = "--xla_cpu_prefer_vector_width=512 --xla_cpu_multi_thread_eigen=true"
    os.environ["XLA_FLAGS"] = f"{flags} {ours}".strip()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    else:
        os.environ["NPROC"] = "1"  # as many threads as it says does JAX make
    _entered = backend


@contextmanager
def without(packages: Iterable[str]) -> Iterator[None]:
    """Have imports inside the block find none of `packages` but those already loaded."""
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's word for "not to be found"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def gpus(backend: str) -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls the GPUs that `backend` can use; found without loading it."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        found = (re.fullmatch(r"nvidia(\d+)", path.name) for path in DEVICES.glob("nvidia*"))
        names = sorted((device[1] for device in found if device), key=int)
    else:  # -1 is the usual way to hide them all
        names = [n for name in chosen.split(",") if (n := name.strip()) not in ("", "-1")]
    return names if names and _knows_cuda(backend) else []


def versions(backend: str) -> dict[str, str]:
    """Of the packages that results depend on, as installed here; "none" for one that is not."""
    found = {name: _version(name) for name in ("keras", "numpy")}
    if backend == "jax":
        found |= {name: _version(name) for name in ("jax", "jaxlib")}
    else:
        found["tensorflow"] = _version("tensorflow") or _version("tensorflow-cpu")
    return {"warmstart": __version__} | {name: version or "none" for name, version in found.items()}


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
