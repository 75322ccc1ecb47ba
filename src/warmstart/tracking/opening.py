"""The door to MLflow's store: one publisher at a time, and whatever fails inside is one line."""

import hashlib
import logging
import os
import re
import sqlite3
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from warmstart import deadlines
from warmstart.errors import InputError
from warmstart.files import replacing
from warmstart.tracking.addresses import hidden, shown, without_login
from warmstart.tracking.calls import Calls
from warmstart.tracking.postgres import turn
from warmstart.tracking.store import Store

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow alone retries for minutes. Two attempts of at most 7 s each: a server that is down
    # is known after 14 s, and one that answers takes 0.1 s for the largest batch
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "7",
    # a server may ask for an hour, or send us round in circles
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
    "PGCONNECT_TIMEOUT": "7",
}
"""For the environment, where the user has not set them."""

LOCK_SECONDS = 300
"""How long to wait for publishers before us: 1,000 trials take each of them
up to a minute before a server."""
SAID_SECONDS = 10
"""After how long of that a line says so."""
_SQLITE = "sqlite:///"
_DATABASES = ("sqlite", "postgresql")
_DAMAGED = re.compile("is not a database|malformed|disk I/O error")
"""What SQLite says of a file that is cut off or has wrong bytes."""
_NOISY = ("mlflow", "alembic", "sqlalchemy", "urllib3")
"""Loggers that stay silent: what matters of a failure arrives as an exception."""
_REFUSALS = {
    401: ("a user that it knows", "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
    403: ("permission", "ask whoever runs that server: docs/team.md"),
}
"""Status of HTTP -> what was expected, what to do."""


def tracking_uri() -> str:
    """Where MLflow's data lie: $MLFLOW_TRACKING_URI, else mlflow.db in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}mlflow.db"


def local_file(uri: str) -> Path | None:
    """The SQLite file that `uri` names, absolute; None: something else."""
    path = uri.removeprefix(_SQLITE).partition("?")[0]
    return Path(path).absolute() if uri.startswith(_SQLITE) and path else None


@contextmanager
def opened() -> Iterator[Store]:
    """The store at `tracking_uri()`, created if need be, for this publisher alone.

    Raises:
        InputError: for whatever fails inside, in one line.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    deadlines.pass_proxies_by()
    deadlines.whole_answers()
    uri = without_login(tracking_uri())
    local = local_file(uri)
    try:
        with warnings.catch_warnings():
            # other people's deprecations, in the middle of a stage's output
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient

            for name in _NOISY:  # after the import, which sets levels of its own
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
            with ExitStack() as stack:
                with deadlines.said_after(SAID_SECONDS, _waiting(uri)):
                    stack.enter_context(FileLock(_lock(uri, local), timeout=LOCK_SECONDS))
                    if local:
                        # absolute, since MLflow keeps open stores by their URI
                        uri = _SQLITE + str(local) + "".join(uri.partition("?")[1:])
                    stack.enter_context(_file(local) if local else turn(uri, LOCK_SECONDS))
                _check_release(uri)
                calls = _calls(MlflowClient(uri), uri, alone=local is not None)
                # for an SQLite file MLflow would take the current folder, whichever that is
                yield Store(calls, local and local.with_name("mlartifacts"))
    except InputError:
        raise
    except Exception as error:
        raise InputError(_line(uri, error)) from error


def _calls(client: Any, uri: str, *, alone: bool) -> Calls:
    """Into a database as rows, if its schema, which `_check_release` has held to this MLflow, is
    the one that we know."""
    if uri.startswith(_DATABASES):
        from warmstart.tracking import database, rows  # load SQLAlchemy

        if _latest_revision() == rows.REVISION:
            return database.Database(client, alone=alone)
    return Calls(client, alone=alone)


def _lock(uri: str, local: Path | None) -> Path:
    if local:
        local.parent.mkdir(parents=True, exist_ok=True)
        return local.with_name(f"{local.name}.lock")
    # one per user: another user's file would not open
    name = hashlib.sha256(f"{Path.home()} {uri}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"warmstart-{name}.lock"


_inodes: dict[Path, int] = {}
"""Of the files that this process has opened: connections of MLflow's outlive them."""


@contextmanager
def _file(database: Path) -> Iterator[None]:
    """An SQLite database with MLflow's tables. Fail at once where MLflow would try for minutes
    (unwritable, no database) or go on with a file that is no more.

    In write-ahead mode each commit waits for the disk once, not three times, and who looks at
    MLflow meanwhile does not wait for us. In the end all is in the file, which can be copied alone.
    """
    if database.exists() and not database.stat().st_size:
        line = f"{database}: expected a database, received an empty file; it is made anew"
        print(f"warning: {line}, and gets what is in `results`", file=sys.stderr)
    if not database.exists() or not database.stat().st_size:
        _create(database)
    if database not in _inodes:  # closing a file drops all locks that SQLite holds on it for us
        _check_length(database)
    with closing(sqlite3.connect(database, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # read-only databases let this pass
        connection.execute("CREATE TABLE warmstart_may_write (x)")
        connection.execute("ROLLBACK")
        if _inodes.setdefault(database, database.stat().st_ino) != database.stat().st_ino:
            raise OSError("another file than when this process opened it; start the process again")
        connection.execute("PRAGMA busy_timeout = 1000")
        with suppress(sqlite3.OperationalError):  # somebody is in it: then as it was
            connection.execute("PRAGMA journal_mode = WAL")
        yield
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _check_length(database: Path) -> None:
    """Raise sqlite3.DatabaseError if the file is cut off: SQLite itself sees it where it reads a
    page that is missing, takes the first bytes of a header for a new database, and writes to both.

    See "The Database Header", https://www.sqlite.org/fileformat.html.
    """
    size = database.stat().st_size
    with database.open("rb") as file:
        header = file.read(100)
    page, pages = (int.from_bytes(header[start:end], "big") for start, end in ((16, 18), (28, 32)))
    whole = max(100, (65536 if page == 1 else page) * pages)
    ahead = database.with_name(f"{database.name}-wal")  # of which the file may lag behind
    if size < whole and not (ahead.exists() and ahead.stat().st_size):
        raise sqlite3.DatabaseError(f"malformed: it ends after {size:,} of {whole:,} bytes")


def _create(database: Path) -> None:
    """MLflow makes its tables one by one, and what it finds half done it cannot complete: so they
    are made in a file beside, which then takes the place of `database`."""
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    with replacing(database) as made:
        engine = create_sqlalchemy_engine(f"{_SQLITE}{made}")
        try:
            _initialize_tables(engine)
        finally:
            engine.dispose()


def _check_release(uri: str) -> None:
    """Nothing where the database is empty, has the tables of this MLflow, or is none.

    Raises:
        InputError: they are of another release. MLflow itself would migrate them unasked, and keep
            no copy.
    """
    if not uri.startswith(_DATABASES):
        return
    import mlflow
    from mlflow.store.db.utils import _get_schema_version, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(uri)
    try:
        revision = _get_schema_version(engine)
    finally:
        engine.dispose()
    if revision and revision != _latest_revision():
        raise InputError(
            f"{shown(uri)}: expected the tables of MLflow {mlflow.__version__}, received those of "
            f"another release ({revision}); if it is older, keep a copy of the database and run "
            f"`mlflow db upgrade {shown(uri)}`, if it is newer, install that release"
        )


@cache
def _latest_revision() -> str:
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())


def _waiting(uri: str) -> str:
    return f"{shown(uri)}: another publisher is at work there; waiting, {LOCK_SECONDS} s at most"


def _line(uri: str, error: Exception) -> str:
    """Where, expected, received, what to do, without the URI's password."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError | sqlite3.Error):  # the deepest of these says it shortest
            error = cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    expected, advice = _REFUSALS.get(
        getattr(error, "get_http_status_code", int)(),
        ("an MLflow store that answers", "start or mend it, or correct MLFLOW_TRACKING_URI"),
    )
    if _DAMAGED.search(str(error)):
        expected = "a database that is whole"
        advice = "move it away, and `make track` puts all of `results` into a new one"
    received = hidden(f"{type(error).__name__}: {error}", tracking_uri())
    received = textwrap.shorten(received, 250, placeholder=" …")
    return f"{shown(uri)}: expected {expected}, received {received}; {advice}"
