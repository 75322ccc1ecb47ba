"""What MLflow's own client sees of what was published, to compare one store with another."""

from collections import Counter

from mlflow import MlflowClient

from warmstart.tracking.runs import DIGESTS

Seen = dict[
    str,
    tuple[
        str,
        str,
        dict[str, str],
        dict[str, str],
        dict[str, list[tuple[int, float]]],
        list[tuple[str, str]],
    ],
]


def seen(uri: str, study: str = "initializer", stage: str = "compare") -> Seen:
    """Name, status, parameters, tags, curves and data sets of a study's runs, by digest.

    Fails where a digest has two runs, a run two values for a point, or a run is not finished.
    """
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(f"warmstart/{stage}")
    only = f"tags.`warmstart.study` = '{study}'"
    runs = client.search_runs([experiment.experiment_id], only, max_results=1000)
    found = {}
    for run in runs:
        tags = run.data.tags
        curves = {}
        for metric in run.data.metrics:
            points = client.get_metric_history(run.info.run_id, metric)
            curves[metric] = sorted((point.step, point.value) for point in points)
            assert max(Counter(step for step, _ in curves[metric]).values()) == 1
        digest = next(tags[name] for name in DIGESTS if name in tags)
        data = [(d.dataset.name, d.dataset.digest) for d in run.inputs.dataset_inputs]
        assert digest not in found, "a digest has two runs"
        assert run.info.status == "FINISHED"
        found[digest] = run.info.run_name, run.info.status, run.data.params, tags, curves, data
    return found
