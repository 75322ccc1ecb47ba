"""The epoch on TensorFlow: variables hold the state, XLA compiles what happens to them."""

import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager.polymorphic_function import concrete_function
from tensorflow.python.framework import ops
from tensorflow.python.ops import control_flow_util_v2

from warmstart.training.outcomes import EPOCH_METRICS


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, tf.errors.ResourceExhaustedError)


def trials_at_once(bytes_per_trial: int) -> int:
    """One: TensorFlow keeps the state in the model's own variables, of which there is one set."""
    return 1


def on_cpu() -> bool:
    return not tf.config.list_physical_devices("GPU")


def by_patches() -> bool:
    """No: on a CPU XLA does not compile networks with convolutions, and TensorFlow's own ones are
    oneDNN's, which are faster."""
    return False


def clock() -> float:
    """Seconds of training: of this process's processor time, which other work on the machine does
    not lengthen; where a GPU does the work, of wall time."""
    return time.process_time() if on_cpu() else time.perf_counter()


def keep_programs(folder: Path) -> None:
    """Have compiled programs read from `folder` and written to it. Does nothing once TensorFlow has
    been used in this process."""
    before = os.environ.get("TF_XLA_FLAGS", "")
    os.environ["TF_XLA_FLAGS"] = f'{before} --tf_xla_persistent_cache_directory="{folder}"'
    tf.config.list_logical_devices()  # reads the variable, which decides bytes for who asks later
    os.environ["TF_XLA_FLAGS"] = before
    if not before:
        del os.environ["TF_XLA_FLAGS"]


_traced: Counter[str] = Counter()


@contextmanager
def _named(name: str) -> Iterator[None]:
    """In the block TensorFlow calls functions by `name` and their order in it, where it would
    number them by all that the process did before: a program that is kept is found by them."""
    prefix, numbers = f"{name}_{_traced[name]}", itertools.count()
    _traced[name] += 1
    numbered = {**vars(ops), "uid": lambda: f"{prefix}_{next(numbers)}"}
    modules: tuple[Any, ...] = (concrete_function, control_flow_util_v2)
    for module in modules:
        module.ops = SimpleNamespace(**numbered)
    try:
        yield
    finally:
        for module in modules:
            module.ops = ops


def take(x: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    return tf.gather(x, rows)


class Tape:
    """Gradients and loops of functions that read and assign Keras variables."""

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        pass  # TensorFlow sees by itself which variables a traced function touches

    def value_and_gradients(
        self, loss: Callable[[], tuple[Any, Any]], weights: Sequence[keras.Variable]
    ) -> tuple[tuple[Any, Any], list[Any]]:
        """`loss()`, a pair of the loss and something else, and the loss's gradients."""
        with tf.GradientTape() as tape:
            result = loss()
        return result, tape.gradient(result[0], [weight.value for weight in weights])

    def repeat(self, times: int, step: Callable[[Any, Any], Any], total: Any) -> Any:
        """`total = step(number, total)` for `number` from 0 to `times` - 1."""
        _, total = tf.while_loop(
            lambda number, _: number < times,
            lambda number, so_far: (number + 1, step(number, so_far)),
            [tf.constant(0), total],
        )
        return total


class Compiled:
    """`epoch(data, order, active)`, which reads and assigns `variables`, as one program. XLA
    compiles it, except for the convolutional ones on a CPU."""

    def __init__(
        self,
        epoch: Callable[..., Any],
        variables: Sequence[keras.Variable],
        data: Sequence[Any],
        samples: int,
        trials: int,
        name: str,
        convolutional: bool,
    ) -> None:
        assert trials == 1
        self._variables, self._data = variables, list(data)

        def step(data: list[tf.Tensor], order: tf.Tensor, active: tf.Tensor) -> tf.Tensor:
            def nothing() -> tf.Tensor:
                return tf.zeros(len(EPOCH_METRICS) + 1, keras.config.floatx())

            return tf.cond(active, lambda: epoch(data, order, True), nothing)

        with _named(name):
            self._epoch = tf.function(
                step, jit_compile=not (convolutional and on_cpu()), autograph=False
            ).get_concrete_function(
                [tf.TensorSpec(array.shape, array.dtype) for array in data],
                tf.TensorSpec((samples,), tf.int32),
                tf.TensorSpec((), tf.bool),
            )
        # compiled at the first call: call it once here, so that no epoch's time includes it
        self.run(np.zeros((1, samples), np.int32), np.zeros(1, bool))

    def use(self, data: Sequence[Any]) -> None:
        """Run on `data` of the same shapes from now on."""
        self._data = list(data)

    def load(self, states: Sequence[Sequence[np.ndarray]]) -> None:
        for variable, value in zip(self._variables, states[0], strict=True):
            variable.value.assign(value, read_value=False)  # Keras's takes twice as long

    def read(self) -> list[list[np.ndarray]]:
        return [[variable.numpy() for variable in self._variables]]

    @contextmanager
    def holding(self, trial: int, moved: Sequence[keras.Variable]) -> Iterator[None]:
        """The variables at the state of `trial`; what the block makes of `moved` is undone."""
        before = [variable.numpy() for variable in moved]
        yield
        for variable, value in zip(moved, before, strict=True):
            variable.assign(value)

    def run(self, orders: np.ndarray, active: np.ndarray) -> np.ndarray:
        order, active = tf.constant(orders[0], tf.int32), tf.constant(bool(active[0]))
        return self._epoch(self._data, order, active).numpy()[None]


def traced(function: Callable[..., Any], variables: Sequence[keras.Variable]) -> Callable[..., Any]:
    """`function(*arrays)`, which reads `variables`, without Python's overhead at each call; what it
    assigns may be lost. Not by XLA, which takes seconds to compile what then runs for milliseconds.
    """
    return tf.function(function, autograph=False)


def place(array: np.ndarray) -> tf.Tensor:
    """`array` where the programs read it."""
    return tf.constant(array)
