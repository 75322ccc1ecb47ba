"""Model A: the network of params.yaml on task A, once for each split that model B sees."""

import shutil
from pathlib import Path

from warmstart.config.params import Params
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.files import replacing
from warmstart.records import times_of
from warmstart.runtime.store import UNFINISHED
from warmstart.stages import left_out
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
        own: the user's model A, which is copied to `model` instead; None: A is trained.

    Raises:
        InputError: if `own` is no network on these features.
    """
    written = [output / "records.parquet", output / "kept.json", times_of(output)]
    if why := left_out.reason(data):
        left_out.leave_out("pretrain", why, [model, model.with_suffix(""), *written])
        return
    if own:
        _check(own, Task.read(data / "full.npz").features)
        with replacing(model) as unfinished:
            shutil.copyfile(own, unfinished)
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


def _check(own: Path, features: int) -> None:
    from warmstart.networks import transfer  # loads Keras, which a left out stage does without

    taken = transfer.load(own).input_shape[-1]
    if taken != features:
        raise InputError(
            f"transfer.a: expected a network on the {features} features of these data, received "
            f"{own}, which takes {taken}; pretrain it on the same features"
        )
