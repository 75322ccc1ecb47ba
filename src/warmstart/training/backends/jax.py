"""The epoch on JAX: state in, state out; of one trial or, stacked, of many."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from warmstart.training.fed import Fed

# to what JAX compiles by itself (`jnp.clip`) a fed number is the array of its variable
jax.tree_util.register_pytree_node(
    Fed, lambda number: ((number.variable.value,), None), lambda _, children: children[0]
)


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def trials_at_once(bytes_per_trial: int) -> int:
    """How many trials to stack: on a CPU one, whose weights then stay in a core's cache; on an
    accelerator as many as fit half its memory."""
    if on_cpu():
        return 1
    memory = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", 8 * 2**30)
    return max(1, memory // 2 // bytes_per_trial)


def on_cpu() -> bool:
    return bool(jax.local_devices()[0].platform == "cpu")


def by_patches() -> bool:
    """Whether to convolve by products of patches: XLA's convolutions are slow on a CPU."""
    return on_cpu()


def clock() -> float:
    """Seconds of training: of this process's processor time, which other work on the machine does
    not lengthen; where an accelerator does the work, of wall time."""
    return time.process_time() if on_cpu() else time.perf_counter()


def keep_programs(folder: Path) -> None:
    """Have compiled programs read from `folder` and written to it. Does nothing once one was read
    or written in this process."""
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # what XLA keeps besides goes by the folder's name, which would be part of each program's
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")


def take(x: jax.Array, rows: jax.Array) -> jax.Array:
    return x[rows]


def _in_scope(
    variables: Sequence[keras.Variable], values: Sequence[Any], function: Callable[[], Any]
) -> tuple[Any, list[Any]]:
    """`function()` with `variables` at `values`, and what it leaves them at."""
    mapping = list(zip(variables, values, strict=True))
    with keras.StatelessScope(state_mapping=mapping) as scope:
        result = function()
        return result, [scope.get_current_value(variable) for variable in variables]


class Tape:
    """Gradients and loops of functions that read and assign Keras variables."""

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        self._variables = variables

    def value_and_gradients(
        self, loss: Callable[[], tuple[Any, Any]], weights: Sequence[keras.Variable]
    ) -> tuple[tuple[Any, Any], list[Any]]:
        """`loss()`, a pair of the loss and something else, and the loss's gradients."""
        known = {id(weight) for weight in weights}
        others = [variable for variable in self._variables if id(variable) not in known]
        now = [variable.value for variable in others]

        def function(values: list[Any]) -> tuple[Any, Any]:
            (value, rest), left = _in_scope([*weights, *others], [*values, *now], loss)
            return value, (rest, left[len(weights) :])

        (value, (rest, left)), gradients = jax.value_and_grad(function, has_aux=True)(
            [weight.value for weight in weights]
        )
        _assign(others, left)
        return (value, rest), gradients

    def repeat(self, times: int, step: Callable[[Any, Any], Any], total: Any) -> Any:
        """`total = step(number, total)` for `number` from 0 to `times` - 1."""

        def body(number: Any, carry: tuple[list[Any], Any]) -> tuple[list[Any], Any]:
            values, so_far = carry
            so_far, values = _in_scope(self._variables, values, lambda: step(number, so_far))
            return values, so_far

        now = [variable.value for variable in self._variables]
        left, total = jax.lax.fori_loop(0, times, body, (now, total))
        _assign(self._variables, left)
        return total


def _assign(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class Compiled:
    """`epoch(data, order, active)`, which reads and assigns `variables`, as one program that maps
    it over `trials` states. A single trial is not mapped: it computes bit for bit what Keras does.
    """

    def __init__(
        self,
        epoch: Callable[..., Any],
        variables: Sequence[keras.Variable],
        data: Sequence[jax.Array],
        samples: int,
        trials: int,
        name: str,
        convolutional: bool,
    ) -> None:
        def pure(state: list[Any], data: list[Any], order: Any, active: Any) -> tuple[Any, Any]:
            metrics, left = _in_scope(variables, state, lambda: epoch(data, order, active))
            return left, metrics

        self._variables = variables
        self._single = trials == 1
        mapped = pure if self._single else jax.vmap(pure, in_axes=(0, None, 0, 0))
        lead = () if self._single else (trials,)
        self._data = list(data)
        self._state: list[jax.Array] = []
        self._epoch = (
            jax.jit(mapped, donate_argnums=0)
            .lower(
                [jax.ShapeDtypeStruct((*lead, *v.shape), v.value.dtype) for v in variables],
                self._data,
                jax.ShapeDtypeStruct((*lead, samples), jnp.int32),
                jax.ShapeDtypeStruct(lead, jnp.bool_),
            )
            .compile()
        )

    def use(self, data: Sequence[jax.Array]) -> None:
        """Run on `data` of the same shapes from now on."""
        self._data = list(data)

    def load(self, states: Sequence[Sequence[np.ndarray]]) -> None:
        stacked = states[0] if self._single else [np.stack(v) for v in zip(*states, strict=True)]
        self._state = [jnp.array(value) for value in stacked]

    def read(self) -> list[list[np.ndarray]]:
        values = [np.array(value) for value in self._state]
        if self._single:
            return [values]
        return [[value[i] for value in values] for i in range(len(values[0]))]

    @contextmanager
    def holding(self, trial: int, moved: Sequence[keras.Variable]) -> Iterator[None]:
        """The variables at the state of `trial`, kept elsewhere: nothing has to be undone."""
        assert self._single
        _assign(self._variables, self.read()[trial])
        yield

    def states(self, trials: Sequence[int]) -> list[jax.Array]:
        """The stacked states of some `trials`, for what `mapped` gives."""
        return _rows(self._state, np.asarray(trials))

    def run(self, orders: np.ndarray, active: np.ndarray) -> Any:
        """Of stacked trials an array that is still being computed."""
        first = (lambda x: x[0]) if self._single else (lambda x: x)
        self._state, metrics = self._epoch(
            self._state,
            self._data,
            jnp.asarray(first(orders), jnp.int32),
            jnp.asarray(first(active), jnp.bool_),
        )
        return np.asarray(metrics)[None] if self._single else metrics


@jax.jit
def _rows(state: list[jax.Array], rows: jax.Array) -> list[jax.Array]:
    return [value[rows] for value in state]


def mapped(function: Callable[..., Any], variables: Sequence[keras.Variable]) -> Callable[..., Any]:
    """`function(*arrays)`, which reads `variables`, as one program for many of their states: of
    `(states, *arrays)`, where `states` has a stacked array for each of the first variables. What it
    assigns is lost."""

    def pure(states: list[Any], others: list[Any], arrays: Sequence[Any]) -> Any:
        return _in_scope(variables, [*states, *others], lambda: function(*arrays))[0]

    compiled = jax.jit(jax.vmap(pure, in_axes=(0, None, None)))

    def call(states: Sequence[Any], *arrays: Any) -> Any:
        others = [variable.value for variable in variables[len(states) :]]
        return jax.device_get(compiled(list(states), others, arrays))

    return call


def traced(function: Callable[..., Any], variables: Sequence[keras.Variable]) -> Callable[..., Any]:
    """`function(*arrays)`, which reads `variables`, without Python's overhead at each call; what it
    assigns may be lost."""

    def pure(values: list[Any], *arrays: Any) -> Any:
        return _in_scope(variables, values, lambda: function(*arrays))[0]

    compiled = jax.jit(pure)
    return lambda *arrays: compiled([variable.value for variable in variables], *arrays)


def place(array: np.ndarray) -> jax.Array:
    """`array` where the programs read it."""
    return jnp.asarray(array)
