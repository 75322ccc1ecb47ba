"""What does without a network, on the splits that the seeds of `compare` see: the best constant
answer, a linear model, gradient boosting. A network that is no better is not worth its trouble."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from warmstart.config.data import Splits
from warmstart.config.params import Params
from warmstart.data.split import resplit
from warmstart.data.task import Task
from warmstart.data.view import View
from warmstart.metrics import classification_scores, regression_scores
from warmstart.progress import Bar
from warmstart.records import Record, write_records
from warmstart.seeds import derive
from warmstart.stages.study import judged_by

Weights = Literal["none", "balanced"]
STEPS = 300
"""Of the linear model's solver, at most; digits take 60."""
LEARNING = ("linear", "gradient_boosting")
"""Those that more than the target is needed for."""
SMALLEST = 1e-12
"""Probability that stands for none: its logarithm is finite."""


def yardsticks(params: Params, data: Path, output: Path) -> None:
    """Measure them on the data in the folder that `prepare` wrote, as many seeds as the first round
    of `compare` has, and write `records.parquet` below `output`."""
    whole, options = View.read(data, "full"), params.compare
    metric = judged_by(options, whole.task)
    records = measured(
        whole,
        seeds=options.seeds,
        splits=params.data.drawn,
        root_seed=params.seed,
        metric=metric,
        weights=options.base.class_weight,
    )
    write_records(output / "records.parquet", records)
    print(f"yardsticks: {len(records)} models on {options.seeds} seeds")


def measured(
    whole: View,
    *,
    seeds: int,
    splits: Splits,
    root_seed: int,
    metric: str,
    weights: Weights = "none",
) -> tuple[Record, ...]:
    """A record of each yardstick on each seed, in one thread, the same whenever it is run.

    Args:
        whole: the samples as `prepare` has split them, which seed 0 sees.
        seeds: how many.
        splits: what the other seeds see, as `data.splits` of params.yaml.
        root_seed: of the splits and of every random number.
        metric: that decides.
        weights: of the classes in training. Where balanced accuracy decides they are balanced: a
            yardstick is to be the best that takes no effort.
    """
    import sklearn.ensemble  # noqa: F401  (the limit holds for the pools that are loaded by then)
    from threadpoolctl import threadpool_limits

    balanced = bool(whole.task.classes) and "balanced" in (weights, metric.split("_")[0])
    records: list[Record] = []
    count = 1 if splits == "fixed" else seeds
    with (
        threadpool_limits(1),
        warnings.catch_warnings(),
        Bar("yardsticks", 3 * count, "models", delay=1) as bar,
    ):
        # a linear model that has not quite converged is a yardstick all the same
        warnings.filterwarnings("ignore", module="sklearn", category=UserWarning)
        for number in range(count):
            task = resplit(whole, number, root_seed, splits).task
            for arm, model in _models(task, derive(root_seed, "yardsticks", number), balanced):
                bar.at(f"seed {number}, {arm.replace('_', ' ')}")
                weighted = {"class_weight": "balanced"} if balanced and arm in LEARNING else {}
                model.fit(task.x_train, task.y_train)
                record = Record(
                    stage="yardsticks",
                    study="",
                    arm=arm,
                    seed=number,
                    learning_rate=0.0,
                    settings={"splits": splits, "standardize": "true"} | weighted,
                    data_digest=whole.task.digest,
                    outcome="completed",
                    chosen=True,
                    metric=metric,
                    **_scores(model, task),
                )
                # on one split they do not differ from seed to seed
                alike = range(seeds) if splits == "fixed" else (number,)
                records += [replace(record, seed=seed) for seed in alike]
                bar.update()
        bar.at("")
    return tuple(records)


def _models(task: Task, seed: int, balanced: bool) -> Iterator[tuple[str, Any]]:
    from sklearn import dummy, ensemble, linear_model

    boosting: dict[str, Any] = {"early_stopping": False, "random_state": seed}
    if not task.classes:
        yield "mean", dummy.DummyRegressor()
        yield "linear", linear_model.Ridge()
        yield "gradient_boosting", ensemble.HistGradientBoostingRegressor(**boosting)
        return
    weights: dict[str, Any] = {"class_weight": "balanced" if balanced else None}
    yield "majority", dummy.DummyClassifier(strategy="prior")
    yield "linear", linear_model.LogisticRegression(max_iter=STEPS, **weights)
    yield "gradient_boosting", ensemble.HistGradientBoostingClassifier(**boosting, **weights)


def _scores(model: Any, task: Task) -> dict[str, Any]:
    """Epochs (one), validation and test of a fitted model, as the fields of a record."""
    found = {part: _score(model, task, part) for part in ("train", "validation", "test")}
    beside = "accuracy" if task.classes else "mae"
    epochs: dict[str, tuple[float, ...]] = {}
    for prefix, part in (("", "train"), ("val_", "validation")):
        loss, of_epoch, _ = found[part]
        epochs |= {f"{prefix}loss": (loss,), f"{prefix}{beside}": (of_epoch,)}
    loss, _, metrics = found["test"]
    return {
        "epochs": epochs,
        "validation": {f"val_{name}": value for name, value in found["validation"][2].items()},
        "test": {"test_loss": loss} | {f"test_{name}": value for name, value in metrics.items()},
    }


def _score(model: Any, task: Task, part: str) -> tuple[float, float, dict[str, float]]:
    """Loss, and accuracy or mean absolute error of the standardized target, as training measures
    them; every metric."""
    x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}")
    if task.classes:
        metrics = classification_scores(y, _logits(model.predict_proba(x)))
        return metrics["log_loss"], metrics["accuracy"], metrics
    guess = np.asarray(model.predict(x), np.float64)
    plain = regression_scores(y, guess)
    metrics = regression_scores(task.raw_target(y), task.raw_target(guess))
    return plain["rmse"] ** 2, plain["mae"], metrics


def _logits(chances: NDArray[np.floating]) -> NDArray[np.float32]:
    """`(n, classes)`: probabilities that a softmax gives back."""
    return np.log(np.clip(chances, SMALLEST, None)).astype(np.float32)
