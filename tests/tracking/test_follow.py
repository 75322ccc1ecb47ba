"""`track --during COMMAND` publishes what the command writes while it runs."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from made_up_results import made_up, write
from warmstart import __main__ as command_line
from warmstart.errors import InputError
from warmstart.tracking import beside
from warmstart.tracking import publish as publishing
from warmstart.tracking.beside import publish_during
from warmstart.tracking.project import Project

HELPERS = Path(__file__).parent
WRITES_AND_WAITS = """
import os, sqlite3, sys, time
from contextlib import closing
from pathlib import Path
from made_up_results import made_up, write
write(Path("results/compare/clipping"), *made_up(study="clipping"))
deadline = time.monotonic() + 60
count = "SELECT count(*) FROM tags WHERE key = 'warmstart.study' AND value = 'clipping'"
while time.monotonic() < deadline:
    with closing(sqlite3.connect("mlflow.db", timeout=60)) as database:
        if database.execute(count).fetchone() == (21,):
            sys.exit(3)
    time.sleep(0.05)
"""


def studies(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT DISTINCT value FROM tags WHERE key = 'warmstart.study'"
        return {value for (value,) in connection.execute(query)}


def test_what_a_command_writes_is_published_before_it_ends(
    database: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HELPERS), *sys.path]))
    code = publish_during([sys.executable, "-c", WRITES_AND_WAITS], Project())
    assert code == 3  # of 18 trials and 3 arms; it gives 0 where it has waited in vain
    assert studies(database) == {"clipping", "initializer"}, "and what was there before"


def test_what_a_command_writes_last_is_published_too(database: Path) -> None:
    files = database.parent / "elsewhere"
    write(files, made_up(study="depth")[0], None)
    (database.parent / "results/compare").mkdir(parents=True)
    command = ["mv", str(files), "results/compare/depth"]
    assert publish_during(command, Project()) == 0
    assert studies(database) == {"depth"}


def ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline that has written one study when it ends."""

    def is_open(_: object) -> bool:
        write(Path("results/compare/depth"), made_up(study="depth")[0], None)
        return False

    monkeypatch.setattr(beside, "_is_open", is_open)


def test_a_pipeline_hears_what_was_published(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(database.parent)
    ends_at_once(monkeypatch)
    assert command_line.main(["track", "--follow"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["results/compare/depth: 18 published", "18 runs and models published"]


def test_a_pipeline_hears_that_not_all_was(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise InputError("nobody is there")

    monkeypatch.chdir(database.parent)
    ends_at_once(monkeypatch)
    monkeypatch.setattr(publishing.Publisher, "bring", nobody)
    assert command_line.main(["track", "--follow"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("publishes it: nobody is there\n")


@pytest.mark.parametrize(
    ("command", "received"), [([], "nothing"), (["nosuch", "-x"], "nosuch -x")]
)
def test_a_command_that_there_is_not_is_named(
    here: Path, command: list[str], received: str
) -> None:
    with pytest.raises(InputError) as raised:
        publish_during(command, Project())
    (line,) = raised.value.problems
    assert line.startswith(f"--during: expected a command to run, received {received} (")


def test_a_command_that_is_killed_ends_as_in_a_shell(here: Path) -> None:
    assert publish_during(["sh", "-c", "kill -9 $$"], Project()) == 128 + 9


def test_results_that_cannot_be_published_cost_one_line_and_not_the_command(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(here / "elsewhere", made_up()[0], None)
    (here / "mlflow.db").write_text("no database")
    (here / "results").mkdir()
    assert publish_during(["mv", "elsewhere", "results/study"], Project()) == 0
    assert capfd.readouterr().err.count("is in MLflow yet") == 1


def test_the_command_line_hands_on_arguments_and_exit_code(here: Path) -> None:
    assert command_line.main(["track", "--during", "sh", "-c", "exit 5"]) == 5


def test_those_who_train_have_the_cores_first(here: Path) -> None:
    tell = "import os; print(os.getpriority(0, 0), os.getpriority(0, os.getppid()))"
    # we give way once the command has been started
    wait = "import os, time\nwhile not os.getpriority(0, os.getppid()): time.sleep(0.01)\n"
    command = [sys.executable, "-m", "warmstart", "track", "--results", "results", "--during"]
    output = subprocess.check_output([*command, sys.executable, "-c", wait + tell], text=True)
    assert output == f"{os.getpriority(os.PRIO_PROCESS, 0)} 19\n"


def test_what_mlflow_takes_once_to_load_does_not_put_off_what_follows(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 8 seconds for it the first trials of a run were there after three minutes."""
    clock, published_at, opening = [0.0], list[float](), iter([100.0])

    @contextmanager
    def opened() -> Iterator[None]:
        clock[0] += next(opening, 1.0)
        yield

    def bring(*_: object, **__: object) -> publishing.Published:
        with publishing.opened():
            published_at.append(clock[0])
        return publishing.Published(new=1)

    def goes_on() -> bool:
        clock[0] += 1
        if not (new := here / f"results/{len(published_at)}").exists():
            write(new, made_up()[0], None)
        return clock[0] < 200

    for name in ("monotonic", "process_time"):
        monkeypatch.setattr(publishing.time, name, lambda: clock[0])
    monkeypatch.setattr(publishing, "opened", opened)
    monkeypatch.setattr(publishing.Publisher, "bring", bring)
    monkeypatch.setattr(publishing.os, "setpriority", lambda *_: None)
    publishing.Publisher(Project(), follows=True).follow(goes_on)
    gaps = [later - earlier for earlier, later in pairwise(published_at)]
    assert gaps[:3] == [pytest.approx(publishing.REST, abs=3)] * 3
