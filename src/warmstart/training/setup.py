"""What a process needs before Keras is used in it: the backend, and the project's own settings.

They decide how sums are ordered, and so bytes of records. The user's `keras.json` decides nothing:
another precision or epsilon in it would change results without a word. Nothing here imports a
backend but `enter`, which is for worker processes, and `load`.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from warmstart.errors import InputError

BACKENDS = ("tensorflow", "jax")
"""Keras's backends that compile cohorts."""

VARIABLES = {
    # what TensorFlow convolves with where XLA does not: 2 to 4 times as fast as without it
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # where there can be no file, Keras reads none of the user's, and writes none
    "KERAS_HOME": os.devnull,
}
"""Environment variables that `enter` sets, whatever they were."""
# without oneDNN, which TensorFlow announces at any level of its log
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
"""Environment variables with which TensorFlow, once it is loaded, says nothing but what ends the
process. Those that the user has set stay as they are."""
# Vectors as wide as the processor's, where XLA's default is 256 bits: deep networks gain 4 %.
# The alternative to Eigen's matrix products, which run on one thread here, is unrolled code
# for each small one: no faster, and it takes twice as long to compile.
XLA_FLAGS = "--xla_cpu_prefer_vector_width=512 --xla_cpu_multi_thread_eigen=true"
"""What `enter` adds to the variable of that name."""

_ANNOUNCED = (b"oneDNN custom operations are on", b"before absl::InitializeLog() is called")

KERAS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
"""Keras's own defaults, under the names that `keras.json` and `keras.config` have for them."""

_entered: str | None = None  # the backend that this process was set up for
_said = False  # whether this process has said what is ignored


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
    """Load Keras on `backend` into this process, with our settings and single-threaded kernels: a
    core works on one trial, and no sum depends on how many cores there are. A second call does
    nothing.

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
    _be_quiet()
    if backend == "tensorflow":
        with _unannounced():
            import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    else:
        os.environ["NPROC"] = "1"  # JAX starts as many threads as this says
    load(backend)
    _entered = backend


def ignored(backend: str) -> str:
    """One line that says what of the user's `keras.json` is ignored; empty: nothing.

    Args:
        backend: the one that is used.
    """
    path = _file()
    try:
        given: Any = json.loads(path.read_text(encoding="utf-8"))
        settings = KERAS | {"backend": backend}
        others = {k: given[k] for k in settings if k in given and given[k] != settings[k]}
    except (OSError, ValueError, TypeError):
        return ""  # none, or one that Keras does not read either
    if not others:
        return ""
    received = ", ".join(f"{key} {value}" for key, value in others.items())
    used = ", ".join(f"{key} {settings[key]}" for key in others)
    how = "; KERAS_BACKEND chooses another backend" if "backend" in others else ""
    return f"{path}: {received} is ignored, warmstart has settings of its own: {used}{how}"


def say_ignored(backend: str) -> None:
    """What is `ignored`, on standard error, once in a process."""
    global _said
    if not _said and (line := ignored(backend)):
        print(line, file=sys.stderr)
    _said = True


def load(backend: str) -> None:
    """Load Keras on `backend`, if it is not loaded yet, and give it our settings.

    Raises:
        InputError: if it was loaded on a backend that is none of ours, or the user's `keras.json`
            is one with which it cannot be loaded.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
        _be_quiet()
    try:
        import keras
    except (ValueError, AttributeError) as error:  # of its reading of the file
        raise InputError(
            f"{_file()}: expected settings with which Keras can be loaded, received "
            f"{' '.join(str(error).split())}; mend or remove it"
        ) from None
    if (loaded := keras.config.backend()) not in BACKENDS:
        raise InputError(
            f"keras: expected to be loaded on {' or '.join(BACKENDS)}, received {loaded}; set "
            "KERAS_BACKEND before it is imported"
        )
    for name, value in KERAS.items():
        getattr(keras.config, f"set_{name}")(value)
    keras.config.set_dtype_policy(KERAS["floatx"])


@contextmanager
def _unannounced() -> Iterator[None]:
    """In the block, what is written to standard error waits for its end; then all of it is written
    but what TensorFlow announces."""
    try:
        shown = os.dup(2)
    except OSError:  # closed: nobody reads it
        yield
        return
    with TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(shown, 2)
            os.close(shown)
            written.seek(0)
            for line in written:
                if not any(said in line for said in _ANNOUNCED):
                    os.write(2, line)


def _be_quiet() -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def _file() -> Path:
    """Where Keras looks for the user's settings."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"
