"""What orchestration costs beside bare `dvc repro`.

A project of seven stages that take no time, against a Prefect server on 127.0.0.1: `dvc repro` and
the flow of prefect_dvc in turn, with everything and with nothing to do. About 2 minutes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from foreign_project import STAGES, environment, flow_command, made  # noqa: E402
from measuring import machine  # noqa: E402
from prefect_serving import prefect_server  # noqa: E402
from warmstart.files import write_json  # noqa: E402

REPETITIONS = 5
COMMANDS = {
    "dvc repro": [sys.executable, "-m", "dvc", "repro"],
    "flow": flow_command(width=2),
}


def main() -> int:
    with tempfile.TemporaryDirectory() as name, prefect_server(Path(name)) as server:
        folder, url = Path(name), server.url
        rows = [row for _ in range(REPETITIONS) for row in costs(folder, url)]
        seconds = {
            case: median(row["seconds"] for row in rows if (row["what"], row["case"]) == case)
            for case in product(COMMANDS, ("nothing to do", "everything"))
        }
        idle = seconds["flow", "nothing to do"] - seconds["dvc repro", "nothing to do"]
        busy = seconds["flow", "everything"] - seconds["dvc repro", "everything"]
        summary = {
            "seconds_more_with_nothing_to_do": round(idle, 2),
            "seconds_more_a_stage": round((busy - idle) / len(STAGES), 2),
        }
    print(summary)
    write_json(
        ROOT / "benchmarks/results/flows.json",
        {
            "command": "python benchmarks/flows.py",
            "machine": machine.describe(),
            "versions": machine.versions(),
            **summary,
            "rows": rows,
        },
    )
    return 0


def costs(folder: Path, url: str) -> Iterator[dict[str, object]]:
    for what, command in COMMANDS.items():
        project = fresh(folder)
        for case in ("everything", "nothing to do"):
            began = time.perf_counter()
            subprocess.run(command, cwd=project, env=known(url), check=True, **QUIET)
            yield {"what": what, "case": case, "seconds": time.perf_counter() - began}


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def known(url: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return environment(PREFECT_API_URL=url, PATH=path)


def fresh(folder: Path) -> Path:
    project = folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    return made(project)


if __name__ == "__main__":
    sys.exit(main())
