"""What MLflow's own client sees of what was published, to compare one store with another."""

from collections import Counter

from mlflow import MlflowClient

from warmstart.tracking.runs import DIGESTS, PARENT, PIPELINE, PROCESS, experiment_of

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
    """Name, status, parameters, tags, curves and data sets of a study's runs and its stage's, by
    digest. A parent is named by its digest.

    Fails where a digest has two runs, a run two values for a point, or a run is not finished.
    """
    client = MlflowClient(uri)
    places = (experiment_of(stage, study), PIPELINE)
    known = [there for name in places if (there := client.get_experiment_by_name(name))]
    only = f"tags.`warmstart.study` = '{study}'"
    runs = client.search_runs([e.experiment_id for e in known], only, max_results=1000)
    digests = {
        run.info.run_id: next(run.data.tags[name] for name in DIGESTS if name in run.data.tags)
        for run in runs
    }
    found = {}
    for run in runs:
        tags = {name: value for name, value in run.data.tags.items() if name != PROCESS}
        curves = {}
        for metric in run.data.metrics:
            points = client.get_metric_history(run.info.run_id, metric)
            curves[metric] = sorted((point.step, point.value) for point in points)
            assert max(Counter(step for step, _ in curves[metric]).values()) == 1
        digest = digests[run.info.run_id]
        if PARENT in tags:
            tags[PARENT] = digests[tags[PARENT]]
        data = [(d.dataset.name, d.dataset.digest) for d in run.inputs.dataset_inputs]
        assert digest not in found, "a digest has two runs"
        assert run.info.status == "FINISHED"
        found[digest] = run.info.run_name, run.info.status, run.data.params, tags, curves, data
    return found
