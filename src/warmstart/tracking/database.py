"""Runs -> MLflow's database, many in one transaction.

Call by call MLflow takes 36 statements and six commits for a run; these take some for a hundred.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from mlflow.entities import Run as Entity
from mlflow.entities import RunData, RunInfo, RunTag
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlRun, SqlTag
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy import select

from warmstart.tracking.calls import Calls, Change, changed
from warmstart.tracking.rows import Rows
from warmstart.tracking.runs import Run

RUNS = 100
"""In one transaction: some 10,000 rows."""


class Database(Calls):
    """Writes what is new or finished as rows, of each run all or nothing. What was left half goes
    the way of all stores, and so do files, after which a run is complete."""

    def __init__(self, client: Any, *, alone: bool) -> None:
        super().__init__(client, alone=alone)
        self._sessions = client._tracking_client.store.ManagedSessionMaker
        self._made: set[str] = set()

    def find(self, experiment: Any, tag: str, value: str) -> list[Any]:
        """Runs in an experiment that have this tag: of their metrics the names, and no parameters,
        which is a twentieth of the work."""
        has = select(SqlTag.run_uuid).where(SqlTag.key == tag, SqlTag.value == value)
        ours = (
            SqlRun.experiment_id == int(experiment.experiment_id),
            SqlRun.lifecycle_stage == "active",
            SqlRun.run_uuid.in_(has),
        )
        columns = SqlRun.run_uuid, SqlRun.name, SqlRun.status, SqlRun.start_time
        names = SqlLatestMetric.run_uuid, SqlLatestMetric.key
        tags = SqlTag.run_uuid, SqlTag.key, SqlTag.value
        found: dict[str, Any] = {}
        with self._sessions() as session:
            for run_id, name, status, started in session.execute(select(*columns).where(*ours)):
                info = SimpleNamespace(
                    run_id=run_id, run_name=name, status=status, start_time=started
                )
                found[run_id] = SimpleNamespace(
                    info=info, data=SimpleNamespace(tags={}, metrics=set())
                )
            for run_id, key, text in session.execute(select(*tags).join(SqlRun).where(*ours)):
                if run_id in found:  # else somebody has made it meanwhile
                    found[run_id].data.tags[key] = text
            for run_id, key in session.execute(select(*names).join(SqlRun).where(*ours)):
                if run_id in found:
                    found[run_id].data.metrics.add(key)
        return list(found.values())

    def create(self, experiment: Any, run: Run, started: int) -> Any:
        """The database has it once it is written."""
        run_id = uuid4().hex
        self._made.add(run_id)
        info = RunInfo(
            run_id=run_id,
            run_name=run.name,
            experiment_id=experiment.experiment_id,
            user_id="unknown",
            status="RUNNING",
            start_time=started,
            end_time=None,
            lifecycle_stage="active",
            artifact_uri=append_to_uri_path(experiment.artifact_location, run_id, "artifacts"),
        )
        tags = self._first_tags(run) | {MLFLOW_RUN_NAME: run.name}
        return Entity(info, RunData(tags=[RunTag(*tag) for tag in tags.items()]))

    def write(self, experiment: Any, changes: Sequence[Change]) -> None:
        """Content and end of runs."""
        super().write(experiment, [change for change in changes if self._is_half(change.there)])
        whole = [change for change in changes if not self._is_half(change.there)]
        for start in range(0, len(whole), RUNS):
            self._write_whole(experiment, whole[start : start + RUNS])

    def mark(self, marks: Iterable[tuple[Any, Mapping[str, str]]]) -> None:
        """Give runs these tags."""
        lacking = [(there, new) for there, tags in marks if (new := changed(there, tags))]
        for start in range(0, len(lacking), RUNS):
            with self._rows() as rows:
                for there, tags in lacking[start : start + RUNS]:
                    rows.add_tags(there, tags)

    def _write_whole(self, experiment: Any, changes: Sequence[Change]) -> None:
        pairs = [(c.there or self.create(experiment, c.run, c.started), c.run) for c in changes]
        new = [(there, run) for there, run in pairs if self._is_new(there)]
        with_files = [(there, run) for there, run in new if run.figures or run.artifacts]
        with self._rows() as rows:
            for there, run in pairs:
                if self._is_new(there):
                    rows.add_run(there, run, ends=not (run.figures or run.artifacts))
                else:
                    rows.add_tags(there, changed(there, run.tags))
                rows.add_points(there, run)
        self._made.difference_update(there.info.run_id for there, _ in new)
        for there, run in with_files:
            self._end(there, run)

    @contextmanager
    def _rows(self) -> Iterator[Rows]:
        with self._sessions(read_only=False) as session:
            rows = Rows(session)
            yield rows
            rows.write()

    def _is_new(self, there: Any) -> bool:
        return there.info.run_id in self._made

    def _is_half(self, there: Any | None) -> bool:
        return bool(there and there.info.status != "FINISHED" and not self._is_new(there))
