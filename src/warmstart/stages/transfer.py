"""Model B with few labels: from scratch, or on copies of a pretrained model's layers by one
strategy or another."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.params import Params, StrategyName, Transfer
from warmstart.stages import card
from warmstart.stages.experiment import Arm, Experiment, best_of, scratch_arm
from warmstart.training.strategies import Strategy, strategies
from warmstart.training.trials import Phase

SCRATCH = "scratch"
RECIPE: StrategyName = "freeze_then_thaw"
"""The strategy whose arm has the plain name of its source, and the only one on further sources."""


def transfer(
    params: Params, data: Path, sources: Mapping[str, Path], model: Path, output: Path
) -> None:
    """Compare B from scratch with B on each of `sources` (arm name -> `.keras` file) over seeds,
    save the best on validation as `model` with its card beside it (`.json`), and write records,
    summary and timings below `output`; and below `output/labels/N` the records and summary with N
    labels, for each of `label_counts`.

    The first source is reused by every strategy of params.yaml, the others by the chapter's recipe.
    All arms see the same labels, which are drawn by the seed, and train for the same number of
    epochs.

    Raises:
        InputError: if more labels are asked for than task B has, or a source does not fit.
    """
    options, task_file = params.transfer, data / "b.npz"
    task = Task.read(task_file)
    counts = _label_counts(options, len(task.y_train))
    scratch = scratch_arm(
        params.pretrain.network,
        [Phase(epochs=options.epochs)],
        task_file,
        task,
        options.batch_size,
        params.seed,
    )
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
    records = experiment.run(output, params.executor, model, also=also)
    chosen = [record for record in records if record.chosen]
    card.write(
        model.with_suffix(".json"),
        model=model.name,
        data_name=params.data.name,
        task=task,
        best=chosen[best_of(chosen)],
        records=records,
    )


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
