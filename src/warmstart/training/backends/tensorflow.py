"""The epoch on TensorFlow: variables hold the state, XLA compiles what happens to them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from warmstart.training.trials import EPOCH_METRICS


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, tf.errors.ResourceExhaustedError)


def trials_at_once(bytes_per_trial: int) -> int:
    """One: TensorFlow keeps the state in the model's own variables, of which there is one set."""
    return 1


def on_cpu() -> bool:
    return not tf.config.list_physical_devices("GPU")


def clock() -> float:
    """Seconds of training: of this process's processor time, which other work on the machine does
    not lengthen; where a GPU does the work, of wall time."""
    return time.process_time() if on_cpu() else time.perf_counter()


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
    """`epoch(data, order, active)`, which reads and assigns `variables`, as one XLA program."""

    def __init__(
        self,
        epoch: Callable[..., Any],
        variables: Sequence[keras.Variable],
        data: Sequence[Any],
        samples: int,
        trials: int,
    ) -> None:
        assert trials == 1
        self._variables, self._data = variables, list(data)

        def step(data: list[tf.Tensor], order: tf.Tensor, active: tf.Tensor) -> tf.Tensor:
            def nothing() -> tf.Tensor:
                return tf.zeros(len(EPOCH_METRICS) + 1, keras.config.floatx())

            return tf.cond(active, lambda: epoch(data, order, True), nothing)

        self._epoch = tf.function(step, jit_compile=True, autograph=False).get_concrete_function(
            [tf.TensorSpec(array.shape, array.dtype) for array in data],
            tf.TensorSpec((samples,), tf.int32),
            tf.TensorSpec((), tf.bool),
        )
        # XLA compiles at the first call: call it once here, so that no epoch's time includes it
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
