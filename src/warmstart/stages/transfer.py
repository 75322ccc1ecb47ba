"""Model B with few labels: from scratch, or on copies of a pretrained model's layers by one
strategy or another."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from warmstart.config.params import Params, asked
from warmstart.config.transfer import StrategyName, Transfer
from warmstart.data import pairs
from warmstart.data.fitting import Counts, label_problems
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.files import write_json
from warmstart.networks.backbone import is_backbone
from warmstart.records import read_records, times_of
from warmstart.runtime.store import UNFINISHED
from warmstart.stages import features, left_out
from warmstart.stages.contender import Contender, from_scratch
from warmstart.stages.pairs import models_a
from warmstart.stages.replicates import of_classes
from warmstart.stages.run import run
from warmstart.stages.study import Study, judged_by, margin
from warmstart.training.strategies import Strategy, strategies
from warmstart.training.trials import Pretrained, Split

FROM_SCRATCH = "scratch"
ON_A = "on_a"
RECIPE: StrategyName = "freeze_then_thaw"
"""The strategy whose arm has the plain name of its source, and the only one on further sources."""


def transfer(
    params: Params,
    data: Path,
    sources: Mapping[str, Path],
    pretrained: Path,
    model: Path,
    output: Path,
) -> None:
    """Compare B from scratch with B on each of `sources` over seeds, save the best on validation
    as `model`, and write records and timings below `output`; and below `output/labels/N` the
    records with N labels, for each of `label_counts`. If `task_b` is `all_pairs`, every pair of
    classes is a task B besides, on the prepared split, from scratch against the chapter's recipe on
    a model A of its own: their records go below `output/pairs/L-M`.

    The first source is reused by every strategy of params.yaml, the others by the chapter's recipe.
    All arms see the same samples and labels, which the seed draws, and train for the same number of
    epochs.

    Args:
        params: of the run.
        data: folder that `prepare` wrote.
        sources: arm name -> where it starts; model A first. A folder with `SEED.keras` for each
            seed, pretrained on what trains in that seed's split; or one `.keras` file for all
            seeds, which then all see the prepared split: what another one tests it may have seen.
        pretrained: folder with the records of `pretrain`: where there are models A of other pairs,
            they get the learning rate that was chosen there.
        model: where model B is saved (`.keras`).
        output: folder.

    Raises:
        InputError: if more labels are asked for than task B has, or a source does not fit.
    """
    if why := left_out.reason(data):
        written = [output / "records.parquet", output / "kept.json", times_of(output)]
        left_out.leave_out("transfer", why, [model, output / "labels", output / "pairs", *written])
        return
    options, unfinished = asked(params), UNFINISHED / "transfer"
    replicates = _replicates(sources, params.replicates)
    task, splits = of_classes("b", data, replicates, params, unfinished)
    counts = _label_counts(options, task)
    full = Task.read(data / "full.npz")
    own = _study(params, "", task, splits[0].file, _arms(params, task, splits, sources), full)
    model_a = next(iter(sources.values()))
    wanted: set[str | None] = {None}  # from scratch
    if not _is_backbone(model_a):
        (first,) = _pretrained(model_a, 1)
        wanted |= {*strategies(first.file, options.label_strategies, options)}
    few = {
        name: arm
        for name, arm in own.arms.items()
        if arm.settings.get("strategy") in wanted or arm.cohort.on_features
    }
    labels = {
        output / "labels" / str(n): replace(own, name=f"labels_{n}", arms=few, labels=n)
        for n in counts
    }
    folder = UNFINISHED / "pairs"
    others = _pairs(params, data, full, pretrained, folder) if options.all_pairs else {}
    del full  # the samples of all classes would stay in memory
    # DVC expects both folders, and warns of an empty one
    (output / "labels").mkdir(parents=True, exist_ok=True)
    classes = {name: list(study.task.class_names) for name, study in others.items()}
    write_json(output / "pairs" / "classes.json", classes)
    run(
        {output: own} | labels | {output / "pairs" / name: s for name, s in others.items()},
        params.executor,
        model,
        folder=unfinished,
    )
    shutil.rmtree(folder, ignore_errors=True)


def _study(
    params: Params, name: str, task: Task, file: Path, arms: Mapping[str, Contender], full: Task
) -> Study:
    options, metric = asked(params), judged_by(params.compare, full)
    return Study(
        stage="transfer",
        name=name,
        data_name=params.data.name,
        task=task,
        file=file,
        arms=arms,
        learning_rates=options.learning_rates,
        seeds=options.seeds,
        reference=FROM_SCRATCH,
        metric=metric,
        margin=margin(params.compare, metric, full),
        labels=options.train_size,
    )


def _replicates(sources: Mapping[str, Path], wanted: int) -> int:
    """How many splits B sees: `wanted`, or 1 where a source is one model for all seeds."""
    alone = [source for source in sources.values() if not source.is_dir()]
    if not alone or wanted == 1:
        return wanted
    print(f"transfer: {alone[0]} is one model for all seeds: all see the prepared split")
    return 1


def _pretrained(source: Path, count: int) -> list[Pretrained]:
    """The models in the folder `source` of the first `count` seeds, or the one in that file.

    Raises:
        InputError: if one is missing.
    """
    if not source.is_dir():
        return [Pretrained.of(source)]
    paths = [source / f"{seed}.keras" for seed in range(count)]
    if missing := [path for path in paths if not path.exists()]:
        raise InputError(
            f"{missing[0]}: expected a model for each of {count} seeds, found none; run `dvc repro "
            "pretrain autoencode`"
        )
    return list(map(Pretrained.of, paths))


def _arms(
    params: Params,
    task: Task,
    splits: Sequence[Split],
    sources: Mapping[str, Path],
    names: Sequence[StrategyName] | None = None,
) -> dict[str, Contender]:
    """B from scratch, on the first source by each of the strategies `names` (None: those of
    params.yaml), and on the others by the recipe; its seeds see `splits`."""
    options = asked(params)
    scratch = from_scratch(
        params.pretrain.network,
        task=task,
        splits=splits,
        drawn=params.data.drawn,
        epochs=options.epochs,
        batch_size=options.batch_size,
        root_seed=params.seed,
    )
    arms = {FROM_SCRATCH: scratch}
    for name, source in sources.items():
        by = (names or options.strategies) if len(arms) == 1 else (RECIPE,)
        models = _pretrained(source, len(splits))
        if _is_backbone(source):
            arms |= features.arms(name, models[0], scratch, by, params, UNFINISHED / "transfer")
            continue
        for strategy, how in strategies(models[0].file, by, options).items():
            arm = name if strategy == RECIPE else f"{name}_{strategy}"
            if isinstance(how, str):
                print(f"transfer: {arm} is left out: {how}")
            else:
                arms[arm] = on_sources(models, strategy, how, scratch, source.name)
    return arms


def _is_backbone(source: Path) -> bool:
    """A folder holds models of seeds, which are stacks."""
    return not source.is_dir() and is_backbone(source)


def on_sources(
    sources: Sequence[Pretrained], name: str, strategy: Strategy, scratch: Contender, start: str
) -> Contender:
    """`scratch` as the arm whose seeds start on copies of layers of `sources`, which records call
    `start`, by the strategy `name`."""
    cohort = replace(
        scratch.cohort,
        sources=tuple(sources),
        copied=strategy.copied,
        not_copied=strategy.not_copied,
        phases=strategy.phases,
        l2_sp=strategy.l2_sp,
        fitted=strategy.fitted,
    )
    settings = {
        "start": start,
        "strategy": name,
        "copied": ", ".join(strategy.copied),
        "not_copied": ", ".join(strategy.not_copied),
    }
    return replace(scratch, cohort=cohort, settings=scratch.settings | settings)


def _pairs(
    params: Params, data: Path, full: Task, pretrained: Path, folder: Path
) -> dict[str, Study]:
    """The study of each pair of classes of `full`, by its name; all files lie below `folder`."""
    records = read_records(pretrained / "records.parquet")
    rate = next(r.learning_rate for r in records if r.chosen and r.seed == 0)
    studies = {}
    for pair, source in models_a(params, full, rate, folder).items():
        task = pairs.task_b(full, pair)
        arms = _arms(params, task, [Split.write(task, folder)], {ON_A: source}, (RECIPE,))
        nothing = np.empty((0, task.features), np.float32)
        # the samples of all pairs would fill the memory
        light = replace(task, x_train=nothing, x_validation=nothing, x_test=nothing)
        name = pairs.name(pair)
        study = _study(params, f"pair_{name}", light, data / "full.npz", arms, full)
        studies[name] = study
    return studies


def _label_counts(options: Transfer, task: Task) -> list[int]:
    """Ascending, without `train_size`, whose results are the stage's own."""
    available = len(task.y_train)
    if problems := list(label_problems(options, Counts.of(task, range(task.classes)))):
        raise InputError(*problems)
    whole = available - available % min(options.batch_size, available)
    counts = {whole if count == "all" else count for count in options.label_counts}
    return sorted(counts - {options.train_size})
