"""What a process that trains needs before Keras is loaded in it: the backend and its settings.

They decide how sums are ordered, and so bytes of records. Nothing here imports a backend but
`enter`, which is for worker processes.
"""

import os

from warmstart.errors import InputError

BACKENDS = ("tensorflow", "jax")
"""Keras's backends that compile cohorts."""

VARIABLES = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # oneDNN may change the order of sums, and announces that at every start
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
"""Environment variables that `enter` sets, whatever they were."""
# Vectors as wide as the processor's, where XLA's default is 256 bits: deep networks gain 4 %.
# The alternative to Eigen's matrix products, which run on one thread here, is unrolled code
# for each small one: no faster, and it takes twice as long to compile.
XLA_FLAGS = "--xla_cpu_prefer_vector_width=512 --xla_cpu_multi_thread_eigen=true"
"""What `enter` adds to the variable of that name."""

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
    flags = f"{os.environ.get('XLA_FLAGS', '')} {XLA_FLAGS}".strip()
    os.environ |= VARIABLES | {"KERAS_BACKEND": backend, "XLA_FLAGS": flags}
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    else:
        os.environ["NPROC"] = "1"  # JAX starts as many threads as this says
    _entered = backend
