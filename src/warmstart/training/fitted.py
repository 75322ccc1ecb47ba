"""Trials whose head is fitted as a whole (`heads`) on what a pretrained network puts out below its
own head. They see the labels that other trials of their seed see."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from warmstart.data.draw import draw
from warmstart.data.task import PARTS, Task
from warmstart.metrics import classification_scores
from warmstart.networks import transfer
from warmstart.seeds import generator
from warmstart.training import heads, scores
from warmstart.training.outcomes import Result
from warmstart.training.shared import Source, build
from warmstart.training.trials import Cohort, Trial

AT_ONCE = 1_000
"""Samples of which features are computed together."""


def train(cohort: Cohort, trial: Trial, task: Task) -> tuple[Result, list[NDArray]]:
    """The result of `trial` on its split, `task`, with one epoch, and values of `model.variables`:
    none of a head that is no layer."""
    model, seen = _features(cohort, trial, task)
    began = time.process_time()
    head = _head(cohort, trial, seen)
    seconds = time.process_time() - began
    parts = {part: head.logits(getattr(seen, f"x_{part}")) for part in ("train", "validation")}
    found = {part: classification_scores(getattr(seen, f"y_{part}"), parts[part]) for part in parts}
    epochs: dict[str, tuple[float, ...]] = {
        f"{prefix}{name}": (found[part][metric],)
        for prefix, part in (("", "train"), ("val_", "validation"))
        for name, metric in (("loss", "log_loss"), ("accuracy", "accuracy"))
    }
    last = {metric: value for metric, (value, *_) in epochs.items()}
    chosen = scores.validated(cohort.metric, seen, last, lambda: parts["validation"])
    weights: list[NDArray] = []
    if isinstance(head, heads.Linear):
        model.layers[-1].set_weights([head.kernel, head.bias])
        weights = [np.array(variable) for variable in model.variables]
    result = Result(
        key=cohort.key(trial),
        outcome="completed",
        epochs=epochs,
        samples=len(seen.y_train),
        train_seconds=seconds,
        validation=chosen | head.chosen,
    )
    return result, weights


def tested(cohort: Cohort, trial: Trial, task: Task) -> dict[str, float]:
    """As `scores.tested`, of a head that is fitted again."""
    _, seen = _features(cohort, trial, task)
    found = classification_scores(seen.y_test, _head(cohort, trial, seen).logits(seen.x_test))
    return {"test_loss": found["log_loss"]} | {f"test_{name}": v for name, v in found.items()}


def _head(cohort: Cohort, trial: Trial, seen: Task) -> heads.Head:
    """Fitted on the training samples of `seen`, chosen on its validation samples."""
    from threadpoolctl import threadpool_limits

    known = seen.x_train, seen.y_train, seen.x_validation, seen.y_validation
    with threadpool_limits(1):
        if cohort.fitted == "knn":
            return heads.nearest(*known, metric=cohort.metric)
        weights = trial.network.class_weight
        return heads.linear(*known, metric=cohort.metric, class_weight=weights)


def _features(cohort: Cohort, trial: Trial, task: Task) -> tuple[keras.Model, Task]:
    """The network of `trial` with what it copies, and `task` as its head sees it, with the training
    samples that are drawn for it."""
    source = cohort.source(trial)
    assert source
    model = build(cohort, task, trial.network)
    if trial.labels is not None:
        labels = generator(cohort.root_seed, "labels", trial.seed)
        rows = draw(task.y_train, trial.labels, labels)
        task = replace(task, x_train=task.x_train[rows], y_train=task.y_train[rows])
    if cohort.on_features:
        return model, task
    transfer.copy(Source.read(source).model, model, cohort.copied, cohort.not_copied)
    below = keras.Model(model.inputs[0], model.layers[-1].input)

    def pieces(x: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(x), AT_ONCE):
            yield np.array(below(x[start : start + AT_ONCE], training=False))

    seen: dict[str, Any] = {
        f"x_{part}": np.concatenate([*pieces(getattr(task, f"x_{part}"))]) for part in PARTS
    }
    return model, replace(task, **seen)
