"""Whether XLA spares the deep network's step the second round through memory for its gradients.

    .venv-bench/bin/python benchmarks/deep_step.py

One epoch of 784 – 20 × 100 – 10 (ELU, SGD, batches of 32) as one compiled program of JAX on one
core, written in several ways that make the same weights. Every way runs once before any runs again.
benchmarks/README.md says what came out.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from engines.job import NETWORKS
from measuring import machine
from warmstart.files import write_json
from warmstart.training import setup

RESULTS = Path(__file__).parent / "results/deep_step.json"
BATCH, FEATURES, CLASSES, RATE = 32, 784, 10, 0.01
WIDTHS = [FEATURES, *NETWORKS["deep"], CLASSES]
Weights = list[Any]
"""Of each layer a kernel and a bias."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=55_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    machine.limit_cores(1)
    setup.enter("jax")
    epochs = ways(options.samples // BATCH)
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(options.rounds):
        for name, epoch in epochs.items():
            began = time.perf_counter()
            epoch()
            seconds[name].append(time.perf_counter() - began)
    plain = median(seconds["plain"])
    rows = [
        {
            "way": name,
            "seconds": median(times),
            "least": min(times),
            "most": max(times),
            "of_plain": median(times) / plain,
        }
        for name, times in seconds.items()
    ]
    for row in rows:
        print(f"{row['way']:<32}{row['seconds']:8.3f} s{row['of_plain']:8.2f} of plain")
    write_json(options.output, {**machine.made("benchmarks/deep_step.py", *argv), "rows": rows})
    return 0


def ways(steps: int) -> dict[str, Callable[[], object]]:
    """Name -> an epoch of `steps` steps, compiled and held to the first one's weights."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    numbers = np.random.default_rng(0)
    x = jnp.asarray(numbers.normal(size=(steps * BATCH, FEATURES)).astype(np.float32))
    y = jnp.asarray(numbers.integers(CLASSES, size=steps * BATCH))
    order = jnp.asarray(numbers.permutation(steps * BATCH).reshape(steps, BATCH))
    pairs = list(pairwise(WIDTHS))
    start: Weights = [
        (numbers.normal(0, (2 / a) ** 0.5, (a, b)).astype(np.float32), np.zeros(b, np.float32))
        for a, b in pairs
    ]
    made: dict[str, Callable[[], object]] = {}
    reference: list[np.ndarray] = []
    for name, (step, load, read, donate) in _steps().items():

        def epoch(weights: Any, step: Any = step) -> Any:
            def one(weights: Any, rows: Any) -> tuple[Any, None]:
                return step(weights, x[rows], y[rows]), None

            return jax.lax.scan(one, weights, order)[0]

        compiled = jax.jit(epoch, donate_argnums=(0,) if donate else ())
        held = [compiled(load(start))]
        kernels = [np.asarray(kernel) for kernel, _ in read(held[0])]
        reference = reference or kernels
        # after an epoch rounding has grown; a wrong gradient is off by the size of the weights
        apart = max(abs(a - b).max() for a, b in zip(kernels, reference, strict=True))
        if not apart < 0.05:
            sys.exit(f"deep_step: expected {name} to make the weights of plain, off by {apart}")

        def run(compiled: Any = compiled, held: list[Any] = held) -> None:
            held[0] = jax.block_until_ready(compiled(held[0]))

        made[name] = run
    return made


def _steps() -> dict[str, tuple[Any, Any, Any, bool]]:
    """Name -> a step, weights as it takes them, weights as `ways` has them, whether they are given
    away to the program."""

    def same(weights: Weights) -> Weights:
        return weights

    def turned(weights: Weights) -> Weights:
        return [(kernel.T.copy(), bias) for kernel, bias in weights]

    return {
        "plain": (_plain, same, same, False),
        "weights donated": (_plain, same, same, True),
        "kernels transposed": (partial(_plain, turned=True), turned, turned, True),
        "updated on the way back": (_on_the_way, same, same, True),
        "update inside the product": (partial(_on_the_way, inside=True), same, same, True),
        "hidden layers as one array": (_stacked, _stack, _unstack, True),
        "hidden layers in a loop": (partial(_stacked, loop=True), _stack, _unstack, True),
    }


def _forward(weights: Weights, x: Any, turned: bool = False) -> Any:
    import jax

    for kernel, bias in weights[:-1]:
        x = jax.nn.elu(x @ (kernel.T if turned else kernel) + bias)
    kernel, bias = weights[-1]
    return x @ (kernel.T if turned else kernel) + bias


def _loss(outputs: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return -jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], axis=1).mean()


def _plain(weights: Weights, x: Any, y: Any, turned: bool = False) -> Weights:
    """Gradients of all weights, then the update, as Keras's step is."""
    import jax

    found = jax.grad(lambda weights: _loss(_forward(weights, x, turned), y))(weights)
    return jax.tree.map(lambda value, gradient: value - RATE * gradient, weights, found)


def _on_the_way(weights: Weights, x: Any, y: Any, inside: bool = False) -> Weights:
    """Each layer is updated once its gradient is known. inside: the product takes the rate, and
    starts from the kernel, as BLAS's own does with beta = 1."""
    import jax
    import jax.numpy as jnp

    taken, slopes = [x], []
    for kernel, bias in weights[:-1]:
        before = taken[-1] @ kernel + bias
        taken.append(jax.nn.elu(before))
        slopes.append(jnp.where(before > 0, 1.0, taken[-1] + 1.0))
    outputs = taken[-1] @ weights[-1][0] + weights[-1][1]
    delta = (jax.nn.softmax(outputs) - jax.nn.one_hot(y, CLASSES)) / len(x)
    after: Weights = []
    for number in reversed(range(len(weights))):
        kernel, bias = weights[number]
        below = delta @ kernel.T * slopes[number - 1] if number else None
        if inside:
            kernel = kernel + taken[number].T @ (-RATE * delta)
        else:
            kernel = kernel - RATE * (taken[number].T @ delta)
        after.append((kernel, bias - RATE * delta.sum(axis=0)))
        delta = below
    return after[::-1]


def _stacked(weights: Any, x: Any, y: Any, loop: bool = False) -> Any:
    """All hidden kernels of one shape in one array, which one operation updates."""
    import jax

    def loss(weights: Any) -> Any:
        first, (kernels, biases), last = weights
        h = jax.nn.elu(x @ first[0] + first[1])
        if loop:
            h, _ = jax.lax.scan(
                lambda h, layer: (jax.nn.elu(h @ layer[0] + layer[1]), None), h, (kernels, biases)
            )
        else:
            for kernel, bias in zip(kernels, biases, strict=True):
                h = jax.nn.elu(h @ kernel + bias)
        return _loss(h @ last[0] + last[1], y)

    found = jax.grad(loss)(weights)
    return jax.tree.map(lambda value, gradient: value - RATE * gradient, weights, found)


def _stack(weights: Weights) -> Any:
    import numpy as np

    hidden = weights[1:-1]
    return (
        weights[0],
        (np.stack([k for k, _ in hidden]), np.stack([b for _, b in hidden])),
        weights[-1],
    )


def _unstack(weights: Any) -> Weights:
    first, hidden, last = weights
    return [first, *zip(*hidden, strict=True), last]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
