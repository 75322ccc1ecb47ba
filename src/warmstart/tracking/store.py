"""What MLflow lacks of results, and what of its runs is history.

What makes it safe to publish at any time, any number of times, side by side:

- A run is found by its digest, and what was left half is completed (`calls`).
- Publishers take turns by a lock (`opening`). Only those of several machines before one server
  cannot, and a server has no "create unless there": a run may be created twice. So each looks again
  after writing, and everyone keeps the same one, the oldest.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from warmstart.runtime.process import is_gone
from warmstart.tracking.calls import OVERTAKEN, PAGE, Calls, Change
from warmstart.tracking.experiments import Experiments
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
_ROUNDS = 4
SECONDS = 2
"""Between two looks at the machine."""


class Store:
    """MLflow's side: finds, creates and completes runs."""

    def __init__(self, calls: Calls, artifacts: Path | None) -> None:
        """calls: what writes. artifacts: a folder for those of new experiments; None: the server
        has a place for them."""
        self._calls, self._client, self._alone = calls, calls.client, calls.alone
        self.experiments = Experiments(calls.client, artifacts)

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
            yield from self._client.search_runs(ours, only, max_results=PAGE)

    def bring(self, batch: Batch) -> int:
        """Make MLflow hold the runs of `batch`; how many it lacked, those included that were there
        in part."""
        brought: set[str] = set()
        for number in range(1, _ROUNDS + 1):
            before = len(brought)
            try:
                self._bring(batch, brought)
            except Exception as error:
                overtaken = getattr(error, "error_code", None) in OVERTAKEN
                if not overtaken or number == _ROUNDS:
                    raise
            else:
                if self._alone or len(brought) == before:
                    break
        return len(brought)

    def _bring(self, batch: Batch, brought: set[str]) -> None:
        """One look, and what it shows to be missing; the digests of that are added to `brought`."""
        experiment, found = self.experiments.get(batch.experiment), self._find(batch)
        arms = self._arms(batch, found, brought)
        now = min([_now(), *(arm.info.start_time - 1 for arm in arms.values())])
        changes: list[Change] = []
        marks: list[tuple[Any, dict[str, str]]] = []
        # arms first, which somebody looks for
        for run in sorted(batch.runs, key=lambda run: not is_arm(run.tags)):
            run, there = _below(run, arms), found.get(run.digest)
            if there is None or _lacks(there, run, batch.whole):
                changes.append(Change(there, run, run.started or now))
                brought.add(run.digest)
            else:
                if there.data.tags.get(FIGURES) != run.tags.get(FIGURES):
                    self._calls.draw(there, run)
                marks.append((there, {key: run.tags[key] for key in _CHANGE if key in run.tags}))
        self._calls.write(experiment, changes)
        if batch.whole:
            marks += self._superseded(batch, found, arms)
        self._calls.mark(marks)
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
        begins, experiment = max(newest, default=_now()), self.experiments.get(batch.experiment)
        for place, run in enumerate(batch.arms.values()):
            if run.digest not in found:
                found[run.digest] = self._calls.create(experiment, run, begins - place)
                brought.add(run.digest)
        return {name: found[run.digest] for name, run in batch.arms.items()}

    @staticmethod
    def _superseded(
        batch: Batch, found: dict[str, Any], arms: dict[str, Any]
    ) -> Iterator[tuple[Any, dict[str, str]]]:
        """Marks of what was found and is not of `batch`: it holds no longer, and is shown below the
        arm that does. A ranking holds until there is another."""
        for digest in found.keys() - {run.digest for run in batch.runs}:
            tags = found[digest].data.tags
            if not batch.arms if is_arm(tags) else PARENT in tags:
                continue
            marks = {CURRENT: "false"} if CURRENT in tags else {}
            if arms:
                below = arms.get(tags[ARM], next(iter(arms.values())))
                marks[PARENT] = below.info.run_id
            yield found[digest], marks

    def _find(self, batch: Batch) -> dict[str, Any]:
        """Our runs of a stage and study by digest, each once: the oldest, and no half ones of
        results that are no more. An arm that holds again is not among them: it is made anew, since
        the newest arms are the ranking."""
        key = "study" if batch.study else "stage"
        place = self.experiments.get(batch.experiment)
        runs = self._calls.find(place, f"warmstart.{key}", getattr(batch, key))
        wanted = {run.digest: run for run in batch.runs}
        found: dict[str, Any] = {}
        for run in sorted(runs, key=lambda r: (r.info.start_time, r.info.run_id)):
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
        running = self._client.search_runs(ours, only, max_results=PAGE) if ours else []
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
