"""Our engine, as the stages use it: cohorts go to workers, results come back."""

import os
import tempfile
from pathlib import Path

from engines.job import DENSE, FILTERS, IMAGE, NETWORKS, Job, Report, Trained
from warmstart.config.arm import Arm
from warmstart.config.network import Network
from warmstart.config.params import Executor
from warmstart.config.parts import Activation, Initializer
from warmstart.data.task import Task
from warmstart.runtime import pool
from warmstart.training.outcomes import Result
from warmstart.training.trials import Cohort, Phase, Split, Trial


def run(job: Job) -> Report:
    """All trials as one cohort. The environment variable KERAS_BACKEND chooses the backend."""
    os.environ["WARMSTART_PROGRAMS"] = "off"  # others compile in every repetition, too
    cohort = cohort_of(job)
    with (
        tempfile.TemporaryDirectory() as folder,
        pool.start(Executor(workers=job.cores, kept_gb=0), Path(folder)) as workers,
    ):
        results = workers.train([cohort], job.engine)
    found = [results[cohort.key(trial)] for trial in cohort.trials]
    return Report(workers=job.workers, trials=tuple(_trained(job, result) for result in found))


def cohort_of(job: Job) -> Cohort:
    network = arm(job.network)
    return Cohort(
        structure=network.structure(),
        phases=(Phase(epochs=job.epochs),),
        splits=(Split(Path(job.task), Task.read(Path(job.task)).digest),),
        batch_size=job.batch,
        root_seed=42,
        trials=tuple(
            Trial(arm="elu", network=network, seed=seed, learning_rate=rate)
            for seed, rate in enumerate(job.learning_rates)
        ),
    )


def arm(name: str) -> Arm:
    """One of NETWORKS, resolved."""
    kind = Network(name="dense")
    if name not in DENSE:
        kind = Network(name="convolutional", filters=FILTERS)
    return Arm(
        network=kind,
        hidden=NETWORKS[name],
        activation=Activation(name="elu"),
        initializer=Initializer(name="he_normal"),
    ).resolve(IMAGE)


def _trained(job: Job, result: Result) -> Trained:
    epochs = len(result.epochs["loss"])
    return Trained(
        # the engine tells the time of all epochs of a trial together
        epoch_seconds=(result.train_seconds / epochs,),
        seconds=result.train_seconds,
        samples=epochs * job.samples,
        val_accuracy=result.epochs["val_accuracy"][-1],
    )
