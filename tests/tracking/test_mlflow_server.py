"""The same over HTTP, against a real server."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from made_up_results import publish
from warmstart.records import read_records
from warmstart.tracking.publish import Published


def test_a_server(
    server: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert publish(folder) == Published(new=21, present=0)
    assert publish(folder) == Published(new=0, present=21)
    assert capfd.readouterr() == ("", "")
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("warmstart/initializer")
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
