"""The door to MLflow's store: one publisher at a time, and whatever fails inside is one line."""

import hashlib
import logging
import os
import sqlite3
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import FileLock

from warmstart.errors import InputError
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
_SQLITE = "sqlite:///"
_NOISY = ("mlflow", "alembic", "sqlalchemy", "urllib3")
"""Loggers that stay silent: what matters of a failure arrives as an exception."""
_POSTGRES_LOCK = int.from_bytes(b"warmstar")
"""Of Postgres's advisory locks the one that is ours; each database has its own."""
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
    uri = tracking_uri()
    local = local_file(uri)
    try:
        with warnings.catch_warnings():
            # other people's deprecations, in the middle of a stage's output
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient

            for name in _NOISY:  # after the import, which sets levels of its own
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
            with FileLock(_lock(uri, local), timeout=LOCK_SECONDS):
                if local:
                    # absolute, since MLflow keeps open stores by their URI
                    uri = _SQLITE + str(local) + "".join(uri.partition("?")[1:])
                with _file(local) if local else _turn(uri):
                    _check_release(uri)
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


_inodes: dict[Path, int] = {}
"""Of the files that this process has opened: connections of MLflow's outlive them."""


@contextmanager
def _file(database: Path) -> Iterator[None]:
    """An SQLite database with MLflow's tables. Fail at once where MLflow would try for minutes
    (unwritable, no database) or go on with a file that is no more.

    In write-ahead mode each commit waits for the disk once, not three times, and who looks at
    MLflow meanwhile does not wait for us. In the end all is in the file, which can be copied alone.
    """
    if not database.exists() or not database.stat().st_size:
        _create(database)
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


def _create(database: Path) -> None:
    """MLflow makes its tables one by one, and what it finds half done it cannot complete: so they
    are made in a file beside, which then takes the place of `database`."""
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    made = database.with_name(f"{database.name}.new")
    made.unlink(missing_ok=True)
    engine = create_sqlalchemy_engine(f"{_SQLITE}{made}")
    try:
        _initialize_tables(engine)
    finally:
        engine.dispose()
    made.replace(database)


@contextmanager
def _turn(uri: str) -> Iterator[None]:
    """In Postgres, keep the publishers of all machines apart: creating MLflow's tables is a race
    that it loses. And fail at once where MLflow would call a server for minutes."""
    if not uri.startswith("postgresql"):
        yield
        return
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    with ExitStack() as stack:
        try:
            connection = stack.enter_context(create_engine(uri, poolclass=NullPool).connect())
            # both end with the transaction, so no pooler on the way can keep them
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})"))
        except ModuleNotFoundError as error:
            raise OSError(f"{error}; install psycopg2-binary, say postgresql+psycopg2") from error
        except DBAPIError as error:
            raise OSError(str(error.orig)) from None
        yield


def _check_release(uri: str) -> None:
    """Nothing where the database is empty, has the tables of this MLflow, or is none.

    Raises:
        InputError: they are of another release. MLflow itself would migrate them unasked, and keep
            no copy.
    """
    if not uri.startswith(("sqlite", "postgresql")):
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


def shown(uri: str) -> str:
    """`uri` without user, password and query, each of which may be a secret."""
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    scheme, found, _ = uri.partition("://")
    if not found or scheme == "sqlite":
        return uri
    try:
        url = make_url(uri)
        bare = URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
        return bare.render_as_string()
    except (ArgumentError, ValueError):
        return f"{scheme}://…"


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
