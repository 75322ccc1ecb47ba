"""One way to bring results to MLflow, in a process of its own:

    python -m publishing.ways WAY STORE RESULTS DATABASE RUNS

prints as JSON how long it took, in all and of this process's processor time, how many SQL
statements it sent, and how many values MLflow holds then. Loading MLflow and starting a server
count for none of the ways.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any

from publishing.store import ENVIRONMENT, rows, serving
from warmstart.records import read_records
from warmstart.tracking.project import Project
from warmstart.tracking.publish import publish
from warmstart.tracking.runs import Run
from warmstart.tracking.views import head, trial_runs

WAYS = ("publish", "log_metric", "log_metrics")
STORES = ("sqlite", "server")


def main(argv: Sequence[str]) -> int:
    way, store, results, empty, count = argv
    os.environ.update(ENVIRONMENT)
    database = Path(shutil.copy(empty, Path(empty).with_name(f"{os.getpid()}.db")))
    bare = nullcontext(f"sqlite:///{database}")
    with serving(database) if store == "server" else bare as uri:
        os.environ["MLFLOW_TRACKING_URI"] = uri
        with _statements() as asked:
            began = time.process_time()
            seconds = _publish(results) if way == "publish" else _log(way, results, int(count))
            processor = time.process_time() - began
    ((values,),) = rows(database, "SELECT COUNT(*) FROM metrics")
    found = {"seconds": seconds, "processor_seconds": processor, "statements": len(asked)}
    print(json.dumps(found | {"values": values}))
    return 0


@contextmanager
def _statements() -> Iterator[list[str]]:
    """SQL that this process sends; a server sends its own."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    asked: list[str] = []

    def count(*given: Any) -> None:
        asked.append(given[2])

    event.listen(Engine, "before_cursor_execute", count)
    yield asked
    event.remove(Engine, "before_cursor_execute", count)


def _publish(results: str) -> float:
    import mlflow  # noqa: F401

    began = time.perf_counter()
    publish(Project(results=Path(results), reports=Path(results).with_name("reports")))
    return time.perf_counter() - began


def _log(way: str, results: str, count: int) -> float:
    """As a script would that trains in a loop: one run after the other, value by value or epoch by
    epoch; params and tags in one call each."""
    import mlflow

    mlflow.set_experiment("loop")
    runs = trial_runs(read_records(Path(results) / "records.parquet"), head(Path(results)))
    log = _value_by_value if way == "log_metric" else _epoch_by_epoch
    began = time.perf_counter()
    for run in runs[:count]:
        with mlflow.start_run(run_name=run.name, tags=run.tags):
            mlflow.log_params(run.params)
            log(run)
    return time.perf_counter() - began


def _value_by_value(run: Run) -> None:
    import mlflow

    for name, value, step in run.metrics:
        mlflow.log_metric(name, value, step=step)


def _epoch_by_epoch(run: Run) -> None:
    import mlflow

    def step(point: tuple[str, float, int]) -> int:
        return point[2]

    for epoch, points in groupby(sorted(run.metrics, key=step), step):
        mlflow.log_metrics({name: value for name, value, _ in points}, step=epoch)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
