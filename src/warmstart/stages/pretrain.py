"""Model A: the network of params.yaml on task A, once for each split that model B sees."""

from pathlib import Path

from warmstart.config.params import Params
from warmstart.data.task import Task
from warmstart.records import times_of
from warmstart.runtime.store import UNFINISHED
from warmstart.stages import left_out, model_a
from warmstart.stages.contender import from_scratch
from warmstart.stages.replicates import of_classes
from warmstart.stages.run import run
from warmstart.stages.study import Study, judged_by


def pretrain(
    params: Params, data: Path, model: Path, output: Path, own: Path | None = None
) -> None:
    """Train A at every learning rate, save the best on validation as `model` (`PATH.keras`) and
    that of each seed as `PATH/SEED.keras`, and write records and timings below `output`.

    Args:
        own: the file of the user's model A (`transfer.a`), which takes A's place; None: A is
            trained, or one of Keras's own.

    Raises:
        InputError: as `model_a.bring`.
    """
    written = [output / "records.parquet", output / "kept.json", times_of(output)]
    if why := left_out.reason(data):
        left_out.leave_out("pretrain", why, [model, model.with_suffix(""), *written])
        return
    if params.transfer and (a := params.transfer.a):
        model_a.bring(a, own, data, params.seed, model)
        why = "transfer.a names a model A of the user's own"
        left_out.leave_out("pretrain", why, [model.with_suffix(""), *written])
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
