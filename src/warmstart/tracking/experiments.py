"""MLflow's experiments, one for each study: a page with an answer on top and a ranking."""

import json
from pathlib import Path
from typing import Any

from warmstart.tracking.notes import NOTE, about, note
from warmstart.tracking.runs import ROOT, Batch

VIEW = "mlflow.sharedViewState.ranking"
"""Tag of an experiment: what its table shows."""


class Experiments:
    """Finds, makes and describes them."""

    def __init__(self, client: Any, artifacts: Path | None) -> None:
        """artifacts: folder for those of new ones; None: a server has a place for them."""
        self._client, self._artifacts = client, str(artifacts) if artifacts else None
        self._known: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        """The experiment of that name. One that was deleted comes back: it is a view."""
        if name not in self._known:
            from mlflow.exceptions import MlflowException

            experiment = self._client.get_experiment_by_name(name)
            if experiment is None:
                try:
                    self._client.create_experiment(name, self._artifacts, about(name))
                except MlflowException as error:
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
                experiment = self._client.get_experiment_by_name(name)
            elif experiment.lifecycle_stage == "deleted":
                self._client.restore_experiment(experiment.experiment_id)
            self._known[name] = experiment
        return self._known[name]

    def names(self) -> dict[str, str]:
        """ID -> name of our experiments."""
        found = self._client.search_experiments(filter_string=f"name LIKE '{ROOT}%'")
        return {experiment.experiment_id: experiment.name for experiment in found}

    def describe(self, batch: Batch, best: Any) -> None:
        """What stands on top of the experiment's page, and the view behind its link "ranking"."""
        experiment = self.get(batch.experiment)
        tags = {VIEW: ranking(batch.metric)}
        if batch.summary and batch.experiment == f"{ROOT}{batch.study or batch.stage}":
            tags[NOTE] = note(
                batch.summary,
                experiment.experiment_id,
                best,
                drawn=any(run.figures for run in batch.runs),
            )
        for key, value in tags.items():
            if experiment.tags.get(key) != value:
                self._client.set_experiment_tag(experiment.experiment_id, key, value)


def ranking(metric: str) -> str:
    """A view of MLflow's table of runs, in the words of MLflow's pages: the columns that matter.

    This is how MLflow's own button "share" keeps a view, opened by `?viewStateShareKey=ranking`. A
    version that knows another form ignores it.
    """
    names = f"test_{metric}", "low", "high", "difference"
    shown = [*(f"metrics.`{name}`" for name in names), "tags.`warmstart.verdict`"]
    view = {"orderByKey": "attributes.start_time", "orderByAsc": False}
    widths = {shown[0]: 30 + 8 * len(names[0]), shown[-1]: 160}  # pixels, else 100
    columns = {"selectedColumns": shown, "columnOrder": shown, "columnWidths": widths}
    return json.dumps(view | columns)
