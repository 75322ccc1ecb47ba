"""`python -m engines JOB`: do one job in this process, and print its report as the last line."""

import sys
from importlib import import_module

from engines.job import Job

MODULES = {
    "warmstart-tensorflow": "warmstart_engine",
    "warmstart-jax": "warmstart_engine",
    "fit": "keras_fit",
    "fit-tuned": "keras_fit",
    "fit-2-processes": "two_processes",
    "keras-tuner": "keras_tuner_search",
    "optuna": "optuna_study",
    "ray-tune": "ray_tune",
    "ray-tune-default": "ray_tune",
    "floor": "floor",
}

if __name__ == "__main__":
    job = Job.from_json(sys.argv[1])
    # each engine loads what it needs, and that is part of its fixed cost
    report = import_module(f"engines.{MODULES[job.engine]}").run(job)
    # Keras Tuner goes on when a trial fails
    if len(report.trials) != job.v:
        sys.exit(f"{job.engine}: expected {job.v} trials, received {len(report.trials)}")
    print(f"\n{report.to_json()}", flush=True)
