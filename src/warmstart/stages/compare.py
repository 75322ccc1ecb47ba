"""One study: its arms, each with its learning rate tuned, all on the same seeds."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from warmstart.config.arm import Arm
from warmstart.config.params import Compare, Params
from warmstart.data.task import Task, View, cross_validation
from warmstart.errors import InputError
from warmstart.runtime.store import UNFINISHED
from warmstart.stages.contender import Contender, from_scratch
from warmstart.stages.study import Study, run


def compare(params: Params, study: str, data: Path, model: Path, output: Path) -> None:
    """Run `study`, save its best network as `model` (a `.keras` file), and write records,
    diagnostics and timings below `output`.

    Raises:
        InputError: if params.yaml has no such study, or more folds than a class has samples.
    """
    options = params.compare
    if study not in options.studies:
        raise InputError(
            f"study: expected one of compare.studies ({', '.join(options.studies)}), "
            f"received {study!r}; add it to params.yaml"
        )
    whole, folder = View.read(data, "full"), UNFINISHED / f"compare@{study}"
    made = make_study(
        options,
        study,
        data_name=params.data.name,
        file=data / "full.npz",
        seen=views(whole, options.folds, params.seed),
        task=whole.task,
        root_seed=params.seed,
        folder=folder,
        probed=True,
    )
    run({output: made}, params.executor, model, folder=folder)


def views(whole: View, folds: int | None, seed: int) -> tuple[View, ...]:
    """What trials see of `whole`: those of seed s number s modulo their count."""
    if folds is None:
        return (whole,)
    return cross_validation(whole.task, whole.standardization, folds, seed)


def make_study(
    options: Compare,
    name: str,
    *,
    data_name: str,
    task: Task,
    file: Path,
    seen: Sequence[View],
    root_seed: int,
    folder: Path,
    probed: bool = False,
) -> Study:
    """The study `name` of `options`, ready to run.

    Args:
        task: which all seeds share but for folds.
        file: of `task`.
        seen: `views` of it; what is another task is written below `folder`.
        root_seed: of every random number.
        folder: for unfinished work.
        probed: whether layers are probed.
    """
    chosen = options.studies[name]

    @cache
    def tasks(standardize: bool) -> list[tuple[Path, Task]]:
        if standardize and not options.folds:
            return [(file, task)]
        return [_written(view if standardize else view.raw(), folder) for view in seen]

    def arm(network: Arm) -> Contender:
        return from_scratch(
            network,
            tasks=tasks(network.standardize),
            epochs=chosen.epochs or options.epochs,
            batch_size=options.batch_size,
            root_seed=root_seed,
            patience=options.patience,
            probed=probed,
        )

    return Study(
        stage="compare",
        name=name,
        data_name=data_name,
        task=task,
        file=file,
        arms={key: arm(network) for key, network in options.arms(name).items()},
        learning_rates=chosen.learning_rates or options.learning_rates,
        seeds=chosen.seeds or options.seeds,
        profiles={key: arm(network) for key, network in options.profiles(name).items()},
    )


def _written(view: View, folder: Path) -> tuple[Path, Task]:
    path = folder / f"{view.task.name}.npz"
    view.task.write(path)
    return path, view.task
