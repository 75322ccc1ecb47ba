"""Postgres as MLflow's store: publishers take turns, and no statement waits for ever."""

import os
import select
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import Any

STATEMENT_SECONDS = 30.0
"""For the answer to one statement; MLflow's take milliseconds."""
_LOCK = int.from_bytes(b"warmstar")
"""Of Postgres's advisory locks the one that is ours; each database has its own."""
_waits: ContextVar[float] = ContextVar("_waits", default=0.0)
"""For how long (s) a statement may wait for a lock besides."""

_silent = False
"""Whether it has not answered in time, in this turn: then nothing more is waited for."""


@contextmanager
def turn(uri: str, seconds: float) -> Iterator[None]:
    """In Postgres, keep the publishers of all machines apart: creating MLflow's tables is a race
    that it loses. And fail at once where MLflow would call a server for minutes."""
    if not uri.startswith("postgresql"):
        yield
        return
    from mlflow.store.db import utils as mlflow
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    global _silent
    _silent = False
    mlflow.MAX_RETRY_COUNT = 1  # of connections; after ten MLflow has waited for 100 s
    with suppress(ModuleNotFoundError):  # another driver
        from psycopg2.extensions import set_wait_callback

        set_wait_callback(_in_time)
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(create_engine(uri, poolclass=NullPool).connect())
            # both end with the transaction, so no pooler on the way can keep them
            connection.execute(text(f"SET LOCAL lock_timeout = '{seconds:.0f}s'"))
            longer = _waits.set(seconds)
            try:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            finally:
                _waits.reset(longer)
        except ModuleNotFoundError as error:
            raise OSError(f"{error}; install psycopg2-binary, say postgresql+psycopg2") from error
        except DBAPIError as error:
            raise OSError(str(error.orig)) from None
        yield


def _in_time(connection: Any) -> None:
    """What psycopg2 calls to wait for the server's answer: otherwise its C library waits for ever,
    and no signal ends it."""
    from psycopg2 import OperationalError
    from psycopg2.extensions import POLL_OK, POLL_READ, STATUS_SETUP

    global _silent
    connecting = connection.status == STATUS_SETUP
    seconds = float(os.environ["PGCONNECT_TIMEOUT"]) if connecting else STATEMENT_SECONDS
    end = time.monotonic() + seconds + _waits.get()
    while (state := connection.poll()) != POLL_OK:
        own, left = [connection.fileno()], end - time.monotonic()
        reads, writes = (own, []) if state == POLL_READ else ([], own)
        if _silent or left <= 0 or not any(select.select(reads, writes, [], left)):
            _silent = True
            raise OperationalError(f"no answer within {seconds + _waits.get():.0f} s")
