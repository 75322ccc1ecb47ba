"""Every pair of classes as task B, with a model A each that never saw these two."""

from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from warmstart.config.params import Params
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.runtime import pool as executor
from warmstart.stages.arm import scratch_arm
from warmstart.stages.pretrain import pretrain
from warmstart.training.trials import Cohort, Phase, Trial

AT_ONCE = 8
"""Pairs whose tasks A lie on the disk together: 0.2 GB each on Fashion-MNIST."""

VALIDATION = 1000
"""Validation samples of a pair at most. They choose a learning rate by their mean over seeds, for
which these are plenty; Fashion-MNIST's 2,800 take most of the time of an epoch with few labels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Two classes as task B."""

    labels: tuple[int, int]
    """In the dataset."""
    task: Task
    """Without its samples, which lie in `file`: those of all pairs would fill the memory."""
    file: Path
    source: Path
    """Model A of all other classes."""

    @property
    def name(self) -> str:
        return _name(self.labels)


def pairs(params: Params, data: Path, folder: Path) -> list[Pair]:
    """Every pair of classes with its model A; all files lie below `folder`, until it is removed.

    The learning rate of all models A is the one that `pretrain` chooses for the first pair's: it is
    no part of what is compared, and three rates for each would take three times as long.

    Args:
        data: folder that `prepare` wrote for `all_pairs`: its task B is the first pair.

    Raises:
        InputError: if a model A diverges, or a pair has fewer training samples than `train_size`.
    """
    full = Task.read(data / "full.npz")
    every = list(combinations(range(full.classes), 2))
    _check_sizes(full, every, params.transfer.train_size)
    records = pretrain(params, data, folder / "first.keras", folder / "first")
    rate = next(record.learning_rate for record in records if record.chosen)
    with executor.start(params.executor, folder / "trials") as pool:
        for start in range(0, len(every), AT_ONCE):
            some = every[start : start + AT_ONCE]
            cohorts = {pair: _cohort_a(params, full, pair, rate, folder) for pair in some}
            last = min(start + AT_ONCE, len(every))
            label = f"transfer, models A of pairs {start + 1} to {last} of {len(every)}"
            results = pool.train(list(cohorts.values()), label)
            for pair, cohort in cohorts.items():
                (trial,) = cohort.trials
                if results[cohort.key(trial)].outcome == "diverged":
                    raise InputError(
                        "pretrain.learning_rates: expected one at which no model A diverges, "
                        f"received {rate:g}, at which that of all classes but {pair} does; give "
                        "lower ones"
                    )
                pool.export(cohort, trial, _model(folder, pair))
                cohort.task.unlink()
    return [_pair(full, pair, folder) for pair in every]


def _check_sizes(full: Task, every: list[tuple[int, int]], wanted: int) -> None:
    counts = np.bincount(full.y_train, minlength=full.classes)
    fewest = min(every, key=lambda pair: counts[list(pair)].sum())
    if (available := counts[list(fewest)].sum()) < wanted:
        names = " and ".join(full.class_names[label] for label in fewest)
        raise InputError(
            f"transfer.train_size: expected at most {available}, the training samples of {names}, "
            f"received {wanted}; lower it"
        )


def _cohort_a(
    params: Params, full: Task, pair: tuple[int, int], rate: float, folder: Path
) -> Cohort:
    """The one trial of model A on all classes but `pair`; writes its task."""
    options = params.pretrain
    task = full.only("a", [label for label in range(full.classes) if label not in pair])
    file = folder / f"a_{_name(pair)}.npz"
    task.write(file)
    phases = [Phase(epochs=options.epochs)]
    arm = scratch_arm(options.network, phases, file, task, options.batch_size, params.seed)
    trial = Trial(arm="a", network=arm.network, seed=0, learning_rate=rate)
    return replace(arm.cohort, trials=(trial,))


def _pair(full: Task, pair: tuple[int, int], folder: Path) -> Pair:
    """Writes its task B."""
    task, file = full.only("b", pair, validation=VALIDATION), folder / f"b_{_name(pair)}.npz"
    task.write(file)
    nothing = np.empty((0, task.features), np.float32)
    light = replace(task, x_train=nothing, x_validation=nothing, x_test=nothing)
    return Pair(labels=pair, task=light, file=file, source=_model(folder, pair))


def _model(folder: Path, pair: tuple[int, int]) -> Path:
    return folder / f"without_{_name(pair)}.keras"


def _name(pair: tuple[int, int]) -> str:
    return "-".join(map(str, pair))
