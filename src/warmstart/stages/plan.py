"""What becomes of the data and of the settings on them: known before anything is written."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from warmstart.config.params import Params
from warmstart.config.spending import beyond, too_large
from warmstart.config.transfer import Transfer
from warmstart.data import fitting
from warmstart.data.dataset import Dataset
from warmstart.data.split import no_transfer, rows, task_labels
from warmstart.data.view import Parts
from warmstart.data.warnings import warnings
from warmstart.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The first split, and the tasks."""

    parts: Parts
    labels: dict[str, list[int]]
    """Task -> its labels in the dataset: `full`, and where there is a model B `a` and `b`."""
    no_transfer: str | None
    """Why there is none."""
    counts: fitting.Counts | None
    """Of a dataset with a model B."""
    warnings: tuple[str, ...]
    """What could leak, or says nothing: a line each."""


def planned(dataset: Dataset, params: Params) -> Plan:
    """What the stages make of `dataset`.

    Raises:
        InputError: with every parameter that does not fit the data.
    """
    transfer, names = params.transfer, dataset.class_names
    if misfits := params.compare.misfits(dataset.kind):
        raise InputError(*(f"compare.{line}" for line in misfits))
    if problems := list(_beyond(dataset, params)):
        raise InputError(*problems)
    labels = {"full": list(range(len(names)))}
    counts: fitting.Counts | None = None
    reason = no_transfer(transfer, names)
    if transfer and not reason:
        labels = task_labels(transfer, names, dataset.y)
    parts = rows(dataset, params.data, params.seed)
    if transfer and "b" in labels:
        train = np.bincount(dataset.y[parts["train"]], minlength=len(names))
        counts = fitting.Counts(class_names=names, train=train.tolist(), task_b=labels["b"])
        if reason := _no_labels(transfer, counts):
            labels, counts = {"full": labels["full"]}, None
        else:
            fitting.check(params, counts, dataset.shape)
    return Plan(
        parts=parts,
        labels=labels,
        no_transfer=reason,
        counts=counts,
        warnings=tuple(warnings(dataset, params.seed)),
    )


def _beyond(dataset: Dataset, params: Params) -> Iterator[str]:
    """What settings come to on these data is more than may be: a line each."""
    shape, outputs = dataset.shape, max(len(dataset.class_names), 1)
    arms = {"pretrain.network": params.pretrain.network} | {
        f"compare.studies.{study}.{name}": arm
        for study in params.compare.studies
        for name, arm in params.compare.arms(study).items()
    }
    for where, arm in arms.items():
        resolved = arm.resolve(shape, where)
        network, units = resolved.network, (*resolved.hidden, outputs)
        flat = network.flat(math.prod(shape))
        yield from too_large(f"{where}.hidden", (flat, *units), network.weights)
    transfer = params.transfer
    if transfer and transfer.all_pairs:
        yield from beyond(
            "transfer.task_b: all_pairs",
            arms=2 * math.comb(len(dataset.class_names), 2),
            rates=len(transfer.learning_rates),
            seeds=transfer.seeds,
            epochs=transfer.epochs,
        )


def _no_labels(transfer: Transfer, counts: fitting.Counts) -> str | None:
    """Why there is no model B, where nobody chose its classes and the likeliest are too small."""
    asked_for = transfer.a or not transfer.automatic
    if asked_for or not any(fitting.label_problems(transfer, counts)):
        return None
    names = " and ".join(counts.class_names[label] for label in counts.task_b)
    most = max([transfer.train_size, *(n for n in transfer.label_counts if n != "all")])
    return (
        f"task B, {names}, has {counts.size(counts.task_b)} samples to train on, where "
        f"transfer.train_size and label_counts ask for up to {most}"
    )
