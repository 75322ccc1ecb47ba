"""A model A for every pair of classes that may be task B: one that never saw these two."""

from dataclasses import replace
from pathlib import Path

from warmstart.config.params import Params, asked
from warmstart.data.fitting import Counts, label_problems
from warmstart.data.pairs import Pair, every_pair, name, task_a
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.runtime import pool
from warmstart.stages.contender import from_scratch
from warmstart.training.trials import Cohort, Split, Trial

AT_ONCE = 8
"""Pairs whose tasks A lie on the disk together: 0.2 GB each on Fashion-MNIST."""


def models_a(params: Params, full: Task, learning_rate: float, folder: Path) -> dict[Pair, Path]:
    """Train a model A for each pair of classes of `full`; all files lie below `folder`.

    Args:
        params: of the run.
        full: the task with all classes.
        learning_rate: the one that was chosen for the model A of the first pair, for all: it is no
            part of what is compared, and a grid for each would take a multiple of the time.
        folder: for models and unfinished work.

    Raises:
        InputError: if a model A diverges, or a pair has fewer training samples than `train_size`.
    """
    pairs = every_pair(full.classes)
    if problems := list(label_problems(asked(params), Counts.of(full, pairs[0]))):
        raise InputError(*problems)
    models = {pair: folder / f"without_{name(pair)}.keras" for pair in pairs}
    with pool.start(params.executor, folder / "trials") as workers:
        for start in range(0, len(pairs), AT_ONCE):
            some = pairs[start : start + AT_ONCE]
            cohorts = {pair: _cohort(params, full, pair, learning_rate, folder) for pair in some}
            last = start + len(some)
            label = f"transfer, models A of pairs {start + 1} to {last} of {len(pairs)}"
            results = workers.train(list(cohorts.values()), label)
            for pair, cohort in cohorts.items():
                (trial,) = cohort.trials
                if results[cohort.key(trial)].outcome == "diverged":
                    raise InputError(
                        "pretrain.learning_rates: expected one at which no model A diverges, "
                        f"received {learning_rate:g}, at which that of all classes but {pair} "
                        "does; give lower ones"
                    )
                workers.export(cohort, trial, models[pair])
                cohort.split(trial).file.unlink()
    return models


def _cohort(params: Params, full: Task, pair: Pair, rate: float, folder: Path) -> Cohort:
    """The one trial of the model A of `pair`; writes its task."""
    task = task_a(full, pair)
    options = params.pretrain
    arm = from_scratch(
        options.network,
        task=task,
        splits=[Split.write(task, folder)],
        drawn="fixed",
        epochs=options.epochs,
        batch_size=options.batch_size,
        root_seed=params.seed,
    )
    trial = Trial(arm="a", network=arm.network, seed=0, learning_rate=rate)
    return replace(arm.cohort, trials=(trial,))
