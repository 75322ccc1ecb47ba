"""What every test gets: no telemetry, no log noise, and its turn."""

import os
import shutil
from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Page, sync_playwright
from prefect_fixtures import first, flow, fresh, server

from postgres import Postgres, programs, running
from warmstart import deadlines

# one Prefect server for the tests of flows and of prefect_dvc
__all__ = ["first", "flow", "fresh", "server"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ["WARMSTART_TRIALS"] = "off"  # tests that want finished trials have a folder of their own
if "PYTEST_XDIST_WORKER" not in os.environ:  # those get it from here
    _programs = TemporaryDirectory(prefix="warmstart-programs-")
    # bytes are the same with them (tests/runtime/test_programs.py), and no DAG compiles them again
    os.environ["WARMSTART_PROGRAMS"] = _programs.name

import prefect.main  # noqa: F401  (before Keras, whose log handler it would close)

deadlines.pass_proxies_by()  # to the servers of tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first: at the end one process would wait for them."""
    longest = "dag", "whole_runs", "program", "worker", "chaos", "flow", "containers"
    places = {f"test_{name}.py": place for place, name in enumerate(longest)}
    items.sort(key=lambda item: places.get(item.path.name, len(longest)))


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page in a real browser that calls nobody."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("needs Chromium, as of Debian's package chromium")
    flags = ("no-sandbox", "disable-gpu", "disable-quic", "disable-background-networking")
    with sync_playwright() as playwright:
        args = [f"--{flag}" for flag in (*flags, "disable-component-update", "disable-sync")]
        browser = playwright.chromium.launch(executable_path=chromium, args=args)
        yield browser.new_page(viewport={"width": 1440, "height": 810})
        browser.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres cluster for tests that bring a database of their own."""
    found = programs()
    if not found:
        pytest.skip("needs Postgres (initdb, postgres): apt-get install postgresql")
    with running(found) as cluster:
        yield cluster
