"""Model A: the network of params.yaml on task A."""

from pathlib import Path

from warmstart.config.params import Params
from warmstart.data.task import Task
from warmstart.stages.contender import from_scratch
from warmstart.stages.study import Study, run
from warmstart.training.trials import Split


def pretrain(params: Params, data: Path, model: Path, output: Path) -> None:
    """Train A at every learning rate, save the best on validation as `model` (a `.keras` file),
    and write records and timings below `output`."""
    file, options = data / "a.npz", params.pretrain
    task = Task.read(file)
    arm = from_scratch(
        options.network,
        task=task,
        splits=[Split(file, task.digest)],
        epochs=options.epochs,
        batch_size=options.batch_size,
        root_seed=params.seed,
    )
    study = Study(
        stage="pretrain",
        name="",
        data_name=params.data.name,
        task=task,
        file=file,
        arms={"a": arm},
        learning_rates=options.learning_rates,
        seeds=1,
    )
    run({output: study}, params.executor, model)
