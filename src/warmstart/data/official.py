"""A test set that came with the data is kept as the test part."""

import numpy as np
from numpy.typing import NDArray

from warmstart.config.data import Data
from warmstart.data.dataset import Dataset
from warmstart.data.naming import some
from warmstart.errors import InputError


def sizes(dataset: Dataset, data: Data) -> NDArray[np.int64]:
    """How many samples of each class train, validate and test: `(parts, classes)`.

    Those of the test set test. `data.validation_fraction` of all samples of a class, rounded, at
    least one, validate and are taken from the others; the rest trains.

    Raises:
        InputError: if the data came without a test set, or a class would be missing in a part.
    """
    names = dataset.class_names
    if not dataset.n_test:
        raise InputError(
            f"data.splits: expected resampled or fixed, since {dataset.name} came without a test "
            "set, received official; change it, or add the test set as docs/data.md says"
        )
    if not names:
        return _halves(dataset, data)
    every = np.bincount(dataset.y, minlength=len(names))
    test = np.bincount(dataset.y[-dataset.n_test :], minlength=len(names))
    others = every - test
    if few := [
        f"{test[label]} and {others[label]} of {name!r}"
        for label, name in enumerate(names)
        if test[label] < 1 or others[label] < 2
    ]:
        where, instead = "data.splits: expected for official", "choose resampled"
        if data.order:
            where, instead = (
                f"data.order: expected in the order of {data.order!r}",
                "set it to null",
            )
        raise InputError(
            f"{where} 1 sample of every class or more in the test set and 2 or more outside it, "
            f"received {some(few, quote=False)}; add samples, remove the class, or {instead}"
        )
    validation = np.maximum(1, np.rint(data.validation_fraction * every).astype(np.int64))
    if few := [
        f"{validation[label]} of the {others[label]} of {name!r}"
        for label, name in enumerate(names)
        if validation[label] >= others[label]
    ]:
        raise InputError(
            "data.validation_fraction: expected a share of all samples that leaves one of every "
            "class outside the test set to train on, received "
            f"{data.validation_fraction:g}, which takes {some(few, quote=False)}; lower it"
        )
    return np.stack([others - validation, validation, test])


def _halves(dataset: Dataset, data: Data) -> NDArray[np.int64]:
    """As `sizes` of a regression: `(parts, 1)`."""
    n, test = len(dataset.y), dataset.n_test
    validation = max(1, round(data.validation_fraction * n))
    if validation >= n - test:
        raise InputError(
            "data.validation_fraction: expected a share of all samples that leaves one outside the "
            f"test set to train on, received {data.validation_fraction:g}, which takes "
            f"{validation} of {n - test}; lower it"
        )
    return np.array([[n - test - validation], [validation], [test]])
