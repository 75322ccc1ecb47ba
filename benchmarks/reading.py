"""What reading a table costs: seconds and memory of a million rows by fifty columns.

    python benchmarks/reading.py

Each file is read in a process of its own. Peak memory is the most that it held, less what it held
before it read, as a multiple of the array of the values, which are float64.
"""

import argparse
import gzip
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from measuring import machine
from warmstart.config.params import Data
from warmstart.data.sources import read
from warmstart.files import write_json

RESULTS = Path(__file__).parent / "results/reading.json"
KINDS = ("parquet", "feather", "csv", "csv.gz")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.read:
        print(json.dumps(cost(options.read)))
        return 0
    with TemporaryDirectory() as name:
        write(Path(name), options.rows, options.columns)
        rows = [row(Path(name) / f"table.{kind}", options.columns) for kind in KINDS]
    content = {
        "command": shlex.join(["python", "benchmarks/reading.py", *argv]),
        "machine": machine.describe(),
        "versions": machine.versions(),
        "rows": rows,
    }
    write_json(options.output, content)
    for each in rows:
        print(
            f"{each['kind']:>8}: {each['seconds']:6.1f} s, {each['peak_mb']:6.0f} MB, "
            f"{each['times_the_array']:.2f} times the array"
        )
    print(f"written: {options.output}")
    return 0


def write(folder: Path, rows: int, columns: int) -> None:
    """One table as a file of each kind: normal features of `columns` columns, two classes."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(rows, columns)).round(6)
    frame = pd.DataFrame(values, columns=[f"x{place}" for place in range(columns)])
    frame["y"] = np.where(values[:, 0] > 0, "yes", "no")
    frame.to_parquet(folder / "table.parquet")
    frame.to_feather(folder / "table.feather")
    frame.to_csv(folder / "table.csv", index=False)
    with (
        (folder / "table.csv").open("rb") as plain,
        gzip.open(folder / "table.csv.gz", "wb", compresslevel=1) as packed,
    ):
        shutil.copyfileobj(plain, packed)


def row(path: Path, columns: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--read", str(path)]
    measured = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    array_mb = measured["rows"] * columns * 8 / 1e6
    return {
        "kind": path.name.partition(".")[2],
        "file_mb": path.stat().st_size / 1e6,
        "array_mb": array_mb,
        **measured,
        "times_the_array": measured["peak_mb"] / array_mb,
    }


def cost(path: Path) -> dict[str, Any]:
    """Of reading `path`, in this process, which has done nothing else."""
    parts = {"validation_fraction": 0.2, "test_fraction": 0.2}
    small = path.with_name("small.csv")  # imports what reading needs
    small.write_text("a,y\n1,2\n")
    read(Data(name="small", path=str(small), target="y", **parts))
    before, start = _megabytes("VmRSS"), time.perf_counter()
    raw = read(Data(name="table", path=str(path), target="y", **parts))
    seconds, peak = time.perf_counter() - start, _megabytes("VmHWM") - before
    return {"rows": len(raw.y), "seconds": seconds, "peak_mb": peak}


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
