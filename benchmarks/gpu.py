"""Studies of 256 and 1,024 trials on the GPU that is here, against the loop of `fit`.

    KERAS_BACKEND=jax python benchmarks/gpu.py

needs no network and takes less than 8 minutes. It leaves a table (results/gpu.json), and below
results/gpu/ the records, their timings and, where there is MLflow, a store of it. Where no GPU is
seen it says so and runs in small. `--bundle` writes what a machine with nothing but Python 3.12 and
JAX lacks, without MLflow.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from engines.job import NETWORKS, Job, learning_rates
from measuring import bundle, machine
from measuring.data import WHOLE, write_made_up, write_tasks
from measuring.gpus import Sampler
from measuring.process import JobError, call, run
from warmstart.data import fashion_mnist
from warmstart.files import write_json
from warmstart.runtime import environment

RESULTS = Path(__file__).parent / "results"
FIT_TRIALS = 2
"""Of the loop as many are really trained; each further trial costs what the quicker one took."""
VARIANTS: dict[str, dict[str, str]] = {
    "as it is": {},
    "float32": {"JAX_DEFAULT_MATMUL_PRECISION": "highest"},
    "loop as one graph": {"XLA_FLAGS": "--xla_gpu_enable_command_buffer=+WHILE"},
}
"""As JAX comes, products of float32 are TF32 on cards that have it; `highest` forbids that. XLA
launches what lies between two loops as a CUDA graph by itself, a loop as a whole only with +WHILE.
"""
PUBLISHING_SECONDS = 60
"""Left for MLflow at the end."""


class Row(NamedTuple):
    """What is measured: a study of `v` trials, of or the loop of `fit`, where `v` is 0."""

    network: str
    v: int
    variant: str = "as it is"

    def job(self, options: argparse.Namespace, task: Path) -> Job:
        return Job(
            engine="warmstart-jax" if self.v else "fit",
            network=self.network,
            batch=options.batch,
            samples=options.samples,
            epochs=options.epochs,
            learning_rates=learning_rates(self.v or FIT_TRIALS),
            task=str(task),
            cores=len(os.sched_getaffinity(0)),
        )


def main(argv: Sequence[str]) -> int:
    options = _parse(argv)
    if options.bundle:
        bundle.write(options.bundle)
        return 0
    variants = list(VARIANTS)[1:]
    if not environment.gpus("jax"):
        print("no GPU was seen: in small, which shows that everything runs and nothing else")
        options.samples, options.trials = min(options.samples, 64), [8]
        variants = ["float32"]  # nothing is launched
    output = options.output or RESULTS / "gpu"
    until = time.monotonic() + 60 * options.minutes - PUBLISHING_SECONDS
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "full.npz"
        data = _write_task(task, options.samples)
        for row in _plan(options, variants):
            print(f"{row.network}, {f'V = {row.v}' if row.v else 'fit'}, {row.variant}", flush=True)
            rows.append({"network": row.network, "variant": row.variant, "data": data})
            try:
                left = until - time.monotonic()
                rows[-1] |= _measured(row, options, task, output, max(1.0, left))
            except JobError as error:
                rows[-1] |= {"v": row.v, "failed": str(error)}
            print(f"  {_line(rows[-1])}", flush=True)
            _write(output.with_suffix(".json"), argv, rows)
    _ratios(rows)
    _write(output.with_suffix(".json"), argv, rows)
    _publish(output)
    return 1 if any("failed" in row for row in rows) else 0


def _plan(options: argparse.Namespace, variants: Sequence[str]) -> Iterator[Row]:
    """What matters most comes first: time may run out."""
    few, *more = options.trials
    for network in options.networks:
        yield Row(network, few)
        yield Row(network, 0)
    dense = [network for network in options.networks if network != "convolutional"]
    for v in more:
        yield from (Row(network, v) for network in dense)
    for variant in variants:
        yield from (Row(network, few, variant) for network in dense)
    for v in more:
        yield from (Row(network, v) for network in options.networks if network not in dense)


def _measured(
    row: Row, options: argparse.Namespace, task: Path, output: Path, limit: float
) -> dict[str, Any]:
    """Seconds of `row` and what the GPU did meanwhile, once a second."""
    job, own = row.job(options, task), {"KERAS_BACKEND": "jax", **VARIANTS[row.variant]}
    common = {"batch": job.batch, "samples": job.samples, "epochs": job.epochs, "v": row.v}
    with Sampler() as sampler:
        if not row.v:
            done = run(job, own, limit)
            trials = done.report.trials
            found: dict[str, Any] = {
                "engine": "fit",
                "v_measured": FIT_TRIALS,
                "seconds_per_trial_epoch": min(s for t in trials for s in t.epoch_seconds),
                "seconds_per_trial": min(trial.seconds for trial in trials),
                "seconds_total": done.seconds,
            }
        else:
            # what is published in one folder, the rest, of which MLflow would take minutes, beside
            shown = row.v == options.trials[0] and row.variant == "as it is"
            name = row.network if shown else f"{row.network}-{row.v}-{row.variant}"
            place = output / ("results" if shown else "further") / name.replace(" ", "_")
            command = [sys.executable, "-m", "engines.gpu_study", job.to_json(), str(place)]
            study = call(command, own, limit=limit)
            found = {
                "engine": "warmstart-jax",
                "v_measured": row.v,
                "seconds_total": study.seconds,
                "memory_mib": study.memory_mib,
            } | json.loads(study.printed.splitlines()[-1])
    return common | found | {"gpus": sampler.summary() or "no nvidia-smi"}


def _ratios(rows: Sequence[dict[str, Any]]) -> None:
    """How many times the loop of `fit` takes what each study took."""
    loops = {row["network"]: row for row in rows if row.get("engine") == "fit"}
    for row in rows:
        if row.get("engine") != "warmstart-jax" or not (loop := loops.get(row["network"])):
            continue
        whole = loop["seconds_total"] + (row["v"] - FIT_TRIALS) * loop["seconds_per_trial"]
        epochs = loop["seconds_per_trial_epoch"] / row["seconds_per_trial_epoch"]
        row |= {"fit_ratio_per_epoch": epochs, "fit_ratio_total": whole / row["seconds_total"]}
        print(
            f"{row['network']}, V = {row['v']}, {row['variant']}: × fit {epochs:.1f} per epoch, "
            f"{row['fit_ratio_total']:.1f} in whole (aim: 50 at V = 256)"
        )


def _line(row: dict[str, Any]) -> str:
    if "failed" in row:
        return row["failed"].strip().splitlines()[-1]
    seconds = row["seconds_per_trial_epoch"]
    return f"{seconds:.5f} s per trial-epoch, {row['seconds_total']:.1f} s"


def _write(table: Path, argv: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    made = machine.made("benchmarks/gpu.py", *argv)
    write_json(table, made | {"gpus_seen": environment.gpus("jax"), "rows": list(rows)})


def _write_task(path: Path, samples: int) -> str:
    """Fashion-MNIST if Debian's package is here, else made-up data of its shape -> which."""
    if fashion_mnist.DEBIAN.exists():
        write_tasks({samples: path})
        return "fashion_mnist"
    write_made_up(path, samples)
    return "made_up"


