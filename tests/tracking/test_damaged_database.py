"""mlflow.db, cut off, emptied or with a wrong bit: one line, and the file as it was."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from damages import damaging

from made_up_results import made_up, publish, write
from warmstart.errors import InputError
from warmstart.tracking.opening import opened
from warmstart.tracking.publish import Published


def test_one_line_and_nothing_lost(database: Path, here: Path) -> None:
    folder = write(here / "results/compare/initializer", *made_up(seeds=1))
    for damage in damaging(database, flips=(0.0, 0.00002)):  # the first, and the page's size
        if not (content := database.read_bytes()):
            continue
        with pytest.raises(InputError) as refused:
            publish(folder)
        (line,) = refused.value.problems
        assert line.startswith("sqlite:///"), damage
        assert ": expected a database that is whole, received DatabaseError: " in line, damage
        assert line.endswith(
            "; move it away, and `make track` puts all of `results` into a new one"
        )
        assert "\n" not in line
        assert database.read_bytes() == content


def test_an_emptied_one_is_made_anew_and_said(
    database: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(here / "results/compare/initializer", *made_up(seeds=1))
    database.write_bytes(b"")
    assert publish(folder) == Published(new=9, present=0)
    said = f"warning: {database}: expected a database, received an empty file; it is made anew"
    assert said in capsys.readouterr().err


def test_connections_that_stay_keep_their_locks(database: Path) -> None:
    """Without them whoever else closes the database believes to be the last, and removes the log
    ahead of writing, into which MLflow's connections of this process then write for nobody."""
    look = f"import sqlite3; c = sqlite3.connect({str(database)!r})"
    look += "; c.execute('SELECT * FROM runs').fetchall(); c.close()"
    with opened():
        pass
    with closing(sqlite3.connect(database)) as stays:  # as one of MLflow's pool does
        stays.execute("SELECT * FROM runs").fetchall()
        with opened():
            pass
        subprocess.run([sys.executable, "-c", look], check=True)
        assert database.with_name(f"{database.name}-wal").exists()
