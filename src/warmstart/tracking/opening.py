"""The door to MLflow's store: one publisher at a time, and whatever fails inside is one line."""

import hashlib
import logging
import os
import sqlite3
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from filelock import FileLock

from warmstart.errors import InputError
from warmstart.tracking.databases import shown, turn
from warmstart.tracking.schema import bring_up_to_date, check_server
from warmstart.tracking.sqlite_file import SQLITE, check, file_of, log_ahead
from warmstart.tracking.store import Store

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow alone retries for minutes. Two attempts of at most 7 s each: a server that is down
    # is known after 14 s, and one that answers takes 0.1 s for the largest batch
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "7",
    "PGCONNECT_TIMEOUT": "7",
}
"""For the environment, where the user has not set them."""

LOCK_SECONDS = 300
"""How long to wait for publishers before us: 1,000 trials take each of them about 40 s."""
_REFUSALS = {
    401: ("a user that it knows", "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
    403: ("permission", "ask whoever runs that server: docs/team.md"),
}
"""Status of HTTP -> what was expected, what to do."""


@contextmanager
def opened(uri: str) -> Iterator[Store]:
    """The store at `uri`, created if need be, for this publisher alone.

    Raises:
        InputError: for whatever fails inside, in one line.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        local = file_of(uri)
        with warnings.catch_warnings():
            # other people's deprecations, in the middle of a stage's output
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient

            with _silence(), FileLock(_lock(uri, local), timeout=LOCK_SECONDS):
                if local:
                    check(local)
                    bring_up_to_date(local)
                    # absolute, since MLflow keeps open stores by their URI
                    uri = SQLITE + str(local) + "".join(uri.partition("?")[1:])
                ahead = log_ahead(local) if local else nullcontext()
                with turn(uri, seconds=LOCK_SECONDS), ahead:
                    if not local:
                        check_server(uri)
                    yield Store(MlflowClient(uri), local)
    except InputError:
        raise
    except Exception as error:
        raise InputError(_line(uri, error)) from error


def _lock(uri: str, local: Path | None) -> Path:
    if local:
        local.parent.mkdir(parents=True, exist_ok=True)
        return local.with_name(f"{local.name}.lock")
    # one per user: another user's file would not open
    name = hashlib.sha256(f"{Path.home()} {uri}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"warmstart-{name}.lock"


@contextmanager
def _silence() -> Iterator[None]:
    """No log lines: what matters of a failure arrives as an exception."""
    levels = {logging.getLogger(name): 0 for name in ("mlflow", "alembic", "sqlalchemy", "urllib3")}
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
    expected, advice = _REFUSALS.get(
        getattr(error, "get_http_status_code", int)(),
        ("an MLflow store that answers", "start or mend it, or correct MLFLOW_TRACKING_URI"),
    )
    received = f"{type(error).__name__}: {error}".replace(uri, shown(uri))
    received = textwrap.shorten(received, 250, placeholder=" …")
    return f"{shown(uri)}: expected {expected}, received {received}; {advice}"