def _publish(output: Path) -> None:
    """The records into an MLflow store beside them; a process, since Keras must not meet MLflow."""
    store = f"sqlite:///{output / 'mlflow.db'}"
    command = ["-m", "warmstart", "track", "--results", str(output / "results")]
    # not the report and the models of the project
    command += ["--reports", str(output / "reports"), "--models", str(output / "models")]
    own = {"MLFLOW_TRACKING_URI": store, "MLFLOW_DISABLE_TELEMETRY": "true"}
    if (
        find_spec("mlflow")
        and not subprocess.run(
            [sys.executable, *command], env=os.environ | own, check=False
        ).returncode
    ):
        return
    # where the folder may be another
    print(f"not in MLflow yet: MLFLOW_TRACKING_URI={store} python {shlex.join(command)}")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=tuple(NETWORKS), default=list(NETWORKS))
    parser.add_argument(
        "--trials", type=int, nargs="+", default=[256, 1024], help="multiples of 4, from 8 on"
    )
    parser.add_argument("--samples", type=int, default=WHOLE, help="up to %(default)s")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=8, help="after which nothing more starts")
    parser.add_argument("--output", type=Path, help="folder of the records; the table is beside it")
    parser.add_argument(
        "--bundle",
        type=Path,
        nargs="?",
        const=Path("build/gpu-bundle"),
        help="write a folder to carry to a machine without a network, and measure nothing",
    )
    options = parser.parse_args(argv)
    if wrong := [v for v in options.trials if v < 8 or v % 4]:
        parser.error(f"--trials: expected multiples of 4 from 8 on, received {wrong[0]}")
    if options.epochs < 2:
        parser.error(f"--epochs: expected at least 2, received {options.epochs}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
