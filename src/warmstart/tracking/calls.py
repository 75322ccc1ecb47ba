"""Runs -> MLflow through its client, call by call: what every store understands.

A run carries its digest from the moment it exists. One that is not FINISHED was left by a publisher
that died, and is written again: every point has the run's own start time, so what is there already
is the same row, and what is missing is added. One that was published before its trial was tested is
completed in the same way.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from warmstart.runtime.process import this_process
from warmstart.tracking.datasets import dataset_input
from warmstart.tracking.figures import draw
from warmstart.tracking.runs import PROCESS, Point, Run

BATCH = 800
"""Points in one request; with parameters and tags MLflow takes 1,000."""
PAGE = 1000
OVERTAKEN = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
"""MLflow's codes for writing into a deleted run and for making what another has just made."""


class Change(NamedTuple):
    """What a run shall become."""

    there: Any | None
    """MLflow's; None: it has none."""
    run: Run
    started: int
    """In ms since 1970, of one that is new."""


class Calls:
    """Finds and writes runs."""

    def __init__(self, client: Any, *, alone: bool) -> None:
        """alone: whether the lock keeps every other publisher out. Otherwise a run that is made
        says whose it is."""
        self.client, self.alone = client, alone

    def find(self, experiment: Any, tag: str, value: str) -> list[Any]:
        """MLflow's runs in an experiment that have this tag, each once."""
        token, found = None, dict[str, Any]()
        while True:  # by ID: pages may overlap while others publish
            page = self.client.search_runs(
                [experiment.experiment_id],
                f"tags.`{tag}` = '{value}'",
                max_results=PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            found |= {run.info.run_id: run for run in page}
            if not (token := page.token):
                return list(found.values())

    def create(self, experiment: Any, run: Run, started: int) -> Any:
        """A run with nothing but its tags."""
        return self.client.create_run(
            experiment.experiment_id,
            start_time=started,
            tags=self._first_tags(run),
            run_name=run.name,
        )

    def write(self, experiment: Any, changes: Sequence[Change]) -> None:
        """Content and end of runs, one after the other; harmless when repeated.

        Raises:
            mlflow.exceptions.MlflowException: of those in `OVERTAKEN` the last, after all else.
        """
        late: Exception | None = None
        for there, run, started in changes:
            try:
                self._write(there or self.create(experiment, run, started), run)
            except Exception as error:
                if getattr(error, "error_code", None) not in OVERTAKEN:
                    raise
                late = error  # the others come first
        if late:
            raise late

    def mark(self, marks: Iterable[tuple[Any, Mapping[str, str]]]) -> None:
        """Give runs these tags."""
        for there, tags in marks:
            for key, value in changed(there, tags).items():
                self.client.set_tag(there.info.run_id, key, value)

    def draw(self, there: Any, run: Run) -> None:
        """The pictures of its study."""
        if run.figures:
            with tempfile.TemporaryDirectory() as folder:
                draw(run.figures, Path(folder))
                self.client.log_artifacts(there.info.run_id, folder, "figures")

    def _first_tags(self, run: Run) -> dict[str, str]:
        # of a stage it is who trains; in a file of ours nobody else publishes
        return run.tags if self.alone else {PROCESS: this_process()} | run.tags

    def _write(self, there: Any, run: Run) -> None:
        """Tags, which say what it holds, come last."""
        from mlflow.entities import Metric, Param, RunTag

        info, finished = there.info, there.info.status == "FINISHED"
        points = [
            Metric(name, value, info.start_time, step) for name, value, step in missing(there, run)
        ]
        for start in range(BATCH, len(points), BATCH):
            part = points[start : start + BATCH]
            self.client.log_batch(info.run_id, metrics=part, synchronous=True)
        self.client.log_batch(
            info.run_id,
            metrics=points[:BATCH],
            params=[] if finished else [Param(*param) for param in run.params.items()],
            tags=[RunTag(*tag) for tag in changed(there, run.tags).items()],
            synchronous=True,
        )
        if finished:
            return
        if run.data:
            self.client.log_inputs(
                info.run_id, datasets=[dataset_input(run.data, run.tags["warmstart.data"])]
            )
        self._end(there, run)

    def _end(self, there: Any, run: Run) -> None:
        """Its files, after which it is complete."""
        self.draw(there, run)
        if run.artifacts:
            self.client.log_artifacts(there.info.run_id, str(run.artifacts))
        if run.status != "RUNNING":
            self.client.set_terminated(
                there.info.run_id, status=run.status, end_time=end_of(there, run)
            )


def missing(there: Any, run: Run) -> list[Point]:
    """Points that MLflow lacks: of a run that is finished, of metrics that it does not have."""
    known = there.data.metrics if there.info.status == "FINISHED" else {}
    return [point for point in run.metrics if point[0] not in known]


def changed(there: Any, tags: Mapping[str, str]) -> dict[str, str]:
    """Of `tags` those that `there` has not."""
    return {key: value for key, value in tags.items() if there.data.tags.get(key) != value}


def end_of(there: Any, run: Run) -> int | None:
    """In ms since 1970; None: now. How long a trial took, no record says."""
    return run.ended or (None if run.started else int(there.info.start_time))
