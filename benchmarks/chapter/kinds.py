"""Does transfer bring more in convolutional than in dense networks?

What B gains on A's layers over B from scratch is taken for both kinds of network and subtracted,
seed by seed. Every seed has a task B of its own, two of the ten classes, a model A of each kind on
the eight others, and a split of all images; both kinds and all starts see the same samples and
labels. Models A and B alike: every arm and seed chooses its learning rate on validation, from the
same grid, wider by one where an end of it is the best.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np

from chapter.data import Images
from chapter.networks import network
from chapter.rows import SEED, Row, Scale
from warmstart.config.data import KNOWN_CLASSES
from warmstart.config.params import Executor
from warmstart.config.transfer import StrategyName, Transfer
from warmstart.contrasts import LEVEL, Contrasts, Verdict
from warmstart.data.task import Task
from warmstart.records import Record, read_records
from warmstart.seeds import generator
from warmstart.stages.contender import Contender, from_scratch
from warmstart.stages.run import run
from warmstart.stages.study import Study
from warmstart.stages.transfer import on_sources
from warmstart.training.strategies import strategies
from warmstart.training.trials import Pretrained, Split

EXPERIMENT = "dense or convolutional"
NETWORKS = {
    "dense": network(network="dense", hidden=[300, 100, 50, 50, 50]),
    "convolutional": network(network="convolutional"),
}
LABELS = (20, 50, 200)
STRATEGIES: dict[StrategyName, str] = {
    "freeze_then_thaw": "freeze then thaw",
    "head_only": "head only",
}
RATES = (0.01, 0.03, 0.1, 0.3)
A_EPOCHS = 12
A_CLASS = 1_000
"""Images of each class that a model A is trained on."""
MARGIN = 0.01
"""Gains that differ by less are practically equal."""
VERDICTS: Mapping[Verdict, str] = {
    "better": "transfer brings more in convolutional networks",
    "worse": "transfer brings less in convolutional networks",
    "practically equal": "transfer brings as much in both, within 1 point",
    "open": "undecided",
}
RECIPE = Transfer(
    task_b=("auto",),
    train_size=max(LABELS),
    seeds=2,
    learning_rates=RATES,
    frozen_epochs=10,
    thawed_epochs=20,
    thawed_factor=0.3,
    strategies=tuple(STRATEGIES),
    batch_size=10,
)
"""As in params.yaml; the seeds are those of the scale."""


def repeat(images: Images, scale: Scale, folder: Path) -> list[Row]:
    """Its rows; data, models and records go below `folder`."""
    tasks = [pair_of(images, seed, scale) for seed in range(scale.transfer_seeds)]
    a, b = ([pair[place] for pair in tasks] for place in (0, 1))
    reached, studies = {}, {}
    for kind in NETWORKS:
        records = _pretrain(kind, a, folder)
        reached[f"A, {kind}"] = _tested(records, "a")
        for labels in LABELS:
            studies[folder / f"b_{kind}_{labels}"] = _study(kind, labels, b, folder)
    run(studies, Executor(kept_gb=0))
    for kind in NETWORKS:
        for labels in LABELS:
            records = read_records(folder / f"b_{kind}_{labels}" / "records.parquet")
            for arm in ("scratch", *STRATEGIES):
                reached[f"{kind}, {labels}, {arm}"] = _tested(records, arm)
    sizes = f"{len(a[0].y_train):,} images of A for {A_EPOCHS} epochs in batches of 32"
    return list(rows(reached, len(b[0].y_test), sizes))


def pair_of(images: Images, seed: int, scale: Scale) -> tuple[Task, Task]:
    """Tasks A and B of `seed`: as many images of each class in each part, standardized by one mean
    and one deviation over the pixels that A is trained on."""
    pairs = list(combinations(range(10), 2))
    order = generator(SEED, "pairs").permutation(len(pairs))
    classes = pairs[order[seed % len(pairs)]]
    draw = generator(SEED, "kinds", seed)
    rows = [draw.permutation(np.flatnonzero(images.y == label)) for label in range(10)]
    labels = max(LABELS) // 2
    most = (min(map(len, rows)) - labels) * 4 // 5
    size = min(A_CLASS, most, scale.samples // 20 if scale.samples else A_CLASS)
    others = [label for label in range(10) if label not in classes]
    ends_a = {"train": size, "validation": size // 10, "test": size // 10}
    ends_b = {"train": labels, "validation": size // 4, "test": size}
    seen = images.x[np.concatenate([rows[label][:size] for label in others])]
    mean, deviation = seen.mean(dtype=np.float64), seen.std(dtype=np.float64)

    def task(name: str, chosen: list[int], sizes: Mapping[str, int]) -> Task:
        arrays, start = {}, 0
        for part, count in sizes.items():
            own = np.concatenate([rows[label][start : start + count] for label in chosen])
            arrays[f"x_{part}"] = ((images.x[own] - mean) / deviation).astype(np.float32)
            arrays[f"y_{part}"] = np.repeat(np.arange(len(chosen), dtype=np.int32), count)
            start += count
        names = tuple(KNOWN_CLASSES["fashion_mnist"][label] for label in chosen)
        return Task.of(name=f"{name}_{seed}", class_names=names, shape=(28, 28, 1), **arrays)

    return task("a", others, ends_a), task("b", list(classes), ends_b)


def _pretrain(kind: str, tasks: list[Task], folder: Path) -> tuple[Record, ...]:
    """A model A of `kind` for each seed, `folder/KIND/SEED.keras`."""
    study = Study(
        stage="book",
        name=f"a_{kind}",
        data_name="fashion_mnist",
        task=tasks[0],
        file=folder / f"{tasks[0].name}.npz",
        arms={"a": _alone(kind, tasks, folder, A_EPOCHS, 32)},
        learning_rates=RATES,
        seeds=len(tasks),
        keeps_all=True,
    )
    return run({folder / f"a_{kind}": study}, Executor(kept_gb=0), folder / f"{kind}.keras")


def _study(kind: str, labels: int, tasks: list[Task], folder: Path) -> Study:
    """B of `kind` with so many labels."""
    alone = _alone(kind, tasks, folder, RECIPE.epochs, RECIPE.batch_size)
    models = [Pretrained.of(folder / kind / f"{seed}.keras") for seed in range(len(tasks))]
    ways = strategies(models[0].file, tuple(STRATEGIES), RECIPE)
    on_a = {
        name: on_sources(models, name, how, alone, f"a_{kind}")
        for name, how in ways.items()
        if not isinstance(how, str)
    }
    return Study(
        stage="book",
        name=f"b_{kind}_{labels}",
        data_name="fashion_mnist",
        task=tasks[0],
        file=folder / f"{tasks[0].name}.npz",
        arms={"scratch": alone} | on_a,
        learning_rates=RATES,
        seeds=len(tasks),
        reference="scratch",
        labels=labels,
    )


def _alone(kind: str, tasks: list[Task], folder: Path, epochs: int, batch_size: int) -> Contender:
    return from_scratch(
        NETWORKS[kind],
        task=tasks[0],
        splits=[Split.write(task, folder) for task in tasks],
        drawn="resampled",
        epochs=epochs,
        batch_size=batch_size,
        root_seed=SEED,
    )


def _tested(records: tuple[Record, ...], arm: str) -> tuple[float, ...]:
    """Test accuracies at the chosen rates, by seed."""
    chosen = {r.seed: r.test["test_accuracy"] for r in records if r.chosen and r.arm == arm}
    return tuple(chosen[seed] for seed in sorted(chosen))


def rows(reached: Mapping[str, tuple[float, ...]], n_test: int, sizes: str) -> Iterator[Row]:
    """The table, from test accuracies by seed.

    Args:
        reached: of `A, KIND` and `KIND, LABELS, ARM`.
        n_test: test samples of B.
        sizes: how A was trained, in words.
    """
    settings = (
        f"{sizes}; B {RECIPE.epochs} epochs in batches of {RECIPE.batch_size}, of the recipe "
        f"{RECIPE.frozen_epochs} frozen; SGD, learning rates chosen on validation from "
        f"{', '.join(f'{rate:g}' for rate in RATES)}; every seed two other classes"
    )

    def row(arm: str, measure: str, values: tuple[float, ...], verdict: str = "") -> Row:
        return Row(
            experiment=EXPERIMENT,
            arm=arm,
            measure=measure,  # type: ignore[arg-type]
            book=None,
            source="no number of the book's",
            values=values,
            settings=settings,
            verdict=verdict,
        )

    for kind in NETWORKS:
        yield row(f"A, {kind}", "test accuracy", reached[f"A, {kind}"])
    level = LEVEL / (len(LABELS) * len(STRATEGIES))
    for labels in LABELS:
        alone = {kind: reached[f"{kind}, {labels}, scratch"] for kind in NETWORKS}
        for kind, values in alone.items():
            yield row(f"{labels} labels, {kind} alone", "test accuracy", values)
        for strategy, words in STRATEGIES.items():
            gains = {
                kind: _minus(reached[f"{kind}, {labels}, {strategy}"], alone[kind])
                for kind in NETWORKS
            }
            for kind, values in gains.items():
                yield row(f"{labels} labels, {kind}, {words} − alone", "difference", values)
            table = Contrasts(
                {kind: dict(enumerate(values)) for kind, values in gains.items()},
                resolution=1 / n_test,
                level=level,
            )
            apart = table.between("convolutional", "dense")
            yield row(
                f"{labels} labels, {words}: gain of convolutional − gain of dense",
                "difference",
                _minus(gains["convolutional"], gains["dense"]),
                VERDICTS[apart.verdict(MARGIN) if apart else "open"],
            )


def _minus(some: tuple[float, ...], others: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(some, others, strict=True))
