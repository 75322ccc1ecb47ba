"""What 10,000 trials cost: the pipeline with all of them, and Dask workers on them.

    python benchmarks/many.py

A study of 40 arms × 5 learning rates × 50 seeds on digits, of small networks and few epochs, since
what is measured lies around the training. benchmarks/README.md says how to read the table.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from measuring import dask, machine, project
from measuring.process import Call, call
from publishing.store import ENVIRONMENT
from warmstart.files import write_json
from warmstart.records import read_records

RESULTS = Path(__file__).parent / "results/many.json"
PARTS = ("pipeline", "dask")
STUDY = "many"
DEFAULT = "activation"
"""What of params.yaml Dask's workers train, too: its cohorts are of a usual size."""
RATES = [0.01, 0.03, 0.1, 0.3, 1.0]
SETTINGS = {
    "activation": ["relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "mish"],
    "initializer": ["he_normal", "lecun_normal", "glorot_normal", "he_uniform", "glorot_uniform"],
}
"""Crossed, they are the arms: one program for each activation."""
READ = """
from warmstart.records import read_records
print(len(read_records("results/compare/many/records.parquet")))
"""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seeds", type=int, default=50, help="200 trials each")
    parser.add_argument("--dask-seeds", type=int, default=5, help="of the part dask")
    parser.add_argument("--repetitions", type=int, default=3, help="of the part dask")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        for part in options.parts:
            folder = Path(name) / part
            for row in (
                pipeline(folder, options.seeds)
                if part == "pipeline"
                else workers(folder, options.dask_seeds, options.repetitions)
            ):
                rows.append({"part": part} | row)
                print(told(rows[-1]), flush=True)
    write_json(options.output, {**machine.made("benchmarks/many.py", *argv), "rows": rows})
    print(f"written: {options.output}")
    return 0


def parameters(seeds: int, **executor: object) -> dict[str, Any]:
    """What differs from params.yaml."""
    arms = {
        f"{activation}_{initializer}": {"activation": activation, "initializer": initializer}
        for activation in SETTINGS["activation"]
        for initializer in SETTINGS["initializer"]
    }
    own = {"learning_rates": RATES, "seeds": seeds, "epochs": 6}
    study = {STUDY: {"base": {"hidden": [32, 16]}, "arms": arms}}
    return {
        "compare": own | {"most_seeds": None, "studies": study},
        "executor": {"kept_gb": 0} | executor,
    }


def pipeline(folder: Path, seeds: int) -> Iterator[dict[str, Any]]:
    """Every step of a run, in a process of its own."""
    project.copied(folder, parameters(seeds))
    env = _environment(folder)
    dvc, ours = ["-m", "dvc"], ["-m", "warmstart"]
    steps = {
        "prepare": [*dvc, "repro", "--quiet", "prepare"],
        "train": [*dvc, "repro", "--quiet", f"compare@{STUDY}"],
        "read the records": ["-c", READ],
        "summaries and report": [*ours, "report"],
        "publish": [*ours, "track"],
        "publish, nothing new": [*ours, "track"],
        "DVC, nothing changed": [*dvc, "repro", "--quiet", f"compare@{STUDY}"],
        "DVC, hash and keep": [*dvc, "commit", "--quiet", "--force", f"compare@{STUDY}"],
    }
    for step, command in steps.items():
        yield _row(step, seeds, call([sys.executable, *command], env, folder))
    for name in (f"results/compare/{STUDY}/records.parquet", "reports/report.html", "mlflow.db"):
        size = (folder / name).stat().st_size
        yield {"what": Path(name).name, "trials": _trials(seeds), "mib": size / 2**20}


def workers(folder: Path, seeds: int, repetitions: int) -> Iterator[dict[str, Any]]:
    """This study and one of params.yaml as it is, by one Dask worker and by two, in turn; each
    stage starts and ends with them there, so that what is compared is the stage. The second time
    they have loaded Keras and compiled the programs."""
    for repetition in range(repetitions):
        for count in (1, 2):
            own = folder / f"{repetition}_{count}"
            with dask.cluster(own / "dask", count) as (address, known):
                for study in (STUDY, DEFAULT):
                    here = own / study
                    executor = {"kept_gb": 0, "address": address}
                    small = parameters(seeds, address=address)
                    project.copied(here, small if study == STUDY else {"executor": executor})
                    env = _environment(here) | known
                    call([sys.executable, "-m", "warmstart", "prepare"], env, here)
                    command = [sys.executable, "-m", "warmstart", "compare", study]
                    for time in ("first", "second"):
                        row = _row(f"{study}, {time} time", seeds, call(command, env, here))
                        records = read_records(here / f"results/compare/{study}/records.parquet")
                        yield {"workers": count} | row | {"trials": len(records)}


def _environment(folder: Path) -> dict[str, str]:
    return {
        **ENVIRONMENT,
        "PYTHONPATH": str(folder / "src"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "WARMSTART_TRIALS": str(folder / ".trials"),
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
    }


def _trials(seeds: int) -> int:
    return seeds * len(RATES) * len(SETTINGS["activation"]) * len(SETTINGS["initializer"])


def _row(what: str, seeds: int, done: Call) -> dict[str, Any]:
    return {
        "what": what,
        "trials": _trials(seeds),
        "seconds": done.seconds,
        "processor_seconds": done.processor_seconds,
        "memory_mib": done.memory_mib,
        "disturbed": done.disturbed,
    }


def told(row: dict[str, Any]) -> str:
    count = f"{row['workers']} workers, " if "workers" in row else ""
    if "mib" in row:
        return f"{row['what']:<28}{row['mib']:8.1f} MiB"
    return (
        f"{count + row['what']:<28}{row['seconds']:8.1f} s, "
        f"{row['processor_seconds']:7.1f} s of the processor, {row['memory_mib']:6.0f} MiB, "
        f"{row['disturbed']:.0%} disturbed"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
