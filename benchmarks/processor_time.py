"""Where the processor's time of a whole `make run` goes: by stage and by kind.

In a temporary copy of the project, with nothing trained before and an empty MLflow database. Every
Python process says what it has spent on what (`profiling`); the sum is what the operating system
counted of all of them. benchmarks/README.md says how to read the table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import machine
from measuring.process import busy_seconds
from measuring.project import copied
from profiling import table
from profiling.seams import INSIDE, SEAMS, STAGES
from warmstart.files import read_json, write_json

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results/profile.json"
HOOK = Path(__file__).parent / "profiling/hook"
COMMAND = ("-m", "warmstart", "track", "--during")
DVC = ("-P", "src/prefect_dvc/dvc_process.py", "dvc", "repro")
AIM = 0.1
"""The share that may stay unexplained."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--label", default="now", help="name of these rows; replaces those of it")
    parser.add_argument("--project", type=Path, default=ROOT, help="another checkout")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = copied(folder / "project", project=options.project)
        command = [sys.executable, *COMMAND, sys.executable, *DVC]
        row, missing = measure(command, project, folder, SEAMS)
    rows = row["spent"]
    print(*table.lines(rows), "", told(row), sep="\n")
    if missing:
        print(f"profile: expected all of benchmarks/profiling/seams.py, never met: {missing}")
        return 1
    known = read_json(options.output) if options.output.exists() else {"rows": []}
    kept = [one for one in known["rows"] if one["label"] != options.label]
    made = machine.made("benchmarks/processor_time.py", "--label", options.label)
    content = made | {"rows": [*kept, {"label": options.label} | row]}
    write_json(options.output, content)
    print(f"written: {options.output}")
    return 0


def measure(
    command: Sequence[str], project: Path, folder: Path, seams: dict[str, dict[str, str]]
) -> tuple[dict[str, Any], list[str]]:
    """What `command` in `project` spends, and the seams that it never met; other files of it lie
    in `folder`. What it says goes to standard error.

    Raises:
        SystemExit: if it fails.
    """
    left = folder / "profile"
    left.mkdir()
    asked = {"seams": seams, "inside": INSIDE, "stages": STAGES}
    (left / "seams.json").write_text(json.dumps(asked))
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(HOOK), str(project / "src")]),
        "WARMSTART_PROFILE": str(left),
        "WARMSTART_TRIALS": str(folder / "trials"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_TRACKING_URI": "",
    }
    began, busy = time.perf_counter(), busy_seconds()
    process = subprocess.Popen(command, cwd=project, env=env, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"profile: expected the run to end well, received exit code {process.returncode}")
    seconds, busy = time.perf_counter() - began, busy_seconds() - busy
    counted = usage.ru_utime + usage.ru_stime
    rows = table.rows(left, process.pid, counted)
    row = {
        "seconds": round(counted, 2),
        "wall_seconds": round(seconds, 1),
        "unexplained": round(table.unexplained(rows), 4),
        "disturbed": round(max(0.0, busy - counted) / (seconds * os.cpu_count()), 3),
        "spent": rows,
    }
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    return row, table.never_met(left, seams, backend)


def told(row: dict[str, Any]) -> str:
    """What is to be known of the table."""
    return (
        f"{row['seconds']:.0f} s of processor time in {row['wall_seconds']:.0f} s; unexplained "
        f"{row['unexplained']:.1%} (aim {AIM:.0%}: "
        f"{'reached' if row['unexplained'] <= AIM else 'missed'}); others took "
        f"{row['disturbed']:.0%} of the cores' time, which lengthens processor time, too"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
