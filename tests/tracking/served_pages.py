"""MLflow's pages as `make mlflow` serves them, on a free port."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from hostile_requests import basic
from warmstart.login import known
from warmstart.tracking.pages import APP, HOST

PLUGIN = {
    "METADATA": "Metadata-Version: 2.1\nName: warmstart\nVersion: 0\n",
    "entry_points.txt": f"[mlflow.app]\n{APP} = warmstart.tracking.pages:create_app\n",
}
"""What an installation says of itself: that of this environment may be of another checkout."""


@pytest.fixture
def served(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Serves MLflow's pages as `make mlflow` does; the address that it prints."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here / "config"))
    meta = here / "meta/warmstart-0.dist-info"
    meta.mkdir(parents=True)
    for name, text in PLUGIN.items():
        (meta / name).write_text(text)
    path = os.pathsep.join([str(meta.parent), *sys.path])
    started: list[subprocess.Popen[Any]] = []

    def serve() -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", "warmstart", "mlflow", "--port", "21000"],
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        started.append(process)
        assert process.stdout
        return next(line.split()[1] for line in process.stdout if line.startswith("MLflow: "))

    yield serve
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # it would wait for the browser
        process.wait(20)
        if process.stdout:
            process.stdout.close()


def opened(page: Page, address: str) -> None:
    """The address, as soon as somebody is there, in a browser that was never there before but
    knows the login, should this machine have other users."""
    page.set_viewport_size({"width": 1440, "height": 810})
    for _ in range(600):
        with (
            suppress(OSError),
            socket.create_connection((HOST, int(re.findall(r":(\d+)/", address)[0])), 1),
        ):
            break
        page.wait_for_timeout(100)
    page.set_extra_http_headers(dict(basic(known())))
    page.goto(address)
