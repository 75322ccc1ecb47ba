"""One study: its arms, each with its learning rate tuned, all on the same seeds."""

from functools import cache
from pathlib import Path

from warmstart.config.arm import Arm
from warmstart.config.checking import nearest
from warmstart.config.data import Splits
from warmstart.config.params import Compare, Params
from warmstart.data.split import resplit
from warmstart.data.view import View
from warmstart.errors import InputError
from warmstart.runtime.store import UNFINISHED
from warmstart.stages.contender import Contender, from_scratch
from warmstart.stages.run import run
from warmstart.stages.study import Study, judged_by, margin
from warmstart.training.trials import Split


def compare(params: Params, study: str, data: Path, model: Path, output: Path) -> None:
    """Run `study`, save its best network as `model` (a `.keras` file), and write records,
    diagnostics and timings below `output`.

    Raises:
        InputError: if params.yaml has no such study, or something that makes no sense for the data.
    """
    options = params.compare
    if study not in options.studies:
        raise InputError(
            f"study: expected one of compare.studies ({', '.join(options.studies)}), "
            f"received {study!r}{nearest(study, options.studies)}; add it to params.yaml"
        )
    whole, folder = View.read(data, "full"), UNFINISHED / f"compare@{study}"
    made = make_study(
        options,
        study,
        data_name=params.data.name,
        file=data / "full.npz",
        whole=whole,
        splits=params.data.drawn,
        root_seed=params.seed,
        folder=folder,
        probed=True,
    )
    run({output: made}, params.executor, model, folder=folder)


def make_study(
    options: Compare,
    name: str,
    *,
    data_name: str,
    file: Path,
    whole: View,
    splits: Splits,
    root_seed: int,
    folder: Path,
    probed: bool = False,
) -> Study:
    """The study `name` of `options`, ready to run.

    Args:
        file: of the task of `whole`.
        whole: the samples as `prepare` has split them, which seed 0 sees.
        splits: what the other seeds see. Splits of their own are written below `folder` when their
            round comes: the samples of all seeds may not fit into memory.
        root_seed: of every random number.
        folder: for unfinished work.
        probed: whether layers are probed.

    Raises:
        InputError: if something in `options` makes no sense for the task.
    """
    metric = judged_by(options, whole.task)
    chosen = options.studies[name]
    seeds = chosen.seeds or options.seeds

    @cache
    def split(number: int, standardize: bool) -> Split:
        if standardize and not number:
            return Split(file, whole.task.digest)
        return _written(resplit(whole, number, root_seed, splits), standardize, folder)

    def contender(network: Arm, count: int) -> Contender:
        numbers = [0] if splits == "fixed" else range(count)
        return from_scratch(
            network,
            task=whole.task,
            splits=[split(number, network.standardize) for number in numbers],
            drawn=splits,
            epochs=chosen.epochs or options.epochs,
            batch_size=options.batch_size,
            root_seed=root_seed,
            patience=options.patience,
            probed=probed,
        )

    def arms(count: int) -> dict[str, Contender]:
        return {key: contender(network, count) for key, network in options.arms(name).items()}

    return Study(
        stage="compare",
        name=name,
        data_name=data_name,
        task=whole.task,
        file=file,
        arms=arms(seeds),
        prepared=arms,
        learning_rates=chosen.learning_rates or options.learning_rates,
        seeds=seeds,
        most_seeds=max(seeds, chosen.most_seeds or options.most_seeds or seeds),
        most_trial_epochs=chosen.most_trial_epochs or options.most_trial_epochs,
        metric=metric,
        margin=margin(options, metric, whole.task),
        profiles={
            key: contender(network, seeds) for key, network in options.profiles(name).items()
        },
    )


def _written(view: View, standardize: bool, folder: Path) -> Split:
    return Split.write(view.task if standardize else view.raw().task, folder)
