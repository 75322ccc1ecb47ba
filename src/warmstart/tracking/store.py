"""Runs -> MLflow. The only import of mlflow.

What makes it safe to run at any time, any number of times, side by side:

- A run carries its digest from the moment it exists. One that is not FINISHED was left by a
  publisher that died, and is written again: every point has the run's own start time, so what
  is there already is the same row, and what is missing is added.
- Publishers of one machine take turns by a lock: beside the database if that is an SQLite file
  (creating its tables is a race that MLflow loses), else in the temporary folder.
- A server has no "create unless there": publishers on two machines may create a run twice. So
  each looks again after writing, and everyone keeps the same one, the oldest.
"""

import hashlib
import logging
import os
import re
import socket
import sqlite3
import tempfile
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock

from warmstart.errors import InputError
from warmstart.tracking.runs import Run, ranking

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow alone retries for minutes. Two attempts of at most 7 s each: a server that is down
    # is known after 14 s, and one that answers takes 0.1 s for the largest batch
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "7",
}
"""For the environment, where the user has not set them."""

LOCK_SECONDS = 300
"""How long to wait for publishers before us: 1,000 trials take each of them about 40 s."""
BATCH = {"metrics": 1000, "params": 100}
"""What MLflow takes in one request."""
_PAGE = 1000
_SQLITE = "sqlite:///"
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


@contextmanager
def opened(uri: str) -> Iterator["Store"]:
    """The store at `uri`, created if need be, for this publisher alone.

    Raises:
        InputError: for whatever fails inside, in one line.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        local = _database(uri)
        with warnings.catch_warnings():
            # other people's deprecations, in the middle of a stage's output
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient

            with _silence(), FileLock(_lock(uri, local), timeout=LOCK_SECONDS):
                if local:
                    _check(local)
                    # absolute, since MLflow keeps open stores by their URI
                    uri = _SQLITE + str(local) + "".join(uri.partition("?")[1:])
                _reach(uri)
                with _log_ahead(local) if local else nullcontext():
                    yield Store(MlflowClient(uri), alone=local is not None)
    except Exception as error:
        raise InputError(_line(uri, error)) from error


class Store:
    """MLflow's side: finds, creates and mends runs."""

    def __init__(self, client: Any, *, alone: bool) -> None:
        """alone: whether the lock keeps every other publisher out."""
        self._client = client
        self._alone = alone
        self._experiments: dict[str, Any] = {}

    @property
    def uri(self) -> str:
        """Where it is, absolute."""
        return str(self._client.tracking_uri)

    def bring(self, stage: str, study: str, runs: Sequence[Run]) -> int:
        """Make MLflow hold `runs`, all of one stage and study; how many it lacked."""
        wanted = {run.digest: run for run in runs}
        found = self._find(stage, study)
        missing = [run for run in runs if run.digest not in found]
        mended = self._settle(found, wanted)
        for run in missing:
            created = self._client.create_run(
                self._experiment(stage).experiment_id, tags=run.tags, run_name=run.name
            )
            self._write(created.info, run)
        if missing and not self._alone:
            found = self._find(stage, study)
            self._settle(found, wanted)
        self._mark(found, wanted)
        self._offer(stage, study)
        return len(missing) + mended

    def _experiment(self, stage: str) -> Any:
        """The stage's experiment. One that was deleted comes back: it is a view."""
        if stage not in self._experiments:
            from mlflow.exceptions import MlflowException

            name = f"warmstart/{stage}"
            experiment = self._client.get_experiment_by_name(name)
            if experiment is None:
                try:
                    self._client.create_experiment(name)
                except MlflowException as error:
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
                experiment = self._client.get_experiment_by_name(name)
            elif experiment.lifecycle_stage == "deleted":
                self._client.restore_experiment(experiment.experiment_id)
            self._experiments[stage] = experiment
        return self._experiments[stage]

    def _offer(self, stage: str, study: str) -> None:
        """A view of the runs table that ranks the arms, opened by `?viewStateShareKey=STUDY`
        (without a study: the stage). By default MLflow's table shows no metric at all."""
        experiment, (key, view) = self._experiment(stage), ranking(stage, study)
        if experiment.tags.get(key) != view:
            self._client.set_experiment_tag(experiment.experiment_id, key, view)

    def _find(self, stage: str, study: str) -> dict[str, list[Any]]:
        """All our runs of a stage and study by digest, oldest first."""
        only = f"tags.`warmstart.study` = '{study}'" if study else ""
        runs: dict[str, Any] = {}  # by id: pages may overlap while others publish
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment(stage).experiment_id],
                only,
                max_results=_PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            runs |= {run.info.run_id: run for run in page}
            if not (token := page.token):
                break
        found: dict[str, list[Any]] = {}
        for run in sorted(runs.values(), key=lambda r: (r.info.start_time, r.info.run_id)):
            tags = run.data.tags
            if digest := tags.get("warmstart.record") or tags.get("warmstart.summary"):
                found.setdefault(digest, []).append(run)
        return found

    def _settle(self, found: dict[str, list[Any]], wanted: dict[str, Run]) -> int:
        """Each digest once and finished; how many were unfinished."""
        mended = 0
        for digest, (oldest, *doubles) in found.items():
            if oldest.info.status != "FINISHED":
                if digest in wanted:
                    self._write(oldest.info, wanted[digest])
                    mended += 1
                else:  # half a run of results that are no more
                    doubles.append(oldest)
            for double in doubles:
                self._client.delete_run(double.info.run_id)
        return mended

    def _write(self, info: Any, run: Run) -> None:
        """Content and end of a run, in one request of each; harmless when repeated."""
        from mlflow.entities import Metric, Param

        metrics = [Metric(name, value, info.start_time, step) for name, value, step in run.metrics]
        params = [Param(key, value) for key, value in run.params.items()]
        while metrics or params:
            now = metrics[: BATCH["metrics"] - BATCH["params"]], params[: BATCH["params"]]
            self._client.log_batch(info.run_id, metrics=now[0], params=now[1], synchronous=True)
            metrics, params = metrics[len(now[0]) :], params[len(now[1]) :]
        self._client.set_terminated(info.run_id, status="FINISHED")

    def _mark(self, found: dict[str, list[Any]], wanted: dict[str, Run]) -> None:
        """`warmstart.current` of the summaries that were there: whether they still hold."""
        for digest, (run, *_) in found.items():
            if "warmstart.summary" in run.data.tags and run.info.status == "FINISHED":
                current = str(digest in wanted).lower()
                if run.data.tags.get("warmstart.current") != current:
                    self._client.set_tag(run.info.run_id, "warmstart.current", current)


