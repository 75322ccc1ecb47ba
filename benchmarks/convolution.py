"""A step of convolutional networks, one thread: ours, XLA's own convolution, oneDNN step by step.

    python benchmarks/convolution.py

Every engine is a process of its own that waits for its turn; all do a round of steps before any
does a second one. Processor time, which other work on the machine lengthens less than wall time.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from measuring import machine
from measuring.text import DISTURBED
from warmstart.files import write_json

RESULTS = Path(__file__).parent / "results" / "convolution.json"
NETWORKS = {
    "8 × 8, 16-32": ((8, 8, 1), (16, 32)),
    "28 × 28, 16-32": ((28, 28, 1), (16, 32)),
    "32 × 32 × 3, 32-64-64": ((32, 32, 3), (32, 64, 64)),
}
"""Shape of an image, filters of 3 × 3 convolutions, each with ELU and 2 × 2 max pooling."""
ENGINES = ("onednn", "warmstart-tensorflow", "warmstart-jax", "xla-jax")
"""The first is what the others are held against."""
BATCH, STEPS = 32, 20


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="convolution.py", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--networks", nargs="+", choices=tuple(NETWORKS), default=tuple(NETWORKS))
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--engine", help=argparse.SUPPRESS)  # in the process of an engine
    options = parser.parse_args(argv)
    if options.engine:
        return _serve(options.engine, options.networks[0])
    rows = [row for name in options.networks for row in _measure(name, options.rounds)]
    content = {
        **machine.made("benchmarks/convolution.py", *argv),
        "rows": rows,
    }
    write_json(options.output, content)
    print(f"written: {options.output}")
    return 0


def _measure(network: str, rounds: int) -> list[dict[str, Any]]:
    """A row for each engine."""
    children = {engine: _start(engine, network) for engine in ENGINES}
    try:
        for child in children.values():
            _answer(child)  # compiled
        times: dict[str, list[float]] = {engine: [] for engine in ENGINES}
        wall = dict.fromkeys(ENGINES, 0.0)
        for _ in range(rounds):
            for engine, child in children.items():
                began = time.perf_counter()
                print(file=child.stdin, flush=True)
                times[engine].append(float(_answer(child)))
                wall[engine] += time.perf_counter() - began
    finally:
        for child in children.values():
            child.kill()
            child.wait()
    first = times[ENGINES[0]]
    rows = []
    for engine, own in times.items():
        ratios = [mine / other for mine, other in zip(own, first, strict=True)]
        waited = 1 - sum(own) * STEPS / 1000 / wall[engine]
        rows.append(
            {
                "network": network,
                "engine": engine,
                "batch": BATCH,
                "ms_per_step": median(own),
                "ms_per_step_range": [min(own), max(own)],
                "ratio": median(ratios),
                "ratio_of_least": min(own) / min(first),
                "waited": max(0.0, waited),
                "rounds": rounds,
            }
        )
        print(
            f"{network:<24}{engine:<22}{median(own):>8.2f} ms ({min(own):.2f}–{max(own):.2f})"
            f"{median(ratios):>8.2f} ×{'' if waited < DISTURBED else f'  waited {waited:.0%}'}",
            flush=True,
        )
    return rows


def _start(engine: str, network: str) -> "subprocess.Popen[str]":
    here = Path(__file__).resolve()
    command = [sys.executable, str(here), "--engine", engine, "--networks", network]
    path = os.pathsep.join([str(here.parent), str(here.parents[1] / "src")])
    return subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _answer(child: "subprocess.Popen[str]") -> str:
    assert child.stdout
    if not (line := child.stdout.readline()):
        raise RuntimeError(f"{' '.join(child.args[2:])} ended with {child.wait()}")  # type: ignore[index]
    return line


def _serve(engine: str, network: str) -> int:
    """Say that all is compiled; then, for each line, how many milliseconds of the processor a step
    of a round took."""
    run = _on_onednn(network) if engine == "onednn" else _by_program(engine, network)
    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.process_time()
        run()
        print(1000 * (time.process_time() - began) / STEPS, flush=True)
    return 0


def _made(network: str) -> tuple[Any, Any, Any]:
    """The model, and samples and labels for a round."""
    import numpy as np

    from warmstart.config.arm import Arm
    from warmstart.config.network import Network
    from warmstart.config.parts import Activation
    from warmstart.networks import building

    image, filters = NETWORKS[network]
    kind = Network(name="convolutional", filters=filters)
    arm = Arm(network=kind, hidden=(), activation=Activation(name="elu")).resolve(image)
    draw, features = np.random.default_rng(0), int(np.prod(image))
    x = draw.standard_normal((STEPS * BATCH, features), "float32")
    return building.build(arm, features, 10, 1), x, draw.integers(0, 10, len(x)).astype("int32")


def _by_program(engine: str, network: str) -> Callable[[], Any]:
    """A round of ours, or of the same program with Keras's own layers, which XLA compiles."""
    from warmstart.training import setup

    setup.enter(engine.rpartition("-")[2])
    import keras
    import numpy as np

    from warmstart.data.task import Task
    from warmstart.training import convolution
    from warmstart.training.program import Data, Numbers, Program

    if engine.startswith("xla"):
        convolution.unfold = lambda model: None
    model, x, y = _made(network)
    some = {
        f"{a}_{part}": b[:1] for a, b in (("x", x), ("y", y)) for part in ("validation", "test")
    }
    task = Task.of(name="full", class_names=tuple("0123456789"), x_train=x, y_train=y, **some)
    program = Program(model, keras.optimizers.SGD(0.01), Data.of(task), BATCH)
    numbers = Numbers(learning_rate=0.01, momentum=0.0, clip_threshold=1.0, negative_slope=0.2)
    weights = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    program.start([weights], [numbers])
    order = np.arange(len(x), dtype="int32")[None]
    return lambda: program.epoch(order)


def _on_onednn(network: str) -> Callable[[], Any]:
    """A round of Keras's layers in a TensorFlow graph, without XLA."""
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1"}
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import keras

    model, x, y = _made(network)
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(value, [weight.value for weight in weights]), weights)

    parts = [slice(start, start + BATCH) for start in range(0, len(x), BATCH)]
    batches = [(tf.constant(x[part]), tf.constant(y[part])) for part in parts]

    def run() -> None:
        for batch in batches:
            step(*batch)

    return run


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
