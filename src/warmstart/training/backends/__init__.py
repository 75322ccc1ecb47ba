"""What differs between Keras's backends when an epoch is compiled, and nothing else.

Each module has the same names: `take`, `place`, `Tape` (gradients and loops over Keras variables),
`Compiled` (an epoch as one program, with its state), `traced` (a function that is called often),
`keep_programs` (on disk), `trials_at_once`, `on_cpu`, `by_patches`, `clock` and `is_out_of_memory`.
"""

from importlib import import_module
from types import ModuleType

import keras


def current() -> ModuleType:
    """The module for the backend that Keras runs on (KERAS_BACKEND).

    Raises:
        NotImplementedError: for a backend that compiles no epoch.
    """
    name = keras.backend.backend()
    if name not in ("tensorflow", "jax"):
        raise NotImplementedError(f"KERAS_BACKEND: expected tensorflow or jax, received {name}")
    return import_module(f"warmstart.training.backends.{name}")
