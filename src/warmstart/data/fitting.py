"""Whether parameters fit the data: known once the classes are counted, before anything trains.

Pure functions of parameters and counts, for whoever knows the counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np

from warmstart.config.network import Network
from warmstart.config.params import Params, asked
from warmstart.config.transfer import Transfer
from warmstart.data.pretext import is_square
from warmstart.data.task import Task
from warmstart.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many samples train, in one split; in those of other seeds there are as many."""

    class_names: Sequence[str]
    train: Sequence[int]
    """Of each class, in the order of `class_names`."""
    task_b: Sequence[int]
    """The classes of task B, as positions in `class_names`."""

    @classmethod
    def of(cls, task: Task, task_b: Sequence[int]) -> Self:
        counts = np.bincount(task.y_train, minlength=task.classes)
        return cls(class_names=task.class_names, train=counts.tolist(), task_b=task_b)

    def size(self, classes: Sequence[int]) -> int:
        """Training samples of `classes` together."""
        return sum(self.train[label] for label in classes)


def check(params: Params, counts: Counts, shape: Sequence[int]) -> None:
    """Pass where every stage can run on such data.

    Args:
        params: of the run.
        counts: of the full task.
        shape: of one sample, as `Task.shape`.

    Raises:
        InputError: with one line for each parameter that does not fit.
    """
    problems = [
        *label_problems(asked(params), counts),
        *method_problems(params.autoencode.methods, shape),
    ]
    if problems:
        raise InputError(*problems)


def label_problems(transfer: Transfer, counts: Counts) -> Iterator[str]:
    """One line for each number of labels that is larger than what task B trains on; where every
    pair of classes is a task B, `train_size` must not exceed what the smallest one trains on."""
    wanted = {"train_size": transfer.train_size}
    wanted |= {f"label_counts.{i}": n for i, n in enumerate(transfer.label_counts) if n != "all"}
    for key, labels in wanted.items():
        classes: Sequence[int] = counts.task_b
        if transfer.all_pairs and key == "train_size":
            classes = min(combinations(range(len(counts.train)), 2), key=counts.size)
        if labels > (available := counts.size(classes)):
            names = " and ".join(counts.class_names[label] for label in classes)
            yield (
                f"transfer.{key}: expected at most {available}, the training samples of {names}, "
                f"received {labels}; lower it"
            )


def method_problems(methods: Sequence[str], shape: Sequence[int]) -> Iterator[str]:
    """One line if none of `autoencode.methods` suits the samples: rotation takes square images, and
    is left out for others."""
    if set(methods) == {"rotation"} and not is_square(shape):
        yield (
            "autoencode.methods: expected stacked or denoising for samples of shape "
            f"{list(shape)}, received {list(methods)}; rotation takes square images, add "
            "another method"
        )


def unsuited(
    methods: Sequence[str], shape: Sequence[int], network: Network
) -> Iterator[tuple[str, str]]:
    """Each of `methods` that does not suit the samples or the resolved `network`, and why."""
    for method in methods:
        if method == "rotation" and not is_square(shape):
            received = list(shape)
            yield method, f"rotation takes square images, it is left out for shape {received}"
        if method != "rotation" and network.is_convolutional:
            yield method, f"{method} takes dense networks, it is left out for {network.name} ones"


def remarks(params: Params, counts: Counts, shape: Sequence[int]) -> Iterator[str]:
    """One line for each parameter that does not fit and does no harm: what happens instead."""
    every, transfer = range(len(counts.train)), asked(params)
    a = [label for label in every if label not in counts.task_b]
    batches = {
        "pretrain": (params.pretrain.batch_size, counts.size(a)),
        "autoencode": (params.autoencode.batch_size, counts.size(every)),
        "transfer": (transfer.batch_size, transfer.train_size),
        "compare": (params.compare.batch_size, counts.size(every)),
    }
    for section, (batch, samples) in batches.items():
        if batch > samples:
            yield (
                f"{section}.batch_size: {batch} is more than the {samples} samples that train, a "
                "step takes all of them"
            )
    methods = params.autoencode.methods
    network = params.pretrain.network.resolve(shape, "pretrain.network").network
    for _, reason in unsuited(methods, shape, network):
        yield f"autoencode.methods: {reason}"
