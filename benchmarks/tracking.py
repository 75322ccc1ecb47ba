"""What MLflow costs beside training, afterwards, and when it holds thousands of trials.

benchmarks/README.md says what is measured and how to read the table.
"""

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import machine
from measuring.text import DISTURBED
from publishing import publish, scale, training
from warmstart.files import read_json, write_json

RESULTS = Path(__file__).parent / "results" / "tracking.json"
PARTS = {"publish": publish, "training": training, "scale": scale}


def main(argv: Sequence[str]) -> int:
    options = _parse(argv)
    output = options.output or (None if options.quick else RESULTS)
    found = read_json(output) if output and output.exists() else {}
    for name in options.parts:
        part, load = PARTS[name], os.getloadavg()[0]
        print(f"{name}:", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            if options.keep:
                (options.keep / name).mkdir(parents=True)
            rows = part.measure(
                options.keep / name if options.keep else Path(folder),
                options.quick,
                options.repetitions,
            )
        print("", *part.lines(rows), *_notes(rows), "", sep="\n", flush=True)
        command = ["python", "benchmarks/tracking.py", "--parts", name]
        command += ["--repetitions", str(options.repetitions)]
        found[name] = {
            "command": shlex.join(command + ["--quick"] * options.quick),
            "machine": machine.describe(),
            "versions": machine.versions(),
            "load_before": round(load, 2),
            "rows": rows,
        }
        if output:
            write_json(output, {known: found[known] for known in PARTS if known in found})
    if output:
        print(f"written: {output}")
    return 0


def _notes(rows: Sequence[dict[str, Any]]) -> list[str]:
    worst = max(row.get("disturbed", 0.0) for row in rows)
    if worst <= DISTURBED:
        return []
    return [f"others took up to {worst:.0%} of the cores' time: measure again on a quiet machine"]


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tracking.py", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument(
        "--quick", action="store_true", help="a few trials: shows in a minute or two that it runs"
    )
    parser.add_argument(
        "--keep", type=Path, help="an empty folder for databases and pictures of the pages"
    )
    parser.add_argument("--output", type=Path, help="instead of results/tracking.json")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
