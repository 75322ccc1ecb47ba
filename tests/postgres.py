"""A Postgres cluster of the tests' own: a temporary folder, a port of 127.0.0.1, a password made
up when it starts."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER = "warmstart"
# a test's data need not survive a loss of power
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running cluster."""

    programs: Path
    port: int
    password: str

    def uri(self, database: str, scheme: str = "postgresql+psycopg2") -> str:
        """With the password, as SQLAlchemy takes it."""
        return f"{scheme}://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """A new database without tables; its URI."""
        self.ask(f'CREATE DATABASE "{database}"', database="postgres")
        return self.uri(database)

    def ask(self, query: str, *, database: str) -> str:
        """What the query answers, one row a line, columns parted by `|`."""
        done = subprocess.run(
            [
                *(self.programs / "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(self.port)),
                *("-U", USER, "-d", database, "-c", query),
            ],
            env=os.environ | {"PGPASSWORD": self.password},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def programs() -> Path | None:
    """The folder with initdb and postgres, of the newest version that is here."""
    versions = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def running(programs: Path) -> Iterator[Postgres]:
    """A new cluster, gone at the end."""
    # not pytest's folder: only root may enter that, and Postgres refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="warmstart-postgres-"))
    other = {"user": "postgres", "group": "postgres", "extra_groups": []}
    who = other if os.geteuid() == 0 else {}
    try:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        cluster = Postgres(programs=programs, port=port, password=secrets.token_urlsafe(24))
        given = folder / "password"
        given.write_text(cluster.password)
        if who:
            shutil.chown(folder, "postgres", "postgres")
            shutil.chown(given, "postgres", "postgres")
        data = folder / "data"
        subprocess.run(
            [
                *(programs / "initdb", "--pgdata", data, "--username", USER, "--pwfile", given),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
            ],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            **who,
        )
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", *FAST)
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [
                    *(programs / "postgres", "-D", data, "-p", str(port)),
                    *(word for setting in settings for word in ("-c", setting)),
                ],
                cwd=folder,
                stdout=log,
                stderr=log,
                **who,
            )
        try:
            _wait_for(cluster, server, folder / "log")
            yield cluster
        finally:
            server.send_signal(signal.SIGINT)  # with SIGTERM it waits for whoever is connected
            server.wait(30)
    finally:
        shutil.rmtree(folder)


def _wait_for(cluster: Postgres, server: "subprocess.Popen[bytes]", log: Path) -> None:
    ready = [cluster.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(cluster.port)]
    end = time.monotonic() + 60
    while subprocess.run(ready).returncode:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
