"""One study: its arms, each with its learning rate tuned, all on the same seeds."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from warmstart.analysis import cards as card
from warmstart.config.arm import Network
from warmstart.config.params import Compare, Params
from warmstart.data.task import Task, View, cross_validation
from warmstart.errors import InputError
from warmstart.records import Record
from warmstart.runtime.store import SCRATCH
from warmstart.stages.arm import Arm, scratch_arm
from warmstart.stages.experiment import Experiment
from warmstart.training.selection import best_record
from warmstart.training.trials import Phase


def compare(params: Params, study: str, data: Path, model: Path, output: Path) -> None:
    """Run `study`, save its best network as `model` (a `.keras` file) with its card beside it
    (`.json`), and write records, summary, diagnostics and timings below `output`.

    Raises:
        InputError: if params.yaml has no such study, or more folds than a class has samples.
    """
    options = params.compare
    if study not in options.studies:
        raise InputError(
            f"study: expected one of compare.studies ({', '.join(options.studies)}), "
            f"received {study!r}; add it to params.yaml"
        )
    task_file = data / "full.npz"
    whole = View.read(data, "full")
    seen = views(options, whole, params.seed)
    ready = experiment(
        options,
        study,
        params.data.name,
        task_file,
        whole.task,
        seen,
        params.seed,
        probed=True,
    )
    records = ready.run(output, params.executor, model)
    view = view_of_best(ready, records, seen)
    card.write(model, data_name=params.data.name, view=view, prepared=data, records=records)


def views(options: Compare, whole: View, seed: int) -> tuple[View, ...]:
    """What trials see of `whole`: those of seed s number s modulo their count."""
    if options.folds is None:
        return (whole,)
    return cross_validation(whole.task, whole.standardization, options.folds, seed)


def view_of_best(study: Experiment, records: Sequence[Record], seen: Sequence[View]) -> View:
    """What the best trial of `records` saw of `seen`, the views that `study` was made with."""
    best = best_record(records)
    view = seen[best.seed % len(seen)]
    return view if study.arms[best.arm].network.standardize else view.raw()


def experiment(
    options: Compare,
    study: str,
    data_name: str,
    task_file: Path,
    task: Task,
    seen: Sequence[View],
    seed: int,
    *,
    scratch: Path = SCRATCH,
    probed: bool = False,
) -> Experiment:
    """`study` of `options`, ready to run.

    Args:
        task_file: of `task`.
        seen: `views` of it; what is another task is written below `scratch`.
        seed: root.
        probed: whether layers are looked into.
    """
    chosen = options.studies[study]
    phases = [Phase(epochs=chosen.epochs or options.epochs)]

    @cache
    def files(standardize: bool) -> list[tuple[Path, Task]]:
        if standardize and not options.folds:
            return [(task_file, task)]
        folder = scratch / f"compare@{study}"
        return [_written(view if standardize else view.raw(), folder) for view in seen]

    def arm(network: Network) -> Arm:
        made = [
            scratch_arm(
                network,
                phases,
                path,
                sees,
                options.batch_size,
                seed,
                options.patience,
                probed=probed,
            )
            for path, sees in files(network.standardize)
        ]
        folds = tuple(fold.cohort for fold in made) if options.folds else ()
        return replace(made[0], folds=folds)

    return Experiment(
        stage="compare",
        study=study,
        data_name=data_name,
        task=task,
        file=task_file,
        arms={name: arm(network) for name, network in options.arms(study).items()},
        learning_rates=chosen.learning_rates or options.learning_rates,
        seeds=chosen.seeds or options.seeds,
        reference=None,
        profiles={name: arm(network) for name, network in options.profiles(study).items()},
    )


def _written(view: View, folder: Path) -> tuple[Path, Task]:
    path = folder / f"{view.task.name}.npz"
    view.task.write(path)
    return path, view.task
