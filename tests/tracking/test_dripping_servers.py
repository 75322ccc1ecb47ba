"""MLflow's servers that accept and then do not do their part: a line, in time, and no password."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dripping import Relay, dripping
from filelock import FileLock

from made_up_results import publish, publish_all, publish_quietly
from postgres import Postgres
from warmstart import __main__ as command_line
from warmstart.errors import InputError
from warmstart.tracking import opening
from warmstart.tracking import postgres as postgres_store

CANARY = "c4nary-s3cret"


@pytest.fixture(autouse=True)
def impatient(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "1")


@pytest.mark.parametrize(
    ("scheme", "way", "received"),
    [
        ("http", "a byte a second", "no whole answer within 1 s"),
        ("http", "redirects", "failed with error code 307"),
        ("http", "come again", "too many 503 error responses"),
        ("http", "garbage", "ConnectionError"),
        ("https", "silent", "handshake operation timed out"),
        ("https", "garbage", "SSLError"),
        ("postgresql+psycopg2", "silent", "no answer within 1 s"),
        ("postgresql+psycopg2", "reset", "server closed the connection"),
    ],
)
def test_each_costs_a_line_in_time_without_the_password(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    scheme: str,
    way: str,
    received: str,
) -> None:
    with dripping(way) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}://me:{CANARY}@{address}/x")
        before = time.monotonic()
        publish_quietly(folder)
        assert time.monotonic() - before < 20  # with MLflow's import, the first time
    err = capfd.readouterr().err
    assert received in err
    assert f": {scheme}://{address}/x: expected an MLflow store" in err
    assert err.count("\n") == 1
    assert CANARY not in err


def test_who_waits_for_another_publisher_is_told(
    database: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(opening, "SAID_SECONDS", 0.05)
    monkeypatch.setattr(opening, "LOCK_SECONDS", 0.3)
    with FileLock(f"{database}.lock"), pytest.raises(InputError, match="could not be acquired"):
        publish_all(folder)
    said = "another publisher is at work there; waiting, 0.3 s at most"
    assert capfd.readouterr().err.endswith(f"{said}\n")


@pytest.mark.slow
def test_a_login_in_the_address_is_in_no_file_and_on_no_page(
    server: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The server takes anybody: what counts is what it and we keep of the address."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.replace("//", f"//me:{CANARY}@"))
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # put back afterwards
    assert publish(folder).new == 21
    assert command_line.main(["links"]) == 0
    said = capfd.readouterr()
    assert f"\n    {server}/#/experiments/" in said.out
    assert CANARY not in said.out + said.err
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


FOLLOWS = """\
import sys
from warmstart.tracking import beside
from warmstart.tracking.project import Project
beside.END_SECONDS = 1.0
sys.exit(beside.publish_during(sys.argv[1:], Project()))
"""


@pytest.mark.slow
def test_who_follows_leaves_soon_after_the_end_with_its_exit_code(folder: Path) -> None:
    """However long one answer may take: a minute here."""
    with dripping("a byte a second") as address:
        settings = {"MLFLOW_TRACKING_URI": f"http://{address}", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
        code = "import pathlib; pathlib.Path('results/compare/initializer/records.parquet').touch()"
        during = [sys.executable, "-c", f"{code}; raise SystemExit(3)"]
        before = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", FOLLOWS, *during],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | settings,
            capture_output=True,
            text=True,
            timeout=55,
        )
    assert time.monotonic() - before < 50
    assert done.returncode == 3
    assert done.stderr == (
        "warning: not all of results is in MLflow yet, the next run or `make track` publishes it: "
        f"http://{address} had 1 s for it after the end\n"
    )


@pytest.mark.slow
def test_a_database_that_goes_silent(
    postgres: Postgres,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    uri, place = postgres.create("silent"), f"127.0.0.1:{postgres.port}"
    monkeypatch.setattr(postgres_store, "STATEMENT_SECONDS", 1.0)
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "20")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    publish(folder)
    with Relay(place) as relay:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.replace(place, relay.address))
        assert publish(folder).new == 0
        monkeypatch.setattr(opening, "_check_release", lambda _: relay.silence())
        before = time.monotonic()
        publish_quietly(folder)
        assert time.monotonic() - before < 10
    err = capfd.readouterr().err
    assert "no answer within 1 s" in err
    assert err.count("\n") == 1
    assert postgres.password not in err
