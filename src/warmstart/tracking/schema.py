"""The tables of MLflow's database: those of the release that is installed, or one clear line.

MLflow makes and migrates tables statement by statement, each of which stays where its process is
killed in between, and what it finds half done it cannot complete. So an SQLite file is made or
migrated in a copy, whose content takes the file's place in one transaction of SQLite. A program
that has the file open, as MLflow's server does, goes on with the new content.
"""

import sqlite3
import sys
from contextlib import closing
from functools import cache
from itertools import chain, count
from pathlib import Path

from warmstart.errors import InputError
from warmstart.files import replacing
from warmstart.tracking.databases import is_database, shown


def bring_up_to_date(database: Path) -> None:
    """Give an SQLite file, which may be empty, the tables of this MLflow. A copy of what an older
    release has left is kept beside it, and one line on standard error says so.

    Raises:
        InputError: the file is of a newer release.
        OSError, sqlite3.Error: the disk is full, somebody else writes to the file, …; then it is
            as it was.
    """
    with closing(sqlite3.connect(database, timeout=10, isolation_level=None)) as connection:
        tables, revision = _look(connection)
        if not _is_behind(str(database), revision):
            return
        # from here on nobody else reads or writes, so nothing is lost that comes meanwhile
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        made = database.with_name(f"{database.name}.upgrading")
        made.unlink(missing_ok=True)
        try:
            _copy(connection, made)
            _migrate(made, fresh=not tables)
            kept = _keep(connection, database, revision) if tables else None
            with closing(sqlite3.connect(made)) as source:
                source.backup(connection)
        finally:
            made.unlink(missing_ok=True)
    if kept:
        print(
            f"{database}: was of an older MLflow and is now of {_release()}; as it was, it is kept "
            f"as {kept.name}",
            file=sys.stderr,
        )


def check_server(uri: str) -> None:
    """Nothing where the database at `uri` is empty or has the tables of this MLflow, or is none.

    Raises:
        InputError: it is of an older or newer release. What a team shares is not for a training
            run to migrate, as MLflow itself would do unasked.
    """
    if not is_database(uri):
        return
    from alembic.migration import MigrationContext
    from mlflow.store.db.utils import create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(uri)
    try:
        with engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    if revision and _is_behind(shown(uri), revision):
        raise InputError(
            f"{shown(uri)}: expected the tables of MLflow {_release()}, received those "
            f"of an older one ({revision}); keep a copy of the database, then run "
            f"`mlflow db upgrade {shown(uri)}` and `make track`"
        )


def _look(connection: sqlite3.Connection) -> tuple[set[str], str | None]:
    """Names of the tables, and the revision that they are of."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    tables = {name for (name,) in names}
    if "alembic_version" not in tables:
        return tables, None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return tables, row[0] if row else None


def _is_behind(where: str, revision: str | None) -> bool:
    known, latest = _revisions()
    if revision and revision not in known:
        raise InputError(
            f"{where}: expected a database of MLflow {_release()} or an older one, received one of "
            f"a newer ({revision}); install that, or give MLFLOW_TRACKING_URI another place"
        )
    return revision != latest


@cache
def _revisions() -> tuple[frozenset[str], str | None]:
    """All that this MLflow knows of, and the latest."""
    import mlflow
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store/db_migrations"))
    revisions = frozenset(script.revision for script in scripts.walk_revisions())
    return revisions, scripts.get_current_head()


def _migrate(database: Path, *, fresh: bool) -> None:
    """What the command `mlflow db upgrade` does, which leaves the file open."""
    from mlflow.store.db.utils import _initialize_tables, _upgrade_db, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(f"sqlite:///{database}")
    try:
        (_initialize_tables if fresh else _upgrade_db)(engine)
    finally:
        engine.dispose()


def _keep(connection: sqlite3.Connection, database: Path, revision: str | None) -> Path:
    """Copy the database to a file of its own, `mlflow-REVISION.db` for `mlflow.db`."""
    stem = f"{database.stem}-{revision or 'old'}"
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    paths = (database.with_name(name + database.suffix) for name in names)
    kept = next(path for path in paths if not path.exists())
    with replacing(kept) as unfinished:
        _copy(connection, unfinished)
    return kept


def _copy(connection: sqlite3.Connection, path: Path) -> None:
    with closing(sqlite3.connect(path)) as target:
        connection.backup(target)


def _release() -> str:
    import mlflow

    return str(mlflow.__version__)
