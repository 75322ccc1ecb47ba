"""`python -m engines.gpu_study JOB FOLDER`: a study of V trials as the stages run one, which leaves
its records in FOLDER; prints what its times say."""

import json
import sys
from pathlib import Path
from typing import Any

from engines.job import Job
from engines.warmstart_engine import arm
from warmstart.config.params import Executor
from warmstart.config.parts import Initializer
from warmstart.data.task import Task
from warmstart.files import read_sealed
from warmstart.records import times_of
from warmstart.stages import run as stage
from warmstart.stages.contender import from_scratch
from warmstart.stages.study import Study
from warmstart.training.trials import Split

INITIALIZERS = ("glorot_normal", "he_normal", "lecun_normal", "orthogonal")
"""The arms: one program. With one learning rate there is neither a race nor a wider grid, and
exactly V trials are trained."""


def run(job: Job, output: Path) -> dict[str, Any]:
    """Initializers × seeds, one cohort in all."""
    file = Path(job.task)
    task = Task.read(file)
    arms = {
        name: from_scratch(
            arm(job.network).model_copy(update={"initializer": Initializer(name=name)}),
            task=task,
            splits=[Split(file, task.digest)],
            drawn="fixed",
            epochs=job.epochs,
            batch_size=job.batch,
            root_seed=42,
        )
        for name in INITIALIZERS
    }
    study = Study(
        stage="compare",
        name=f"gpu_{job.network}",
        data_name="fashion_mnist",
        task=task,
        file=file,
        arms=arms,
        learning_rates=job.learning_rates[:1],
        seeds=job.v // len(INITIALIZERS),
    )
    # one worker, as on one GPU
    stage.run({output: study}, Executor(workers=1, kept_gb=0), folder=output / "unfinished")
    times = read_sealed(times_of(output))
    seconds = [own["seconds_per_epoch"] for own in times["arms"].values()]
    return {
        "seconds_per_trial_epoch": sum(seconds) / len(seconds),
        "trial_epochs": times["trial_epochs"],
        "device": times["device"],
    }


if __name__ == "__main__":
    print(f"\n{json.dumps(run(Job.from_json(sys.argv[1]), Path(sys.argv[2])))}", flush=True)
