"""What orchestration costs beside bare `dvc repro`, and what a kill at any moment leaves.

A project of seven stages that take no time, against a Prefect server on 127.0.0.1: `dvc repro` and
the flow of prefect_dvc in turn, with everything and with nothing to do. Then flows are killed
(SIGKILL) after a random time, 20 of them, and each time the next flow must end with the same
`dvc.lock` as an undisturbed one. About 6 minutes.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from foreign_project import (  # noqa: E402
    ADD,
    DVC_YAML,
    STAGES,
    dvc,
    environment,
    flow_command,
    git,
)
from measuring import machine  # noqa: E402
from prefect_serving import answering  # noqa: E402
from warmstart.files import write_json  # noqa: E402

REPETITIONS, KILLS = 5, 20
COMMANDS = {
    "dvc repro": [sys.executable, "-m", "dvc", "repro"],
    "flow": flow_command(width=2),
}


def main() -> int:
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as url:
        folder = Path(name)
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
            "kills": kills(folder, url, seconds["flow", "everything"]),
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


def kills(folder: Path, url: str, seconds: float) -> dict[str, int]:
    """How many flows were killed in mid-run, and how many of the next ones ended as they must."""
    project, luck = fresh(folder), random.Random(0)
    subprocess.run(COMMANDS["flow"], cwd=project, env=known(url), check=True, **QUIET)
    undisturbed = (project / "dvc.lock").read_bytes()
    counts = {"killed": 0, "recovered": 0}
    while counts["killed"] < KILLS:
        project = fresh(folder)
        process = subprocess.Popen(COMMANDS["flow"], cwd=project, env=known(url), **QUIET)
        time.sleep(luck.uniform(0, seconds))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            counts["killed"] += 1
        process.wait()
        again = subprocess.run(
            COMMANDS["flow"], cwd=project, env=known(url), capture_output=True, text=True
        )
        same = again.returncode == 0 and (project / "dvc.lock").read_bytes() == undisturbed
        counts["recovered"] += same and process.returncode == -signal.SIGKILL
        print(counts, again.stderr[-3000:] if again.returncode else "", flush=True)
    return counts


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def known(url: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return environment(PREFECT_API_URL=f"{url}/api", PATH=path)


def fresh(folder: Path) -> Path:
    project = folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    git(project, "init", "--quiet")
    dvc(project, "init", "--quiet")
    (project / "raw.txt").write_text("3\n")
    (project / "add.py").write_text(ADD)
    (project / "dvc.yaml").write_text(DVC_YAML)
    dvc(project, "add", "--quiet", "raw.txt")
    return project


@contextmanager
def server(home: Path) -> Iterator[str]:
    url, log = "http://127.0.0.1:4299", home / "log"
    settings = {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    start = [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        "4299",
        "--no-ui",
    ]
    with log.open("w") as out:
        env = environment(**settings)
        process = subprocess.Popen(start, env=env, stdout=out, stderr=out)
        try:
            answering(f"{url}/api", log)
            yield url
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    sys.exit(main())
