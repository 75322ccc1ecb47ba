"""What becomes of the data and of the settings on them: known before anything is written."""

from dataclasses import dataclass

import numpy as np

from warmstart.config.params import Params
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
    labels = {"full": list(range(len(names)))}
    counts: fitting.Counts | None = None
    reason = no_transfer(transfer, names)
    if transfer and not reason:
        labels = task_labels(transfer, names, dataset.y)
    parts = rows(dataset, params.data, params.seed)
    if transfer and not reason:
        train = np.bincount(dataset.y[parts["train"]], minlength=len(names))
        counts = fitting.Counts(class_names=names, train=train.tolist(), task_b=labels["b"])
        problems = list(fitting.label_problems(transfer, counts))
        if transfer.automatic and problems:  # nobody asked for these classes
            reason = f"task B has too few samples: {problems[0]}"
            labels, counts = {"full": labels["full"]}, None
        else:
            fitting.check(params, counts, dataset.feature_shape)
    return Plan(
        parts=parts,
        labels=labels,
        no_transfer=reason,
        counts=counts,
        warnings=tuple(warnings(dataset, params.seed)),
    )
