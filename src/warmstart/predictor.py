"""A trained network that takes rows as its user has them, and gives names with probabilities, or
numbers. This file imports nothing of the package: a model that is served elsewhere takes it along.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_ROWS = 8192  # so many at a time


def answer(classes: Iterable[Any]) -> str:
    """What the column with the most probable label is called: `prediction`, unless that is one of
    `classes`."""
    name, taken = "prediction", {str(label) for label in classes}
    while name in taken:
        name += "_"
    return name


class Predictor:
    """A network behind everything that its samples went through.

    Args:
        network: a Keras model: features `(n, features)` float32 to logits `(n, classes)`, or to
            standardized numbers `(n, 1)`.
        raw: a frame to raw values `(n, raw features)`; None: samples are arrays.
        names: of the frame's columns, in the order of the training data.
        preprocess: raw values to features.
        shape: of one sample of an array.
        classes: `(classes,)` labels in the order of the logits; empty: a number is predicted.
        target: what the number is called, its mean and its deviation in training.
    """

    def __init__(
        self,
        network: Any,
        *,
        raw: Callable[[pd.DataFrame], NDArray[np.float64]] | None,
        names: Sequence[str],
        preprocess: Callable[[NDArray[Any]], NDArray[np.float32]],
        shape: Sequence[int],
        classes: NDArray[Any] | Sequence[Any],
        target: tuple[str, float, float],
    ) -> None:
        self.network = network
        """The plain Keras model, for `fit` and `evaluate` on `features`."""
        self.classes_ = np.asarray(classes)
        self._raw, self._names, self._preprocess = raw, list(names), preprocess
        self._shape, self._target = tuple(shape), target

    def features(self, rows: Any) -> NDArray[np.float32]:
        """What the network sees of `rows`: `(n, features)`.

        Args:
            rows: a frame or mapping with the columns of the training data, in any order, with or
                without gaps; or an array `(n, …)` of any type of numbers, its columns in the
                order of the training data.

        Raises:
            ValueError: if columns are missing or hold something else, or samples have another
                shape; one line per problem.
        """
        raw = self._table(rows) if self._raw else self._array(rows)
        if not len(raw):  # which scikit-learn refuses
            return np.empty((0, self.network.input_shape[-1]), np.float32)
        return self._preprocess(raw)

    def predict(self, rows: Any, verbose: int = 0) -> pd.DataFrame:
        """One row for each of `rows` (see `features`): `prediction`, the most probable label (see
        `answer`), and a column for each label with its probability; of a regression the number in
        its own unit, under the name of the target. Indexed as `rows` if they are a frame.

        Args:
            verbose: whether Keras shows its progress where rows are many, as in
                `keras.Model.predict`.
        """
        features = self.features(rows)
        if len(features) > _ROWS:
            outputs = self.network.predict(features, batch_size=_ROWS, verbose=verbose)
        else:  # without the pipeline that `predict` builds, which takes 0.1 s
            outputs = np.array(self.network(features, training=False))
        index = rows.index if isinstance(rows, pd.DataFrame) else None
        name, mean, deviation = self._target
        if not len(self.classes_):
            numbers = outputs[:, 0].astype(np.float64) * deviation + mean
            return pd.DataFrame({name: numbers}, index=index)
        chances = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        table = pd.DataFrame(chances, columns=list(self.classes_), index=index)
        table.insert(0, answer(self.classes_), self.classes_[outputs.argmax(axis=1)])
        return table

    def _table(self, rows: Any) -> NDArray[np.float64]:
        assert self._raw
        if isinstance(rows, Mapping):
            rows = pd.DataFrame(rows)
        if not isinstance(rows, pd.DataFrame):
            array = np.asarray(rows, None if hasattr(rows, "dtype") else object)
            if array.ndim != 2 or array.shape[1] != len(self._names):
                raise ValueError(
                    f"rows: expected a frame, or an array of shape (rows, {len(self._names)}) "
                    f"with the columns {', '.join(self._names)}, received shape {array.shape}"
                )
            rows = pd.DataFrame(array, columns=self._names)
            if array.dtype == object:
                rows = rows.infer_objects()
        return self._raw(rows)

    def _array(self, rows: Any) -> NDArray[np.float64]:
        if isinstance(rows, pd.DataFrame):
            rows = rows.to_numpy(np.float64, na_value=np.nan)
        if isinstance(rows, np.ma.MaskedArray):
            rows = np.ma.filled(rows.astype(np.float64), np.nan)
        array = np.asarray(rows)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"rows: expected numbers, received dtype {array.dtype}; convert them")
        flat = int(np.prod(self._shape))
        if array.ndim < 1 or array.shape[1:] not in (self._shape, (flat,)):
            raise ValueError(
                f"rows: expected samples of shape {self._shape}, received {array.shape[1:]}; "
                "reshape them"
            )
        array = array.reshape(len(array), flat).astype(np.float64)
        if wrong := int((~np.isfinite(array)).any(axis=1).sum()):
            raise ValueError(
                f"rows: expected finite numbers, as in training, received {wrong} rows with NaN or "
                "infinite ones; fill them or drop the rows"
            )
        return array
