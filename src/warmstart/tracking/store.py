"""Runs -> MLflow.

What makes it safe to run at any time, any number of times, side by side:

- A run carries its digest from the moment it exists. One that is not FINISHED was left by a
  publisher that died, and is written again: every point has the run's own start time, so what
  is there already is the same row, and what is missing is added.
- Publishers of one machine take turns by a lock: beside the database if that is an SQLite file
  (creating its tables is a race that MLflow loses), else in the temporary folder. Where the
  database is Postgres, those of all machines do (`turn`).
- A server has no "create unless there": publishers on two machines may create a run twice. So
  each looks again after writing, and everyone keeps the same one, the oldest. Whoever finds its
  own run taken away by that begins again.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from warmstart.records import TEST_METRICS
from warmstart.tracking.runs import DIGESTS, Run, ranking

BATCH = {"metrics": 1000, "params": 100}
"""What MLflow takes in one request."""
_PAGE = 1000
_OVERTAKEN = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
"""MLflow's codes for writing into a deleted run and for making what another has just made."""
_TRIES = 3
_COLOUR = "mlflow.runColor"
"""The tag that MLflow's charts go by."""


class Store:
    """MLflow's side: finds, creates and mends runs."""

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

    def trial(self, stage: str, record: str) -> tuple[str, Any | None]:
        """The ID of the stage's experiment and its run with that record's digest."""
        experiment: str = self._experiment(stage).experiment_id
        found = self._client.search_runs(
            [experiment], f"tags.`warmstart.record` = '{record}'", max_results=1
        )
        return experiment, found[0] if found else None

    def summaries(self) -> Iterator[Any]:
        """Of arms, in all our experiments, those that hold."""
        only = "tags.`warmstart.kind` = 'summary' AND tags.`warmstart.current` = 'true'"
        ours = [
            experiment.experiment_id
            for experiment in self._client.search_experiments(
                filter_string="name LIKE 'warmstart/%'"
            )
        ]
        if ours:
            yield from self._client.search_runs(ours, only, max_results=_PAGE)

    def colour(self, run: Any, hue: str) -> None:
        """Have MLflow draw `run` in `hue`, as `#rrggbb`."""
        if run.data.tags.get(_COLOUR) != hue:
            self._client.set_tag(run.info.run_id, _COLOUR, hue)

    def bring(self, stage: str, study: str, runs: Sequence[Run]) -> int:
        """Make MLflow hold `runs`, all of one stage and study; how many it lacked."""
        for _ in range(_TRIES - 1):
            try:
                return self._bring(stage, study, runs)
            except Exception as error:
                if not _overtaken(error):
                    raise
        return self._bring(stage, study, runs)

    def _bring(self, stage: str, study: str, runs: Sequence[Run]) -> int:
        wanted = {run.digest: run for run in runs}
        found = self._find(stage, study)
        missing = [run for run in runs if run.digest not in found]
        mended = self._settle(found, wanted)
        early = {
            digest: run.info
            for digest, (run, *_) in found.items()
            if run.data.tags.get("warmstart.trial") == digest and run.info.status == "FINISHED"
        }
        late: Exception | None = None
        for run in missing:
            try:
                if info := early.get(run.tags.get("warmstart.trial", "")):
                    self._complete(info, run)
                else:
                    self.add(run)
            except Exception as error:
                if not _overtaken(error):
                    raise
                late = error
        if late:  # the others are there now
            raise late
        if missing and not self._alone:
            found = self._find(stage, study)
            self._settle(found, wanted)
        self._mark(found, wanted)
        if any(run.metrics for run in runs):
            self._offer(stage, study)
        return len(missing) + mended

    def trials(self, stage: str, study: str) -> dict[str, Any]:
        """Those of a stage and study that are there, tested or not: MLflow's run of each by the
        digest that it has before it is tested. None is there twice."""
        found = self._find(stage, study).values()
        for double in (run for _, *doubles in found for run in doubles):
            self._client.delete_run(double.info.run_id)
        return {run.data.tags.get("warmstart.trial", ""): run for run, *_ in found}

    def add(self, run: Run, there: Any = None) -> None:
        """Publish `run`, which nobody else has published, or not to its end: `there`."""
        if there is None:
            experiment = self._experiment(run.stage).experiment_id
            there = self._client.create_run(
                experiment,
                start_time=run.span[0] if run.span else None,
                tags=run.tags,
                run_name=run.name,
            )
        self._write(there.info, run)

    def _complete(self, info: Any, run: Run) -> None:
        """Make `run` of the one that was published before the trial was tested. Its digest comes
        last, so this is done again where it was not done to its end."""
        from mlflow.entities import Metric, RunTag

        tests = [
            Metric(name, value, info.start_time, step)
            for name, value, step in run.metrics
            if name in TEST_METRICS
        ]
        tags = [RunTag(key, value) for key, value in run.tags.items()]
        self._client.log_batch(info.run_id, metrics=tests, tags=tags, synchronous=True)

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

    def _offer(self, stage: str, study: str) -> None:
        """A view of the runs table that ranks the arms, opened by `?viewStateShareKey=STUDY`
        (without a study: the stage). By default MLflow's table shows no metric at all."""
        experiment, (key, view) = self._experiment(stage), ranking(stage, study)
        if experiment.tags.get(key) != view:
            self._client.set_experiment_tag(experiment.experiment_id, key, view)

    def _find(self, stage: str, study: str) -> dict[str, list[Any]]:
        """All our runs of a stage and study by digest, oldest first."""
        only = f"tags.`warmstart.study` = '{study}'" if study else ""
        runs: dict[str, Any] = {}  # by id: pages may overlap while others publish
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment(stage).experiment_id],
                only,
                max_results=_PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            runs |= {run.info.run_id: run for run in page}
            if not (token := page.token):
                break
        found: dict[str, list[Any]] = {}
        for run in sorted(runs.values(), key=lambda r: (r.info.start_time, r.info.run_id)):
            tags = run.data.tags
            if tags.get("warmstart.study", "") != study:  # without one, all of the stage came
                continue
            if digest := next((tags[name] for name in DIGESTS if name in tags), None):
                found.setdefault(digest, []).append(run)
        return found

    def _settle(self, found: dict[str, list[Any]], wanted: dict[str, Run]) -> int:
        """Each digest once and finished; how many were unfinished."""
        mended = 0
        for digest, (oldest, *doubles) in found.items():
            if oldest.info.status != "FINISHED":
                if digest in wanted:
                    self._write(oldest.info, wanted[digest])
                    mended += 1
                else:  # half a run of results that are no more
                    doubles.append(oldest)
            for double in doubles:
                self._client.delete_run(double.info.run_id)
        return mended

    def _write(self, info: Any, run: Run) -> None:
        """Content and end of a run, in one request of each; harmless when repeated."""
        from mlflow.entities import Metric, Param

        ms = 1000 if run.span else 0
        metrics = [
            Metric(name, value, info.start_time + ms * step, step)
            for name, value, step in run.metrics
        ]
        params = [Param(key, value) for key, value in run.params.items()]
        while metrics or params:
            now = metrics[: BATCH["metrics"] - BATCH["params"]], params[: BATCH["params"]]
            self._client.log_batch(info.run_id, metrics=now[0], params=now[1], synchronous=True)
            metrics, params = metrics[len(now[0]) :], params[len(now[1]) :]
        if run.artifacts:
            self._client.log_artifacts(info.run_id, str(run.artifacts))
        if run.data:
            self._client.log_inputs(info.run_id, datasets=[run.data.as_input()])
        end = run.span[1] if run.span else None
        self._client.set_terminated(info.run_id, status="FINISHED", end_time=end)

    def _mark(self, found: dict[str, list[Any]], wanted: dict[str, Run]) -> None:
        """`warmstart.current` of runs that were there, of arms and of the stage: whether they
        still hold."""
        for digest, (run, *_) in found.items():
            if "warmstart.current" in run.data.tags and run.info.status == "FINISHED":
                current = str(digest in wanted).lower()
                if run.data.tags.get("warmstart.current") != current:
                    self._client.set_tag(run.info.run_id, "warmstart.current", current)


def _overtaken(error: Exception) -> bool:
    """Whether another publisher came first, so that it is worth beginning again."""
    return getattr(error, "error_code", None) in _OVERTAKEN
