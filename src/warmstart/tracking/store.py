"""Runs -> MLflow.

What makes it safe to publish at any time, any number of times, side by side:

- A run carries its digest from the moment it exists. One that is not FINISHED was left by a
  publisher that died, and is written again: every point has the run's own start time, so what
  is there already is the same row, and what is missing is added. One that was published before its
  trial was tested is completed in the same way.
- Publishers take turns by a lock (`opening`). Only those of several machines before one server
  cannot, and a server has no "create unless there": a run may be created twice. So each looks again
  after writing, and everyone keeps the same one, the oldest.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from warmstart.runtime.process import is_gone, this_process
from warmstart.tracking.datasets import dataset_input
from warmstart.tracking.experiments import Experiments
from warmstart.tracking.figures import draw
from warmstart.tracking.runs import (
    ARM,
    COLOUR,
    CURRENT,
    DIGESTS,
    FIGURES,
    PARENT,
    PROCESS,
    RECORD,
    Batch,
    Run,
    is_arm,
)

_CHANGE = (CURRENT, COLOUR, PARENT, FIGURES)
"""Tags of a finished run that may become others."""
BATCH = 800
"""Points in one request; with parameters and tags MLflow takes 1,000."""
_PAGE = 1000
_OVERTAKEN = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
"""MLflow's codes for writing into a deleted run and for making what another has just made."""
_ROUNDS = 4
SECONDS = 2
"""Between two looks at the machine."""


