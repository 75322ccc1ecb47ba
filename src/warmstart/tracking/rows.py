"""What MLflow's client would write of runs, as rows of its tables.

tests/tracking/test_written_as_rows.py compares all tables with what the client leaves. They are of
one schema, `REVISION`: docs/decisions/0038-runs-are-written-as-rows.md.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from mlflow.store.tracking.dbmodels.models import (
    SqlDataset,
    SqlInput,
    SqlInputTag,
    SqlLatestMetric,
    SqlMetric,
    SqlParam,
    SqlRun,
    SqlTag,
)
from mlflow.utils import validation
from mlflow.utils.time import get_current_time_millis
from sqlalchemy import delete, select

from warmstart.tracking.calls import end_of, missing
from warmstart.tracking.datasets import dataset_input
from warmstart.tracking.runs import Run

REVISION = "dc11669786a5"
"""Alembic's name of the schema that these rows are of: MLflow 3.17.2."""
_ORDER = SqlRun, SqlParam, SqlTag, SqlMetric, SqlLatestMetric, SqlDataset, SqlInput, SqlInputTag
"""Each after those that its rows refer to."""


class Rows:
    """Rows of any number of runs of one experiment, for a session of MLflow's: `there` is MLflow's
    run, `run` what it shall become. Lengths and names are held to MLflow's limits by its own
    checks, which raise MlflowException."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._rows: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        self._old_tags: dict[str, list[str]] = defaultdict(list)
        self._data_sets: DataSets | None = None

    def add_run(self, there: Any, run: Run, *, ends: bool) -> None:
        """A run that MLflow has not, but for its points. ends: whether it is complete now."""
        info, status = there.info, run.status if ends else "RUNNING"
        ended = None
        if status != "RUNNING":
            ended = end_of(there, run) or get_current_time_millis()
        self._rows[SqlRun].append(
            {
                "run_uuid": info.run_id,
                "name": info.run_name,
                "source_type": "UNKNOWN",
                "source_name": "",
                "entry_point_name": "",
                "user_id": info.user_id,
                "status": status,
                "start_time": info.start_time,
                "end_time": ended,
                "source_version": "",
                "lifecycle_stage": info.lifecycle_stage,
                "artifact_uri": info.artifact_uri,
                "experiment_id": int(info.experiment_id),
            }
        )
        for key, value in run.params.items():
            param = validation._validate_param(key, value)
            self._rows[SqlParam].append(
                {"run_uuid": info.run_id, "key": param.key, "value": param.value}
            )
        self._add_tags(info.run_id, there.data.tags | run.tags)
        if run.data:
            self._add_input(info, run)

    def add_tags(self, there: Any, tags: Mapping[str, str]) -> None:
        """Tags of a run that MLflow has, in the place of others or not."""
        for key in tags.keys() & there.data.tags.keys():
            self._old_tags[key].append(there.info.run_id)
        self._add_tags(there.info.run_id, tags)

    def add_points(self, there: Any, run: Run) -> None:
        """Points that MLflow lacks, and of each of their metrics the newest."""
        newest: dict[str, dict[str, Any]] = {}
        # a score that was validated is a point of a curve, too
        for name, value, step in dict.fromkeys(missing(there, run)):
            point = {
                "run_uuid": there.info.run_id,
                "key": name,
                "value": value,
                "timestamp": there.info.start_time,
                "step": step,
                "is_nan": False,
            }
            self._rows[SqlMetric].append(point)
            known = newest.get(name)
            if not known or (step, value) > (known["step"], known["value"]):
                newest[name] = point
        for point in newest.values():  # a name's other points are as good
            validation._validate_metric(
                point["key"], point["value"], point["timestamp"], point["step"]
            )
        self._rows[SqlLatestMetric] += newest.values()

    def write(self) -> None:
        """Into the session."""
        for key, runs in self._old_tags.items():
            old = SqlTag.key == key, SqlTag.run_uuid.in_(runs)
            self._session.execute(delete(SqlTag.__table__).where(*old))
        for table in _ORDER:
            if rows := self._rows[table]:
                self._session.execute(table.__table__.insert(), rows)

    def _add_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            tag = validation._validate_tag(key, value)
            self._rows[SqlTag].append({"run_uuid": run_id, "key": tag.key, "value": tag.value})

    def _add_input(self, info: Any, run: Run) -> None:
        if not self._data_sets:
            self._data_sets = DataSets(self._session, int(info.experiment_id))
        number, tags = self._data_sets.get(run, self._rows[SqlDataset])
        edge = uuid4().hex
        self._rows[SqlInput].append(
            {
                "input_uuid": edge,
                "source_type": "DATASET",
                "source_id": number,
                "destination_type": "RUN",
                "destination_id": info.run_id,
            }
        )
        self._rows[SqlInputTag] += [
            {"input_uuid": edge, "name": tag.key, "value": tag.value} for tag in tags
        ]


class DataSets:
    """Those of an experiment, which has each name and digest once: as it came first."""

    def __init__(self, session: Any, experiment: int) -> None:
        columns = SqlDataset.name, SqlDataset.digest, SqlDataset.dataset_uuid
        there = session.execute(select(*columns).where(SqlDataset.experiment_id == experiment))
        self._experiment = experiment
        self._numbers = {(name, digest): number for name, digest, number in there}
        self._known: dict[str, tuple[str, list[Any]]] = {}

    def get(self, run: Run, rows: list[dict[str, Any]]) -> tuple[str, list[Any]]:
        """Number of the run's data set, for which `rows` gets one if it is new, and the tags of a
        run's tie to it."""
        digest = run.tags["warmstart.data"]
        if digest not in self._known:
            of = dataset_input(run.data, digest)
            validation._validate_dataset_inputs([of])
            known = of.dataset.name, of.dataset.digest
            if known not in self._numbers:
                self._numbers[known] = uuid4().hex
                rows.append(
                    {
                        "dataset_uuid": self._numbers[known],
                        "experiment_id": self._experiment,
                        "name": of.dataset.name,
                        "digest": of.dataset.digest,
                        "dataset_source_type": of.dataset.source_type,
                        "dataset_source": of.dataset.source,
                        "dataset_schema": of.dataset.schema,
                        "dataset_profile": of.dataset.profile,
                    }
                )
            self._known[digest] = self._numbers[known], of.tags
        return self._known[digest]
