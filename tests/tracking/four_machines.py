"""Publishers on four machines at once: `python four_machines.py RESULTS FOLDER`.

The lock of a machine lies in its temporary folder, so with one each, below FOLDER, four processes
are on four machines. They are forked when MLflow is loaded, which takes longer than to publish,
and start together.
"""

import multiprocessing
import sys
import tempfile
from multiprocessing.synchronize import Barrier
from pathlib import Path

import mlflow  # noqa: F401
import sqlalchemy  # noqa: F401

from made_up_results import publish

MACHINES = 4


def machine(number: int, together: Barrier, results: Path, folder: Path) -> None:
    tempfile.tempdir = str(folder / f"machine{number}")
    Path(tempfile.tempdir).mkdir()
    together.wait(60)
    print(publish(results).new)


def main() -> int:
    fork = multiprocessing.get_context("fork")
    together = fork.Barrier(MACHINES)
    arguments = (together, *map(Path, sys.argv[1:]))
    processes = [fork.Process(target=machine, args=(n, *arguments)) for n in range(MACHINES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return max(abs(process.exitcode or 0) for process in processes)


if __name__ == "__main__":
    sys.exit(main())
