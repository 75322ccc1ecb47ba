"""Model A: the network of params.yaml on task A, once for each split that model B sees."""

from pathlib import Path

from warmstart.config.params import Params
from warmstart.data.task import Task
from warmstart.runtime.store import UNFINISHED
from warmstart.stages import left_out
from warmstart.stages.contender import from_scratch
from warmstart.stages.replicates import of_classes
from warmstart.stages.run import run
from warmstart.stages.study import Study, judged_by


def pretrain(params: Params, data: Path, model: Path, output: Path) -> None:
    """Train A at every learning rate, save the best on validation as `model` (`PATH.keras`) and
    that of each seed as `PATH/SEED.keras`, and write records and timings below `output`."""
    if why := left_out.reason(data):
        written = [output / name for name in ("records.parquet", "kept.json", "timings.json")]
        left_out.leave_out("pretrain", why, [model, model.with_suffix(""), *written])
        return
    options, folder = params.pretrain, UNFINISHED / "pretrain"
    task, splits = of_classes("a", data, params.replicates, params, folder)
    arm = from_scratch(
        options.network,
        task=task,
        splits=splits,
        drawn=params.data.drawn,
        epochs=options.epochs,
        batch_size=options.batch_size,
        root_seed=params.seed,
    )
    study = Study(
        stage="pretrain",
        name="",
        data_name=params.data.name,
        task=task,
        file=splits[0].file,
        arms={"a": arm},
        learning_rates=options.learning_rates,
        seeds=params.replicates,
        metric=judged_by(params.compare, Task.read(data / "full.npz")),
        keeps_all=True,
    )
    run({output: study}, params.executor, model, folder=folder)
