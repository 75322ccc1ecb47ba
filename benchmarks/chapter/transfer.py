"""Task B with 200 labels, alone and on model A's layers, each seed with a model A of its own."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chapter import data
from chapter.networks import SECOND, THIRD, network
from chapter.rows import SEED, Row, Scale
from warmstart.analysis.inference import error_ratio
from warmstart.config import transfer as section
from warmstart.config.arm import Arm
from warmstart.config.params import Executor
from warmstart.data.task import Task
from warmstart.networks.stack import Stack
from warmstart.runtime import pool as executor
from warmstart.runtime.pool import Workers
from warmstart.runtime.store import UNFINISHED
from warmstart.stages.contender import Contender, from_scratch
from warmstart.stages.transfer import on_sources
from warmstart.training.strategies import freeze_then_thaw
from warmstart.training.trials import Cohort, Pretrained, Split, Trial

RATE, EPOCHS, FROZEN_EPOCHS = 1e-3, 20, 4
ALONE = "B alone"


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One edition's experiment, and the test accuracies it prints."""

    name: str
    edition: data.Edition
    classes: tuple[int, int]
    network: Arm
    thawed_rates: tuple[float, ...]
    """The first is the notebook's."""
    alone: float
    on_a: float


TRANSFERS = (
    Transfer(
        name="sandal or shirt",
        edition="second",
        classes=(5, 6),
        # the notebook names no initializer, so they are Keras's default
        network=network(
            hidden=[300, 100, 50, 50, 50], activation="selu", initializer="glorot_uniform"
        ),
        thawed_rates=(1e-3, 1e-4),
        alone=0.9705,
        on_a=0.9940,
    ),
    Transfer(
        name="T-shirt or pullover",
        edition="third",
        classes=(0, 2),
        network=network(hidden=[100, 100, 100], activation="relu"),
        thawed_rates=(1e-3,),
        alone=0.9185,
        on_a=0.9385,
    ),
)


def repeat(transfer: Transfer, images: data.Images, scale: Scale, folder: Path) -> list[Row]:
    """Its rows; data and models go below `folder`."""
    a, b = data.pair(images, transfer.edition, transfer.classes, scale.samples)
    for task in (a, b):
        task.write(folder / f"{task.name}.npz")
    scratch = UNFINISHED / f"book_{transfer.name.replace(' ', '_')}"
    with executor.start(Executor(kept_gb=0), scratch) as pool:
        sources = _pretrain(pool, transfer, a, folder, scale)
        cohorts = _cohorts(transfer, b, folder, scale, sources)
        pool.train([*cohorts.values()], f"book, B, {transfer.name}")
        scores = pool.evaluate([*cohorts.values()])
    shutil.rmtree(scratch, ignore_errors=True)
    accuracies = {
        arm: tuple(scores[cohort.key(trial)]["test_accuracy"] for trial in cohort.trials)
        for arm, cohort in cohorts.items()
    }
    return _rows(transfer, accuracies, len(b.y_test))


def _pretrain(
    pool: Workers, transfer: Transfer, task: Task, folder: Path, scale: Scale
) -> list[Pretrained]:
    """A model A for each seed."""
    arm = _alone(transfer, folder / "a.npz", task)
    trials = _trials("a", arm.network, scale)
    pool.train([replace(arm.cohort, trials=trials)], f"book, A, {transfer.name}")
    paths = [folder / f"a_{trial.seed}.keras" for trial in trials]
    for trial, path in zip(trials, paths, strict=True):
        pool.export(arm.cohort, trial, path)
    return list(map(Pretrained.of, paths))


def _cohorts(
    transfer: Transfer, task: Task, folder: Path, scale: Scale, sources: Sequence[Pretrained]
) -> dict[str, Cohort]:
    """Arm -> the cohort whose trials are its seeds in order."""
    alone = _alone(transfer, folder / "b.npz", task)
    cohorts = {ALONE: replace(alone.cohort, trials=_trials(ALONE, alone.network, scale))}
    stack = Stack.read(sources[0].file)
    for rate in transfer.thawed_rates:
        arm = f"B on A, thawed at {rate:g}"
        recipe = freeze_then_thaw(stack, _options(transfer, rate, scale))
        on_a = on_sources(sources, "freeze_then_thaw", recipe, alone, "a")
        cohorts[arm] = replace(on_a.cohort, trials=_trials(arm, alone.network, scale))
    return cohorts


def _alone(transfer: Transfer, file: Path, task: Task) -> Contender:
    return from_scratch(
        transfer.network,
        task=task,
        splits=[Split(file, task.digest)],
        drawn="fixed",
        epochs=EPOCHS,
        batch_size=32,
        root_seed=SEED,
    )


def _options(transfer: Transfer, thawed_rate: float, scale: Scale) -> section.Transfer:
    return section.Transfer(
        task_b=transfer.classes,
        train_size=data.B_TRAIN,
        seeds=scale.transfer_seeds,
        learning_rates=(RATE,),
        frozen_epochs=FROZEN_EPOCHS,
        thawed_epochs=EPOCHS - FROZEN_EPOCHS,
        thawed_factor=thawed_rate / RATE,
        strategies=("freeze_then_thaw",),
        batch_size=32,
    )


def _trials(arm: str, network: Arm, scale: Scale) -> tuple[Trial, ...]:
    return tuple(
        Trial(arm=arm, network=network, seed=seed, learning_rate=RATE)
        for seed in range(scale.transfer_seeds)
    )


def _rows(transfer: Transfer, accuracies: dict[str, tuple[float, ...]], n_test: int) -> list[Row]:
    def row(arm: str, measure: str, book: float | None, values: Sequence[float]) -> Row:
        return Row(
            experiment=transfer.name,
            arm=arm,
            measure=measure,  # type: ignore[arg-type]
            book=book,
            source=SECOND if transfer.edition == "second" else THIRD,
            values=tuple(values),
            settings=f"{data.B_TRAIN} labels of B, SGD {RATE:g}, {EPOCHS} epochs in batches of "
            f"32, {FROZEN_EPOCHS} of them frozen, pixels from 0 to 1",
        )

    rows = [row(ALONE, "test accuracy", transfer.alone, accuracies[ALONE])]
    errors = {arm: [round((1 - a) * n_test) for a in found] for arm, found in accuracies.items()}
    for number, arm in enumerate(list(accuracies)[1:]):
        notebook = number == 0
        rows.append(row(arm, "test accuracy", transfer.on_a if notebook else None, accuracies[arm]))
        factors = map(error_ratio, errors[arm], errors[ALONE])
        book = (1 - transfer.alone) / (1 - transfer.on_a) if notebook else None
        rows.append(row(arm, "error factor", book, list(factors)))
    return rows
