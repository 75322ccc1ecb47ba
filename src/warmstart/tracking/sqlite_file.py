"""A database that is a file: which one, whether it can be written, how it is written fast."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

SQLITE = "sqlite:///"


def file_of(uri: str) -> Path | None:
    """The file behind an SQLite URI, else None."""
    path = uri.removeprefix(SQLITE).partition("?")[0]
    return Path(path).absolute() if uri.startswith(SQLITE) and path else None


_seen: dict[Path, int] = {}


def check(database: Path) -> None:
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
def log_ahead(database: Path) -> Iterator[None]:
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