def _database(uri: str) -> Path | None:
    """The file behind an SQLite URI, else None."""
    path = uri.removeprefix(_SQLITE).partition("?")[0]
    return Path(path).absolute() if uri.startswith(_SQLITE) and path else None


def _lock(uri: str, local: Path | None) -> Path:
    if local:
        local.parent.mkdir(parents=True, exist_ok=True)
        return local.with_name(f"{local.name}.lock")
    # one per user: another user's file would not open
    name = hashlib.sha256(f"{Path.home()} {uri}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"warmstart-{name}.lock"


_seen: dict[Path, int] = {}


def _check(database: Path) -> None:
    """Fail at once where MLflow would try for minutes (unwritable, no database) or would go on
    with a file that is no more (its connections outlive it)."""
    with closing(sqlite3.connect(database, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # read-only databases let this pass
        connection.execute("CREATE TABLE warmstart_may_write (x)")
        connection.execute("ROLLBACK")
    inode = database.stat().st_ino
    if _seen.setdefault(database, inode) != inode:
        raise OSError("another file than when this process opened it; start the process again")


@contextmanager
def _log_ahead(database: Path) -> Iterator[None]:
    """In SQLite's write-ahead mode each of the five commits of a run waits for the disk once, not
    three times, and whoever looks at MLflow meanwhile does not wait for us. In the end all is in
    the file itself, which can be copied alone; unless somebody reads in it just then, and the next
    publisher does it."""
    with closing(sqlite3.connect(database, timeout=1)) as connection:
        with suppress(sqlite3.OperationalError):  # somebody is in it: then as it was
            connection.execute("PRAGMA journal_mode = WAL")
        yield
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _reach(uri: str) -> None:
    """Fail at once where MLflow would call a database server for minutes."""
    place = urlsplit(uri)
    port = _PORTS.get(place.scheme.partition("+")[0])
    if port and place.hostname:
        socket.create_connection((place.hostname, place.port or port), timeout=7).close()


@contextmanager
def _silence() -> Iterator[None]:
    """No log lines: what matters of a failure arrives as an exception."""
    levels = {logging.getLogger(name): 0 for name in ("mlflow", "alembic", "urllib3")}
    for logger in levels:
        levels[logger] = logger.level
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _line(uri: str, error: Exception) -> str:
    """Where, expected, received, what to do, without the URI's password."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError | sqlite3.Error):  # the deepest of these says it shortest
            error = cause
        cause = cause.__cause__ or cause.__context__
    received = textwrap.shorten(f"{type(error).__name__}: {error}", 250, placeholder=" …")
    line = (
        f"{uri}: expected an MLflow store that answers, received {received}; "
        "start or mend it, or correct MLFLOW_TRACKING_URI"
    )
    return re.sub(r"//[^/@\s]+@", "//", line)
