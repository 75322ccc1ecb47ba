"""A task with what leads to it from raw values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from warmstart.data import encoder
from warmstart.data.columns import Column
from warmstart.data.dataset import Dataset
from warmstart.data.images import sample_shape
from warmstart.data.standardization import Standardization
from warmstart.data.task import PARTS, Task

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

Parts = dict[str, NDArray[np.int64]]
"""The rows of a dataset in each of PARTS, in the order in which a task holds them."""
_PART = "rows_"
_ROWS = 1 << 16
"""So many at a time, where all at once would be copied several times in float64."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Preprocessing:
    """From raw values to features, fitted on the training part of one split."""

    columns: tuple[Column, ...]
    """Of a table; empty: features are the raw values."""
    encoder: "ColumnTransformer | None"
    """Of the columns, see `data.encoder.fit`; None where there are none."""
    standardization: Standardization

    @classmethod
    def of(
        cls,
        x: NDArray[np.floating],
        rows: NDArray[np.int64],
        columns: tuple[Column, ...],
        channels: int | None = None,
    ) -> Self:
        """That of the training samples, `rows` of `x (n, raw features)`; `channels` as
        `Standardization.of`."""
        made = encoder.fit(x, rows, columns) if columns else None
        plain = cls(columns=columns, encoder=made, standardization=Standardization.none(0))
        pieces = (plain.features(x[some]) for some in _pieces(rows))
        scaled = encoder.scaled(columns) if columns else None
        return replace(plain, standardization=Standardization.of(pieces, scaled, channels))

    def features(self, x: NDArray[np.floating]) -> NDArray[np.floating]:
        """Raw `x (n, raw features)` as `(n, features)`: filled and spread out."""
        return x if self.encoder is None else self.encoder.transform(x)

    def apply(
        self, x: NDArray[np.floating], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Raw `x (n, raw features)`, or `rows` of it, as standardized `(n, features)`."""
        rows = np.arange(len(x)) if rows is None else rows
        made = np.empty((len(rows), len(self.standardization.mean)), np.float32)
        for start, some in zip(range(0, len(rows), _ROWS), _pieces(rows), strict=True):
            made[start : start + _ROWS] = self.standardization.apply(self.features(x[some]))
        return made

    def raw(self) -> "Preprocessing":
        """The same without standardization."""
        return replace(self, standardization=Standardization.none(len(self.standardization.mean)))


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """The samples of a dataset in the parts of one split, as features."""

    task: Task
    dataset: Dataset
    parts: Parts
    wanted: NDArray[np.int64]
    """`(parts, classes)`: how many there would be if no rows belonged together."""
    channels: int | None = None
    """Of images that are standardized by channel; None: every feature by itself."""
    fitted: Preprocessing | None = None
    """None: fitted when it is asked for."""

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """From raw values to the features of the task."""
        return self.fitted or Preprocessing.of(
            self.dataset.x, self.parts["train"], self.dataset.columns, self.channels
        )

    @property
    def standardization(self) -> Standardization:
        """The last step of `preprocessing`."""
        return self.preprocessing.standardization

    @classmethod
    def of(
        cls,
        name: str,
        dataset: Dataset,
        parts: Parts,
        wanted: NDArray[np.int64],
        channels: int | None = None,
    ) -> Self:
        """The task `name` of these rows, standardized by those that train."""
        fitted = Preprocessing.of(dataset.x, parts["train"], dataset.columns, channels)
        return cls(
            task=_task(name, dataset, parts, fitted),
            dataset=dataset,
            parts=parts,
            wanted=wanted,
            channels=channels,
            fitted=fitted,
        )

    def write(self, folder: Path) -> None:
        """Into `folder` the task, under its name, the raw dataset with the parts, and the
        standardization."""
        self.task.write(folder / f"{self.task.name}.npz")
        self.preprocessing.standardization.write(folder / "standardize.npz")
        parts = {f"{_PART}{part}": rows for part, rows in self.parts.items()}
        channels = np.array(self.channels or 0)
        more = {"wanted": self.wanted, "channels": channels} | parts
        self.dataset.write(folder / "dataset.npz", **more)

    @classmethod
    def read(cls, prepared: Path, name: str) -> Self:
        """The task `name` in the folder that `prepare` wrote.

        Raises:
            InputError: as `Task.read`.
        """
        dataset, more = Dataset.read(prepared / "dataset.npz")
        wanted, channels = more.pop("wanted"), int(more.pop("channels")) or None
        parts = {key.removeprefix(_PART): rows for key, rows in more.items()}
        fitted = None
        if not dataset.columns:
            own = Standardization.read(prepared / "standardize.npz")
            fitted = Preprocessing(columns=(), encoder=None, standardization=own)
        task = Task.read(prepared / f"{name}.npz")
        return cls(
            task=task,
            dataset=dataset,
            parts=parts,
            wanted=wanted,
            channels=channels,
            fitted=fitted,
        )

    def only(self, name: str, class_names: Sequence[str]) -> "View":
        """The samples of the classes `class_names`, standardized as they are here."""
        classes = [self.task.class_names.index(each) for each in class_names]
        return replace(self, task=self.task.only(name, classes))

    def raw(self) -> "View":
        """These samples as features that are not standardized."""
        name, plain = f"{self.task.name}_raw", self.preprocessing.raw()
        made = replace(self, task=_task(name, self.dataset, self.parts, plain), fitted=plain)
        if made.task.class_names == self.task.class_names:
            return made
        return made.only(name, self.task.class_names)


def _pieces(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))


def _task(name: str, dataset: Dataset, parts: Parts, preprocessing: Preprocessing) -> Task:
    arrays: dict[str, Any] = {
        f"x_{part}": preprocessing.apply(dataset.x, parts[part]) for part in PARTS
    }
    target = (0.0, 1.0)
    y = dataset.y
    if not dataset.class_names:
        own = y[parts["train"]]
        target = (float(own.mean()), float(own.std()) or 1.0)
        y = ((y - target[0]) / target[1]).astype(np.float32)
    arrays |= {f"y_{part}": y[parts[part]] for part in PARTS}
    shape = sample_shape(dataset.feature_shape, arrays["x_train"].shape[1])
    return Task.of(name=name, class_names=dataset.class_names, target=target, shape=shape, **arrays)
