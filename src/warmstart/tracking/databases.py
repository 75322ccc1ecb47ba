"""Databases that a server keeps: whether one answers, whose turn it is, what of its URI to show."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_LOCK = int.from_bytes(b"warmstar")
"""Of Postgres's advisory locks the one that is ours; each database has its own."""


@contextmanager
def turn(uri: str, *, seconds: int) -> Iterator[None]:
    """Fail at once where MLflow would call a database server for minutes. In Postgres also keep
    the publishers of all machines apart: creating MLflow's tables is a race that it loses.

    Other URIs pass.

    Args:
        uri: of the store, as MLflow takes it.
        seconds: how long to wait for another publisher.

    Raises:
        OSError: the database does not answer, does not let us in or stays another's.
    """
    kind = _kind(uri)
    if kind not in _PORTS:
        yield
        return
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    url = make_url(uri)
    if url.host:
        socket.create_connection((url.host, url.port or _PORTS[kind]), timeout=7).close()
    if kind != "postgresql":
        yield
        return
    connection = None
    try:
        connection = create_engine(url, poolclass=NullPool).connect()
        # both end with the transaction, so no pooler on the way can keep them
        connection.execute(text(f"SET LOCAL lock_timeout = '{seconds}s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    except ModuleNotFoundError as error:
        raise OSError(f"{error}: install psycopg2-binary") from error
    except DBAPIError as error:
        if connection:
            connection.close()
        raise OSError(str(error.orig)) from None
    with connection:
        yield


def is_database(uri: str) -> bool:
    """Whether SQLAlchemy is asked for it, and not a server of MLflow's or a folder."""
    return _kind(uri) in _PORTS or "+" in uri.partition("://")[0]


def _kind(uri: str) -> str:
    return uri.partition(":")[0].partition("+")[0]


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
