"""Model B with few labels: from scratch, or on copies of a pretrained model's layers by one
strategy or another."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from warmstart.analysis import cards as card
from warmstart.config.params import Params, StrategyName, Transfer
from warmstart.data.task import Task, View
from warmstart.errors import InputError
from warmstart.files import write_json
from warmstart.records import Summary, read_records
from warmstart.runtime import store as unfinished
from warmstart.stages.arm import Arm, scratch_arm
from warmstart.stages.experiment import Experiment
from warmstart.stages.pairs import Pair, pairs
from warmstart.training.strategies import Strategy, strategies
from warmstart.training.trials import Phase

SCRATCH = "scratch"
ON_A = "on_a"
RECIPE: StrategyName = "freeze_then_thaw"
"""The strategy whose arm has the plain name of its source, and the only one on further sources."""
PAIRS = unfinished.SCRATCH / "pairs"
"""Tasks and models A of all pairs while they are needed."""


def transfer(
    params: Params, data: Path, sources: Mapping[str, Path], model: Path, output: Path
) -> None:
    """Compare B from scratch with B on each of `sources` (arm name -> `.keras` file) over seeds,
    save the best on validation as `model` with its card beside it (`.json`), and write records,
    summary and timings below `output`; and below `output/labels/N` the records and summary with N
    labels, for each of `label_counts`. If `task_b` is `all_pairs`, every pair of classes is a task
    B besides, on a model A of its own (`stages.pairs`): their records and summaries go below
    `output/pairs/L-M`, and `output/pairs/pairs.json` says what they say together.

    The first source is reused by every strategy of params.yaml, the others by the chapter's recipe.
    All arms see the same labels, which are drawn by the seed, and train for the same number of
    epochs.

    Raises:
        InputError: if more labels are asked for than task B has, or a source does not fit.
    """
    options, task_file = params.transfer, data / "b.npz"
    task = Task.read(task_file)
    counts = _label_counts(options, len(task.y_train))
    scratch = _scratch(params, task_file, task)
    arms = {SCRATCH: scratch}
    for name, source in sources.items():
        names = options.strategies if len(arms) == 1 else (RECIPE,)
        for strategy, how in strategies(source, names, options).items():
            arm = name if strategy == RECIPE else f"{name}_{strategy}"
            if isinstance(how, str):
                print(f"transfer: {arm} is left out: {how}")
            else:
                arms[arm] = on_source(source, strategy, how, scratch)
    experiment = Experiment(
        stage="transfer",
        study="",
        data_name=params.data.name,
        task=task,
        file=task_file,
        arms=arms,
        learning_rates=options.learning_rates,
        seeds=options.seeds,
        reference=SCRATCH,
        labels=options.train_size,
    )
    (output / "labels").mkdir(parents=True, exist_ok=True)
    few = {
        name: arm
        for name, arm in arms.items()
        if arm.settings.get("strategy", RECIPE) in options.label_strategies
    }
    also = {
        output / "labels" / str(n): replace(experiment, study=f"labels_{n}", arms=few, labels=n)
        for n in counts
    }
    every = pairs(params, data, PAIRS) if options.all_pairs else []
    of_all = replace(experiment, file=data / "full.npz")
    also |= {output / "pairs" / pair.name: _on_pair(params, of_all, pair) for pair in every}
    records = experiment.run(output, params.executor, model, also=also)
    if every:
        _judge_pairs(every, Task.read(data / "full.npz"), output / "pairs")
        shutil.rmtree(PAIRS)
    else:  # DVC would warn of an empty folder
        write_json(output / "pairs" / "pairs.json", None)
    card.write(
        model,
        data_name=params.data.name,
        view=View.read(data, "b"),
        prepared=data,
        records=records,
    )


def _scratch(params: Params, task_file: Path, task: Task) -> Arm:
    options = params.transfer
    return scratch_arm(
        params.pretrain.network,
        [Phase(epochs=options.epochs)],
        task_file,
        task,
        options.batch_size,
        params.seed,
    )


def _on_pair(params: Params, experiment: Experiment, pair: Pair) -> Experiment:
    """`experiment` on another task B: from scratch and by the chapter's recipe."""
    scratch = _scratch(params, pair.file, pair.task)
    arms = {SCRATCH: scratch}
    for strategy, how in strategies(pair.source, (RECIPE,), params.transfer).items():
        assert not isinstance(how, str)  # every stack can be frozen and thawed
        arms[ON_A] = on_source(pair.source, strategy, how, scratch)
    return replace(experiment, study=f"pair_{pair.name}", task=pair.task, arms=arms)


def _judge_pairs(every: Sequence[Pair], full: Task, folder: Path) -> None:
    """Write `pairs.json` into `folder`, which has the results of every pair."""
    from warmstart.analysis.pairs import answer, judge  # see experiment._load_statistics

    found = {
        pair.labels: (
            Summary.read(folder / pair.name / "summary.json"),
            read_records(folder / pair.name / "records.parquet"),
        )
        for pair in every
    }
    means = np.array([full.x_train[full.y_train == c].mean(axis=0) for c in range(full.classes)])
    judged = judge(found, arm=ON_A, reference=SCRATCH, class_names=full.class_names, means=means)
    judged.write(folder / "pairs.json")
    print(f"transfer: {answer(judged)}")


def _label_counts(options: Transfer, available: int) -> list[int]:
    """Ascending, without `train_size`, whose results are the stage's own."""
    asked = {"train_size": options.train_size} | {
        f"label_counts.{i}": count for i, count in enumerate(options.label_counts) if count != "all"
    }
    if problems := [
        f"transfer.{key}: expected at most {available}, the training samples of task B's classes, "
        f"received {count}; lower it"
        for key, count in asked.items()
        if count > available
    ]:
        raise InputError(*problems)
    whole = available - available % min(options.batch_size, available)
    counts = {whole if count == "all" else count for count in options.label_counts}
    return sorted(counts - {options.train_size})


def on_source(source: Path, name: str, strategy: Strategy, scratch: Arm) -> Arm:
    """`scratch` as the arm that starts on copies of layers of `source`, by the strategy `name`."""
    cohort = replace(
        scratch.cohort,
        source=source,
        source_digest=hashlib.sha256(source.read_bytes()).hexdigest(),
        copied=strategy.copied,
        not_copied=strategy.not_copied,
        phases=strategy.phases,
    )
    settings = {
        "start": source.name,
        "strategy": name,
        "copied": ", ".join(strategy.copied),
        "not_copied": ", ".join(strategy.not_copied),
    }
    return replace(scratch, cohort=cohort, settings=scratch.settings | settings)