class Store:
    """MLflow's side: finds, creates and completes runs."""

    def __init__(self, client: Any, local: Path | None) -> None:
        """local: the SQLite file that it is, for whose artifacts MLflow would take the current
        folder, whichever that is. A server has a place for them."""
        self._client = client
        self._alone = local is not None  # the lock keeps every other publisher out
        self.experiments = Experiments(client, local and local.with_name("mlartifacts"))

    @property
    def uri(self) -> str:
        """Where it is, absolute."""
        return str(self._client.tracking_uri)

    def one(self, experiment: str, tag: str, value: str) -> tuple[str, Any | None]:
        """The ID of the experiment and its run with that tag."""
        place: str = self.experiments.get(experiment).experiment_id
        found = self._client.search_runs([place], f"tags.`{tag}` = '{value}'", max_results=1)
        return place, found[0] if found else None

    def summaries(self) -> Iterator[Any]:
        """Of arms, in all our experiments, those that hold."""
        only = "tags.`warmstart.kind` = 'summary' AND tags.`warmstart.current` = 'true'"
        if ours := [*self.experiments.names()]:
            yield from self._client.search_runs(ours, only, max_results=_PAGE)

    def bring(self, batch: Batch) -> int:
        """Make MLflow hold the runs of `batch`; how many it lacked, those included that were there
        in part."""
        brought: set[str] = set()
        for number in range(1, _ROUNDS + 1):
            before = len(brought)
            try:
                self._bring(batch, brought)
            except Exception as error:
                overtaken = getattr(error, "error_code", None) in _OVERTAKEN
                if not overtaken or number == _ROUNDS:
                    raise
            else:
                if self._alone or len(brought) == before:
                    break
        return len(brought)

    def _bring(self, batch: Batch, brought: set[str]) -> None:
        """One look, and what it shows to be missing; the digests of that are added to `brought`."""
        wanted = {run.digest: run for run in batch.runs}
        found = self._find(batch)
        arms = self._arms(batch, found, brought)
        now = min([_now(), *(arm.info.start_time - 1 for arm in arms.values())])
        late: Exception | None = None
        # arms first, which somebody looks for
        for digest, run in sorted(wanted.items(), key=lambda item: not is_arm(item[1].tags)):
            run = _below(run, arms)
            there = found.get(digest)
            if there is None or _lacks(there, run, batch.whole):
                try:
                    self._write(there or self._create(batch, run, run.started or now), run)
                except Exception as error:
                    if getattr(error, "error_code", None) not in _OVERTAKEN:
                        raise
                    late = error  # the others come first
                brought.add(digest)
            else:
                if there.data.tags.get(FIGURES) != run.tags.get(FIGURES):
                    self._draw(there, run)
                self._mark(there, {key: run.tags[key] for key in _CHANGE if key in run.tags})
        if late:
            raise late
        if batch.whole:
            self._supersede(batch, found, arms)
        if batch.arms:
            self.experiments.describe(batch, next(iter(arms.values())))

    def _arms(self, batch: Batch, found: dict[str, Any], brought: set[str]) -> dict[str, Any]:
        """Runs of the arms that hold, by name; where `batch` has others, those, which are added to
        `found`. MLflow lists the newest first: the best has the last start time, and all are newer
        than their trials."""
        if not batch.arms:
            return {
                there.data.tags[ARM]: there
                for there in found.values()
                if is_arm(there.data.tags) and there.data.tags.get(CURRENT) == "true"
            }
        newest = {  # were it to be made, the best of them would start then
            found[run.digest].info.start_time + place
            for place, run in enumerate(batch.arms.values())
            if run.digest in found
        }
        begins = max(newest, default=_now())
        for place, run in enumerate(batch.arms.values()):
            if run.digest not in found:
                found[run.digest] = self._create(batch, run, begins - place)
                brought.add(run.digest)
        return {name: found[run.digest] for name, run in batch.arms.items()}

    def _supersede(self, batch: Batch, found: dict[str, Any], arms: dict[str, Any]) -> None:
        """Mark what was found and is not of `batch`: it holds no longer, and is shown below the arm
        that does. A ranking holds until there is another."""
        for digest in found.keys() - {run.digest for run in batch.runs}:
            tags = found[digest].data.tags
            if not batch.arms if is_arm(tags) else PARENT in tags:
                continue
            marks = {CURRENT: "false"} if CURRENT in tags else {}
            if arms:
                below = arms.get(tags[ARM], next(iter(arms.values())))
                marks[PARENT] = below.info.run_id
            self._mark(found[digest], marks)

    def _find(self, batch: Batch) -> dict[str, Any]:
        """Our runs of a stage and study by digest, each once: the oldest, and no half ones of
        results that are no more. An arm that holds again is not among them: it is made anew, since
        the newest arms are the ranking."""
        key = "study" if batch.study else "stage"
        only = f"tags.`warmstart.{key}` = '{getattr(batch, key)}'"
        place, token = [self.experiments.get(batch.experiment).experiment_id], None
        runs: dict[str, Any] = {}
        while True:  # by ID: pages may overlap while others publish
            page = self._client.search_runs(
                place,
                only,
                max_results=_PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            runs |= {run.info.run_id: run for run in page}
            if not (token := page.token):
                break
        wanted = {run.digest: run for run in batch.runs}
        found: dict[str, Any] = {}
        for run in sorted(runs.values(), key=lambda r: (r.info.start_time, r.info.run_id)):
            tags = run.data.tags
            digest = next((tags[name] for name in DIGESTS if name in tags), None)
            of = tags.get("warmstart.stage"), tags.get("warmstart.study", "")
            if not digest or of != (batch.stage, batch.study):
                continue
            half = run.info.status == "RUNNING" and tags.get("warmstart.kind") != "stage"
            again = digest in wanted and is_arm(tags) and tags.get(CURRENT) == "false"
            if digest in found or again or (batch.whole and half and digest not in wanted):
                self._client.delete_run(run.info.run_id)
            else:
                found[digest] = run
        return found

    def _create(self, batch: Batch, run: Run, started: int) -> Any:
        experiment = self.experiments.get(batch.experiment).experiment_id
        return self._client.create_run(
            experiment,
            start_time=started,
            # of a stage it is who trains; in a file of ours nobody else publishes
            tags=run.tags if self._alone else {PROCESS: this_process()} | run.tags,
            run_name=run.name,
        )

    def _write(self, there: Any, run: Run) -> None:
        """Content and end of a run; harmless when repeated. Tags, which say what it holds, come
        last."""
        from mlflow.entities import Metric, Param, RunTag

        info, finished = there.info, there.info.status == "FINISHED"
        known = there.data.metrics if finished else {}
        points = [
            Metric(name, value, info.start_time, step)
            for name, value, step in run.metrics
            if name not in known
        ]
        for start in range(BATCH, len(points), BATCH):
            part = points[start : start + BATCH]
            self._client.log_batch(info.run_id, metrics=part, synchronous=True)
        self._client.log_batch(
            info.run_id,
            metrics=points[:BATCH],
            params=[] if finished else [Param(*param) for param in run.params.items()],
            tags=[
                RunTag(*tag) for tag in run.tags.items() if there.data.tags.get(tag[0]) != tag[1]
            ],
            synchronous=True,
        )
        if finished:
            return
        self._draw(there, run)
        if run.artifacts:
            self._client.log_artifacts(info.run_id, str(run.artifacts))
        if run.data:
            self._client.log_inputs(
                info.run_id, datasets=[dataset_input(run.data, run.tags["warmstart.data"])]
            )
        if run.status != "RUNNING":
            # how long a trial took, no record says
            ended = run.ended or (None if run.started else info.start_time)
            self._client.set_terminated(info.run_id, status=run.status, end_time=ended)

    def _draw(self, there: Any, run: Run) -> None:
        """The pictures of its study."""
        if run.figures:
            with tempfile.TemporaryDirectory() as folder:
                draw(run.figures, Path(folder))
                self._client.log_artifacts(there.info.run_id, folder, "figures")

    def _mark(self, there: Any, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            if there.data.tags.get(key) != value:
                self._client.set_tag(there.info.run_id, key, value)

    def watch(self, run: Any) -> Any:
        """MLflow's own monitor, which logs what the machine does to `run` until its `finish()`."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(
            run.info.run_id, sampling_interval=SECONDS, tracking_uri=self.uri
        )
        monitor.start()
        return monitor

    def end_left(self) -> int:
        """End stages whose process is gone without a word, and remove other runs that a publisher
        has left half, which are made anew where somebody has them; how many."""
        ours = [*self.experiments.names()]
        only = "attributes.status = 'RUNNING'"
        running = self._client.search_runs(ours, only, max_results=_PAGE) if ours else []
        ended = 0
        for run in running:
            tags = run.data.tags
            is_stage, gone = tags.get("warmstart.kind") == "stage", is_gone(tags.get(PROCESS, ""))
            if is_stage and gone:
                self._client.set_terminated(run.info.run_id, "KILLED", self._seen_last(run))
            elif not is_stage and (gone or self._alone):
                self._client.delete_run(run.info.run_id)
            else:
                continue
            ended += 1
        return ended

    def _seen_last(self, run: Any) -> int:
        """When the machine was last watched for it, in ms since 1970."""
        for name in run.data.metrics:
            return int(self._client.get_metric_history(run.info.run_id, name)[-1].timestamp)
        return int(run.info.start_time)


def _now() -> int:
    """ms since 1970."""
    return round(1000 * time.time())


def _below(run: Run, arms: Mapping[str, Any]) -> Run:
    """A trial with its arm, where that is of the same data."""
    arm = arms.get(run.tags.get(ARM, ""))
    if is_arm(run.tags) or not arm or arm.data.tags["warmstart.data"] != run.tags["warmstart.data"]:
        return run
    return replace(run, tags=run.tags | {PARENT: arm.info.run_id})


def _lacks(there: Any, run: Run, whole: bool) -> bool:
    if there.info.status != "FINISHED":
        return bool(there.info.status != run.status)
    # trials that are not tested yet take nothing away from a run that shows the test
    return whole and run.tags.get(RECORD) != there.data.tags.get(RECORD)
