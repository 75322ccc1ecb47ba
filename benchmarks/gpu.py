"""A study of 256 trials on whatever accelerator is here, against the loop of `fit`.

    KERAS_BACKEND=jax python benchmarks/gpu.py

needs no network and takes less than 8 minutes. It leaves a table (results/gpu.json), and below
results/gpu/ the records, their timings and an MLflow store.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engines.job import NETWORKS, Job, learning_rates
from measuring import machine
from measuring.data import WHOLE, write_made_up, write_tasks
from measuring.gpus import Sampler
from measuring.process import run
from warmstart.config.arm import Arm
from warmstart.config.params import Executor
from warmstart.config.parts import Activation, Initializer
from warmstart.data import fashion_mnist
from warmstart.data.task import Task
from warmstart.files import read_sealed, write_json
from warmstart.records import times_of
from warmstart.stages import study
from warmstart.stages.contender import from_scratch
from warmstart.training import setup
from warmstart.training.trials import Split

RESULTS = Path(__file__).parent / "results"
INITIALIZERS = ("glorot_normal", "he_normal", "lecun_normal", "orthogonal")
RATES = 8
FIT_TRIALS = 2
"""Of the loop as many are really trained; each further trial costs what the quicker one took."""


def main(argv: Sequence[str]) -> int:
    options = _parse(argv)
    backend = setup.backend()
    output = options.output or RESULTS / "gpu"
    table = output.with_suffix(".json")
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "full.npz"
        data = _write_task(task, options.samples)
        rows = [
            row
            for network in options.networks
            for row in _compare(network, task, data, options, backend, output / network)
        ]
    content = {
        "command": f"KERAS_BACKEND={backend} {shlex.join(['python', 'benchmarks/gpu.py', *argv])}",
        "machine": machine.describe(),
        "versions": machine.versions(),
        "rows": rows,
    }
    write_json(table, content)
    for row in rows:
        print(
            f"{row['network']:<8} {row['engine']:<21} V = {row['v']:<4} "
            f"{row['seconds_per_trial_epoch']:.5f} s per trial-epoch, {row['seconds_total']:.1f} s"
        )
    for one, loop in zip(rows[::2], rows[1::2], strict=True):
        print(f"{one['network']}: × fit {loop['ratio_per_epoch']:.1f} per epoch")
        print(f"{one['network']}: × fit {loop['ratio_total']:.1f} in whole (aim: 50)")
    print(f"written: {table}")
    _publish(output)
    return 0


def _compare(
    network: str, task: Path, data: str, options: argparse.Namespace, backend: str, output: Path
) -> list[dict[str, Any]]:
    """A row of ours and a row of the loop's."""
    with Sampler() as ours:
        arms = _study(network, task, data, options, output)
    job = Job(
        engine="fit",
        network=network,
        batch=options.batch,
        samples=options.samples,
        epochs=options.epochs,
        learning_rates=learning_rates(FIT_TRIALS),
        task=str(task),
        cores=len(os.sched_getaffinity(0)),
    )
    with Sampler() as theirs:
        done = run(job, {"KERAS_BACKEND": backend})
    trials = done.report.trials
    epoch = min(seconds for trial in trials for seconds in trial.epoch_seconds)
    further = (options.trials - FIT_TRIALS) * min(trial.seconds for trial in trials)
    common = {
        "network": network,
        "batch": options.batch,
        "v": options.trials,
        "samples": options.samples,
        "epochs": options.epochs,
        "data": data,
    }
    per_epoch = sum(arms["seconds_per_epoch"]) / len(arms["seconds_per_epoch"])
    total = options.trials * options.epochs
    return [
        common
        | {
            "engine": f"warmstart-{backend}",
            "v_measured": options.trials,
            "seconds_per_trial_epoch": per_epoch,
            "seconds_total": arms["seconds"],
            "seconds_fixed": arms["seconds"] - per_epoch * total,
            "gpus": ours.summary(),
        },
        common
        | {
            "engine": "fit",
            "v_measured": FIT_TRIALS,
            "seconds_per_trial_epoch": epoch,
            "seconds_total": done.seconds + further,
            "seconds_fixed": done.seconds + further - epoch * total,
            "ratio_per_epoch": epoch / per_epoch,
            "ratio_total": (done.seconds + further) / arms["seconds"],
            "gpus": theirs.summary(),
        },
    ]


def _study(
    network: str, task_file: Path, data: str, options: argparse.Namespace, output: Path
) -> dict[str, Any]:
    """Initializers × learning rates × seeds, one cohort in all -> what its timings say."""
    task = Task.read(task_file)
    networks = {
        name: Arm(
            hidden=NETWORKS[network],
            activation=Activation(name="elu"),
            initializer=Initializer(name=name),
        )
        for name in INITIALIZERS
    }
    made = study.Study(
        stage="compare",
        name=f"gpu_{network}",
        data_name=data,
        task=task,
        file=task_file,
        arms={
            name: from_scratch(
                arm,
                task=task,
                splits=[Split(task_file, task.digest)],
                drawn="fixed",
                epochs=options.epochs,
                batch_size=options.batch,
                root_seed=42,
            )
            for name, arm in networks.items()
        },
        learning_rates=learning_rates(RATES),
        seeds=options.trials // (len(INITIALIZERS) * RATES),
    )
    study.run({output: made}, Executor(kept_gb=0))
    timings = read_sealed(times_of(output))
    seconds = [arm["seconds_per_epoch"] for arm in timings["arms"].values()]
    return {"seconds": timings["seconds"], "seconds_per_epoch": seconds}


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
    command = [sys.executable, "-m", "warmstart", "track", "--results", str(output)]
    # not the report and the models of the project
    command += ["--reports", str(output / "reports"), "--models", str(output / "models")]
    done = subprocess.run(command, env=os.environ | {"MLFLOW_TRACKING_URI": store}, check=False)
    if done.returncode:
        print(f"not in MLflow yet: MLFLOW_TRACKING_URI={store} {shlex.join(command[1:])}")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=tuple(NETWORKS), default=["shallow"])
    parser.add_argument(
        "--trials", type=int, default=256, help="a multiple of 32, 64 or more (%(default)s)"
    )
    parser.add_argument("--samples", type=int, default=WHOLE, help="up to %(default)s")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--output", type=Path, help="folder of the records; the table is beside it")
    options = parser.parse_args(argv)
    least = 2 * len(INITIALIZERS) * RATES  # statistics take two seeds
    if options.trials < least or options.trials % (least // 2):
        parser.error(
            f"--trials: expected a multiple of {least // 2} from {least} on ({len(INITIALIZERS)} "
            f"arms × {RATES} learning rates × seeds), received {options.trials}"
        )
    if options.epochs < 2:
        parser.error(f"--epochs: expected at least 2, received {options.epochs}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
