"""Prefect's own server on a free port of 127.0.0.1, as long as a test needs it."""

import base64
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from foreign_project import ROOT, Server, environment


@dataclass
class Guarded(Server):
    """The same API of a server that asks for a login, and for a token with each change."""

    login: str
    home: Path = Path()
    """Of its settings, and of its login."""

    def headers(self) -> dict[str, str]:
        coded = base64.b64encode(self.login.encode()).decode()
        known = super().headers() | {"Authorization": f"Basic {coded}"}
        asked = urllib.request.Request(f"{self.url}/csrf-token?client=tests", headers=known)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            token = json.load(answer)["token"]
        return known | {"Prefect-Csrf-Client": "tests", "Prefect-Csrf-Token": token}


@contextmanager
def prefect_server(home: Path, **settings: str) -> Iterator[Server]:
    """What it says is in `home / "log"`.

    Args:
        home: its settings and, unless `settings` say otherwise, its database.
        settings: environment variables, besides ours.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    ours = {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",  # not 60
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api",
    }
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--port", port],
            env=environment(**ours, **settings),
            stdout=log,
            stderr=log,
        )
        try:
            yield answering(f"http://127.0.0.1:{port}/api", home / "log")
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def own_server(home: Path) -> Iterator[Guarded]:
    """As `make prefect` starts it, but for the port and the folder of its settings."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    settings = {"PREFECT_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.server", "--port", port],
            cwd=ROOT,
            env=environment(**settings),
            stdout=log,
            stderr=log,
        )
        try:
            url = answering(f"http://127.0.0.1:{port}/api", home / "log").url
            yield Guarded(url, (home / "warmstart/login").read_text().strip(), home)
        finally:
            process.terminate()
            process.wait(30)


def answering(url: str, log: Path) -> Server:
    """The server at this address, once it answers."""
    for _ in range(900):  # a busy machine is no failure
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return Server(url)
    raise AssertionError(log.read_text())
