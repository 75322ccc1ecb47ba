"""What a large table costs: seconds and memory of a million rows by fifty columns.

    python benchmarks/reading.py

Each file is read, and the stage `prepare` runs on each, in a process of its own. Peak memory is the
most that it held, less what it held before, as a multiple of the array of the values in float64,
whether they need that or float32 holds them.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from measuring import machine
from warmstart.config.loading import load
from warmstart.config.params import Params
from warmstart.data.sources import read
from warmstart.files import write_json
from warmstart.stages.prepare import prepare

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results/reading.json"
READ = ("parquet", "feather", "csv", "csv.gz")
PREPARED = ("parquet", "csv")
VALUES = ("float64", "float32")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--one", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.one:
        print(json.dumps(cost(STEPS[options.one[0].name], options.one[1])))
        return 0
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as name:
        for values in VALUES:
            folder = Path(name) / values
            write(folder, values, options.rows, options.columns)
            steps = [("read", kind) for kind in READ if values == VALUES[0]]
            for step, kind in steps + [("prepare", kind) for kind in PREPARED]:
                rows.append(row(step, values, folder / f"table.{kind}", options.columns))
                show(rows[-1])
            shutil.rmtree(folder)
    content = {
        **machine.made("benchmarks/reading.py", *argv),
        "rows": rows,
    }
    write_json(options.output, content)
    print(f"written: {options.output}")
    return 0


def write(folder: Path, kind: str, rows: int, columns: int) -> None:
    """One table as a file of each kind: normal features, which type `kind` holds, two classes."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    values = generator.normal(size=(rows, columns)).round(6).astype(kind)
    frame = pd.DataFrame(values, columns=[f"x{place}" for place in range(columns)])
    # noise in it: no column alone gives it away
    frame["y"] = np.where(values[:, 0] + generator.normal(size=rows) > 0, "yes", "no")
    frame.to_csv(folder / "table.csv", index=False)
    frame = frame.astype(dict.fromkeys(frame.columns[:-1], np.float64))
    frame.to_parquet(folder / "table.parquet")
    frame.to_feather(folder / "table.feather")
    with (
        (folder / "table.csv").open("rb") as plain,
        gzip.open(folder / "table.csv.gz", "wb", compresslevel=1) as packed,
    ):
        shutil.copyfileobj(plain, packed)


def row(step: str, values: str, path: Path, columns: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", step, str(path)]
    last = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[
        -1
    ]
    measured = json.loads(last)
    array_mb = measured["rows"] * columns * 8 / 1e6
    return {
        "step": step,
        "kind": path.name.partition(".")[2],
        "values": values,
        "file_mb": path.stat().st_size / 1e6,
        "array_mb": array_mb,
        **measured,
        "times_the_array": measured["peak_mb"] / array_mb,
    }


def show(each: dict[str, Any]) -> None:
    print(
        f"{each['step']:>8} {each['kind']:>8} of {each['values']}: {each['seconds']:6.1f} s, "
        f"{each['peak_mb']:6.0f} MB, {each['times_the_array']:.2f} times the array"
    )


def cost(step: Callable[[Params], int], path: Path) -> dict[str, Any]:
    """Of `step` on `path`, in this process, which has done nothing else."""
    small = path.with_name("small.csv")  # imports what the step needs
    small.write_text("a,y\n" + "\n".join(f"{n / 7},{'no' if n % 3 else 'yes'}" for n in range(60)))
    step(_params(small))
    before, start = _megabytes("VmRSS"), time.perf_counter()
    rows = step(_params(path))
    seconds, peak = time.perf_counter() - start, _megabytes("VmHWM") - before
    return {"rows": rows, "seconds": seconds, "peak_mb": peak}


def _read(params: Params) -> int:
    return len(read(params.data).y)


def _prepare(params: Params) -> int:
    with TemporaryDirectory() as name:
        prepare(params, Path(name))
        return int(json.loads((Path(name) / "card.json").read_text())["n"])


STEPS = {"read": _read, "prepare": _prepare}


def _params(path: Path) -> Params:
    known = load(ROOT / "params.yaml")
    own = {"name": path.stem, "path": str(path), "target": "y"}
    return known.model_copy(update={"data": known.data.model_copy(update=own)})


def _megabytes(field: str) -> float:
    """What Linux says of this process: VmRSS, what it holds; VmHWM, what it has held at most.

    (The maximum of `resource.getrusage` begins with that of the parent.)
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError(f"/proc/self/status: expected {field}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
