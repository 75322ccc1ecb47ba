"""The same over HTTP, against a real server."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from warmstart.records import read_records
from warmstart.tracking import Published, publish


@pytest.fixture
def server(database: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    log = Path("server.log")
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
                *("--port", str(port), "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{database}"),
                *("--artifacts-destination", str(database.parent / "mlartifacts")),
            ],
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 60
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
                    assert answer.status == 200
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the server and its worker
        process.wait(timeout=20)


def test_a_server(
    server: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert publish(folder) == Published(new=21, present=0)
    assert publish(folder) == Published(new=0, present=21)
    assert capfd.readouterr() == ("", "")
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("warmstart/compare")
    found = client.search_runs([experiment.experiment_id], "tags.`warmstart.kind` = 'trial'")
    runs = {run.data.tags["warmstart.record"]: run for run in found}
    records = {record.digest: record for record in read_records(folder / "records.parquet")}
    assert len(found) == 18
    assert runs.keys() == records.keys()
    record = next(record for record in records.values() if record.outcome == "completed")
    run = runs[record.digest]
    assert run.info.status == "FINISHED"
    for metric, values in record.epochs.items():
        history = client.get_metric_history(run.info.run_id, metric)
        assert [point.value for point in sorted(history, key=lambda p: p.step)] == list(values)
