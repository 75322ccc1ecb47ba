"""Ray Tune with a worker per core, one CPU each."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from ray import tune

from engines.job import Job, Report, trained


def run(job: Job) -> Report:
    """A grid over the trials on a Ray of our own, started and stopped here."""
    # by default every trial gets a new process, which loads TensorFlow once more
    reuse = job.engine != "ray-tune-default"
    with tempfile.TemporaryDirectory() as folder:
        # a head that can be reached from this machine only, without its web page
        ray.init(
            num_cpus=job.cores,
            include_dashboard=False,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
        )
        try:
            results = tune.Tuner(
                tune.with_resources(tune.with_parameters(_trial, job=job), {"cpu": 1}),
                param_space={"number": tune.grid_search(list(range(job.v)))},
                tune_config=tune.TuneConfig(metric="val_accuracy", mode="max", reuse_actors=reuse),
                run_config=tune.RunConfig(storage_path=folder, verbose=0),
            ).fit()
        finally:
            ray.shutdown()
        if results.errors:
            raise results.errors[0]
    return Report(
        workers=job.workers, trials=tuple(trained(found.metrics["trained"]) for found in results)
    )


def _trial(config: dict[str, Any], job: Job) -> None:
    """In a worker process."""
    from engines import keras_fit
    from warmstart.data.task import Task

    keras_fit.set_threads(1)  # the CPU it was given
    task = Task.read(Path(job.task))
    found = keras_fit.train(task, job, config["number"], keras_fit.Settings())
    tune.report({"val_accuracy": found.val_accuracy, "trained": asdict(found)})
