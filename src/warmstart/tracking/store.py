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

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from warmstart.tracking.runs import COLOUR, CURRENT, DIGESTS, RECORD, Batch, Run

BATCH = 800
"""Points in one request; with parameters and tags MLflow takes 1,000."""
_PAGE = 1000
_OVERTAKEN = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
"""MLflow's codes for writing into a deleted run and for making what another has just made."""
_ROUNDS = 4
SECONDS = 2
"""Between two looks at the machine."""
_DIGEST_LENGTH = 36
"""Letters of a data set's digest that MLflow takes; the tag `warmstart.data` has all of them."""


class Store:
    """MLflow's side: finds, creates and completes runs."""

    def __init__(self, client: Any, local: Path | None) -> None:
        """local: the SQLite file that it is, for whose artifacts MLflow would take the current
        folder, whichever that is. A server has a place for them."""
        self._client = client
        self._alone = local is not None  # the lock keeps every other publisher out
        self._artifacts = str(local.with_name("mlartifacts")) if local else None
        self._experiments: dict[str, Any] = {}

    @property
    def uri(self) -> str:
        """Where it is, absolute."""
        return str(self._client.tracking_uri)

    def one(self, stage: str, tag: str, value: str) -> tuple[str, Any | None]:
        """The ID of the stage's experiment and its run with that tag."""
        experiment: str = self._experiment(stage).experiment_id
        found = self._client.search_runs([experiment], f"tags.`{tag}` = '{value}'", max_results=1)
        return experiment, found[0] if found else None

    def summaries(self) -> Iterator[Any]:
        """Of arms, in all our experiments, those that hold."""
        only = "tags.`warmstart.kind` = 'summary' AND tags.`warmstart.current` = 'true'"
        found = self._client.search_experiments(filter_string="name LIKE 'warmstart/%'")
        if ours := [experiment.experiment_id for experiment in found]:
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
        late: Exception | None = None
        for digest, run in wanted.items():
            there = found.get(digest)
            if there is None or _lacks(there, run, batch.whole):
                try:
                    self._write(there or self._create(batch.stage, run), run)
                except Exception as error:
                    if getattr(error, "error_code", None) not in _OVERTAKEN:
                        raise
                    late = error  # the others come first
                brought.add(digest)
        if late:
            raise late
        if batch.whole:
            for digest, there in found.items():
                self._mark(there, wanted.get(digest))
        if any(run.metrics for run in batch.runs):
            self._offer(batch)

    def _find(self, batch: Batch) -> dict[str, Any]:
        """Our runs of a stage and study by digest, each once: the oldest, and no half ones of
        results that are no more."""
        only = f"tags.`warmstart.study` = '{batch.study}'" if batch.study else ""
        place, token = [self._experiment(batch.stage).experiment_id], None
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
        wanted = {run.digest for run in batch.runs}
        found: dict[str, Any] = {}
        for run in sorted(runs.values(), key=lambda r: (r.info.start_time, r.info.run_id)):
            tags = run.data.tags
            digest = next((tags[name] for name in DIGESTS if name in tags), None)
            if not digest or tags.get("warmstart.study", "") != batch.study:
                continue
            half = run.info.status == "RUNNING" and tags.get("warmstart.kind") != "stage"
            if digest in found or (batch.whole and half and digest not in wanted):
                self._client.delete_run(run.info.run_id)
            else:
                found[digest] = run
        return found

    def _create(self, stage: str, run: Run) -> Any:
        experiment = self._experiment(stage).experiment_id
        return self._client.create_run(
            experiment, start_time=run.started, tags=run.tags, run_name=run.name
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
        if run.artifacts:
            self._client.log_artifacts(info.run_id, str(run.artifacts))
        if run.data:
            self._client.log_inputs(
                info.run_id, datasets=[_input(run.data, run.tags["warmstart.data"])]
            )
        if run.status != "RUNNING":
            self._client.set_terminated(info.run_id, status=run.status, end_time=run.ended)

    def _mark(self, there: Any, run: Run | None) -> None:
        """Bring what changes of a run up to date: whether it holds, and its colour."""
        tags = {CURRENT: "false"} if run is None else run.tags
        for key in (CURRENT, COLOUR):
            kept = there.data.tags.get(key)
            if key in tags and kept != tags[key] and (run or kept):
                self._client.set_tag(there.info.run_id, key, tags[key])

    def watch(self, run: Any) -> Any:
        """MLflow's own monitor, which logs what the machine does to `run` until its `finish()`."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(
            run.info.run_id, sampling_interval=SECONDS, tracking_uri=self.uri
        )
        monitor.start()
        return monitor

    def _experiment(self, stage: str) -> Any:
        """The stage's experiment. One that was deleted comes back: it is a view."""
        if stage not in self._experiments:
            from mlflow.exceptions import MlflowException

            name = f"warmstart/{stage}"
            experiment = self._client.get_experiment_by_name(name)
            if experiment is None:
                try:
                    self._client.create_experiment(name, self._artifacts)
                except MlflowException as error:
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
                experiment = self._client.get_experiment_by_name(name)
            elif experiment.lifecycle_stage == "deleted":
                self._client.restore_experiment(experiment.experiment_id)
            self._experiments[stage] = experiment
        return self._experiments[stage]

    def _offer(self, batch: Batch) -> None:
        """A view of the runs table that ranks the arms, opened by `?viewStateShareKey=STUDY`
        (without a study: the stage). By default MLflow's table shows no metric at all."""
        experiment = self._experiment(batch.stage)
        key, view = ranking(batch.stage, batch.study, batch.metric)
        if experiment.tags.get(key) != view:
            self._client.set_experiment_tag(experiment.experiment_id, key, view)


def _lacks(there: Any, run: Run, whole: bool) -> bool:
    if there.info.status != "FINISHED":
        return bool(there.info.status != run.status)
    # trials that are not tested yet take nothing away from a run that shows the test
    return whole and run.tags.get(RECORD) != there.data.tags.get(RECORD)


def ranking(stage: str, study: str, metric: str = "accuracy") -> tuple[str, str]:
    """Key and value of the experiment's tag that holds a ready-made view of MLflow's runs table:
    the current summaries of a study by rank, with the columns that matter.

    This is how MLflow's own button "share" keeps a view. A version that knows another form
    ignores the tag.
    """
    only = {"kind": "summary", "current": "true"} | ({"study": study} if study else {})
    test = f"test_{metric}"
    metrics = ("rank", test, f"{test}_low", f"{test}_high", f"{metric}_difference", "p_value")
    columns = [f"metrics.`{name}`" for name in metrics]
    view = {
        "searchFilter": " AND ".join(f"tags.`warmstart.{k}` = '{v}'" for k, v in only.items()),
        "orderByKey": "metrics.`rank`",
        "orderByAsc": True,
        "selectedColumns": [*columns, "params.`learning_rate`", "tags.`warmstart.verdict`"],
    }
    return f"mlflow.sharedViewState.{study or stage}", json.dumps(view)


def _input(data: Mapping[str, Any], digest: str) -> Any:
    """MLflow's `DatasetInput`, in the words that it has for NumPy arrays in local files."""
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import DatasetInput, InputTag

    schema = {"features": _tensor("float32", data["features"]), "targets": _tensor("int32")}
    profile = {key: data[key] for key in ("classes", "train", "validation", "test")}
    entity = Entity(
        name=data["name"],
        digest=digest[:_DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": data["source"]}),
        schema=json.dumps({"mlflow_tensorspec": schema}),
        profile=json.dumps(profile),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def _tensor(dtype: str, *shape: int) -> str:
    """JSON within JSON, as MLflow keeps it."""
    return json.dumps([{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, *shape]}}])
