"""A Dask scheduler and its workers on this machine, with a certificate of their own: without one
they would be anybody's who has an account here."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCAL = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
_SECONDS = 120


_TLS = "DASK_DISTRIBUTED__COMM__TLS"


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Its address and the environment of who may use it, once that many single-threaded `workers`
    are there; they work in `folder`. Needs openssl."""
    from distributed import Client, Security

    folder.mkdir(parents=True, mode=0o700)
    file, started = folder / "scheduler.json", []
    key, certificate = folder / "dask.key", folder / "dask.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    request += ["-subj", "/CN=dask", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(request, check=True, stderr=subprocess.DEVNULL)
    own = {f"{_TLS}__CA_FILE": str(certificate), f"{_TLS[:-5]}__REQUIRE_ENCRYPTION": "true"}
    for who in ("SCHEDULER", "WORKER", "CLIENT"):
        own |= {f"{_TLS}__{who}__CERT": str(certificate), f"{_TLS}__{who}__KEY": str(key)}

    def start(*arguments: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments, *LOCAL]
        with (folder / f"{len(started)}.log").open("w") as log:
            # the backend is the affair of those who submit
            env = {name: text for name, text in os.environ.items() if name != "KERAS_BACKEND"} | own
            started.append(
                subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT)
            )

    try:
        start("scheduler", "--protocol", "tls", "--port", "0", "--scheduler-file", str(file))
        until = time.monotonic() + _SECONDS
        while not (file.exists() and file.read_text()):
            if time.monotonic() > until:
                raise TimeoutError(f"dask: the scheduler did not start within {_SECONDS} s")
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        for _ in range(workers):
            # ends by itself if nobody is there to end it
            start("worker", address, "--no-nanny", "--nthreads", "1", "--death-timeout", "30")
        files = {"tls_ca_file": certificate, "tls_client_cert": certificate, "tls_client_key": key}
        security = Security(require_encryption=True, **{k: str(v) for k, v in files.items()})
        with Client(address, set_as_default=False, security=security) as client:
            client.wait_for_workers(workers, timeout=_SECONDS)
        yield address, own
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()
