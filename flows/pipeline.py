"""This project's flow: its DAG with MLflow beside it."""

import sys

from prefect_dvc import dvc_flow

METRICS = "*.test_accuracy"
TRACKER = (sys.executable, "-m", "warmstart", "track", "--follow")


@dvc_flow("dvc-pipeline", beside=TRACKER, metrics=METRICS)
def pipeline() -> None:
    """Bring data, models, studies and the report up to date."""
