"""A task as trials see it: standardized samples to train, to validate and to test with."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from warmstart.data.dataset import content_digest
from warmstart.errors import InputError
from warmstart.files import replacing
from warmstart.metrics import Kind, kind_of

PARTS = ("train", "validation", "test")
# what NumPy and zipfile raise on bytes that are not what the headers promise
_CORRUPT = (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile)
_ARRAYS = tuple(f"{kind}_{part}" for part in PARTS for kind in ("x", "y"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Standardization:
    """`(x - mean) / scale`, feature by feature."""

    mean: NDArray[np.float64]
    """`(features,)`."""
    scale: NDArray[np.float64]
    """`(features,)`: the standard deviation (divided by n), or 1 where a feature is constant."""

    @classmethod
    def of(cls, x: NDArray[np.floating]) -> Self:
        """The statistics of `x (n, features)`: of training samples, and of nothing else."""
        # scikit-learn takes a second to import; it recognizes constants in spite of rounding
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(x)
        return cls(mean=np.asarray(scaler.mean_), scale=np.asarray(scaler.scale_))

    @classmethod
    def none(cls, features: int) -> Self:
        """The one that leaves values as they are."""
        return cls(mean=np.zeros(features), scale=np.ones(features))

    def apply(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """`x (n, features)` standardized: a new array."""
        return ((x - self.mean) / self.scale).astype(np.float32)

    def undo(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The raw values of standardized `x (n, features)`."""
        return x * self.scale + self.mean

    def write(self, path: Path) -> None:
        """A .npz with `mean` and `scale`."""
        with replacing(path) as unfinished:
            np.savez(unfinished, mean=self.mean, scale=self.scale)

    @classmethod
    def read(cls, path: Path) -> Self:
        with np.load(path, allow_pickle=False) as file:
            return cls(mean=file["mean"], scale=file["scale"])


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Samples to train, to validate and to test a network with."""

    name: str
    """`full`: every class; `a`: all but the chosen ones; `b`: the chosen ones."""
    x_train: NDArray[np.float32]
    """`(n_train, features)`."""
    y_train: NDArray
    """`(n_train,)`: int32, each in `range(classes)`; of a regression float32, in `target`."""
    x_validation: NDArray[np.float32]
    y_validation: NDArray
    x_test: NDArray[np.float32]
    y_test: NDArray
    class_names: tuple[str, ...]
    """Empty: a regression."""
    digest: str
    """SHA-256 of the arrays and the class names."""
    target: tuple[float, float] = (0.0, 1.0)
    """Of a regression, the mean and the standard deviation of the raw target in the training part,
    by which it is standardized: y · deviation + mean is the raw value."""

    @classmethod
    def of(
        cls,
        *,
        name: str,
        class_names: tuple[str, ...],
        target: tuple[float, float] = (0.0, 1.0),
        **arrays: Any,
    ) -> Self:
        """The task made of `x_train`, `y_train`, `x_validation`, … with its digest."""
        content: dict[str, NDArray] = {key: arrays[key] for key in _ARRAYS}
        if not class_names:
            content["target"] = np.array(target)
        digest = content_digest(content, class_names)
        return cls(name=name, class_names=class_names, digest=digest, target=target, **arrays)

    def only(self, name: str, classes: Sequence[int], *, validation: int | None = None) -> "Task":
        """The samples of `classes`, in the order they have here; positions in `classes` are their
        labels. At most the first `validation` of them validate."""
        labels = np.full(self.classes, -1, np.int32)
        labels[list(classes)] = np.arange(len(classes))
        arrays: dict[str, Any] = {}
        for part in PARTS:
            y = labels[getattr(self, f"y_{part}")]
            rows = np.flatnonzero(y >= 0)[: validation if part == "validation" else None]
            arrays |= {f"x_{part}": getattr(self, f"x_{part}")[rows], f"y_{part}": y[rows]}
        names = tuple(self.class_names[label] for label in classes)
        return Task.of(name=name, class_names=names, **arrays)

    @property
    def features(self) -> int:
        return self.x_train.shape[1]

    @property
    def classes(self) -> int:
        """0: a regression."""
        return len(self.class_names)

    @property
    def kind(self) -> Kind:
        return kind_of(self.classes)

    @property
    def outputs(self) -> int:
        """Units of the output layer: a logit for each class, or the number."""
        return self.classes or 1

    def raw_target(self, y: NDArray) -> NDArray[np.float64]:
        """Standardized targets or predictions `(n,)` of a regression in the target's own unit."""
        mean, deviation = self.target
        return y.astype(np.float64) * deviation + mean

    def write(self, path: Path) -> None:
        """A .npz without pickles: the same bytes for the same task, whenever it is written."""
        own: dict[str, Any] = {} if self.classes else {"target": np.array(self.target)}
        # not compressed: other versions of zlib give other bytes, and every trial reads this
        with replacing(path) as unfinished:
            np.savez(
                unfinished,
                **{key: getattr(self, key) for key in _ARRAYS},
                class_names=np.array(self.class_names, np.str_),
                name=np.array(self.name),
                digest=np.array(self.digest),
                **own,
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """The task that `write` wrote to `path`.

        Raises:
            InputError: if there is no such file, or it is none that `write` wrote.
        """
        try:
            # opened here: NumPy does not close what it cannot read
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                mean, deviation = file["target"].tolist() if "target" in file else (0.0, 1.0)
                return cls(
                    **{key: file[key] for key in _ARRAYS},
                    class_names=tuple(str(name) for name in file["class_names"]),
                    name=str(file["name"]),
                    digest=str(file["digest"]),
                    target=(mean, deviation),
                )
        except _CORRUPT as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{path}: expected a task that the stage prepare wrote, received "
                f"{type(error).__name__}: {reason}; run `dvc repro prepare`"
            ) from None


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A task with what leads back to raw values, standardized or raw."""

    task: Task
    standardization: Standardization
    """From raw values to those of the task."""

    @classmethod
    def read(cls, prepared: Path, name: str) -> Self:
        """The task `name` in the folder that `prepare` wrote.

        Raises:
            InputError: as `Task.read`.
        """
        return cls(
            task=Task.read(prepared / f"{name}.npz"),
            standardization=Standardization.read(prepared / "standardize.npz"),
        )

    def only(self, name: str, class_names: Sequence[str]) -> "View":
        """The samples of the classes `class_names`, standardized as they are here."""
        classes = [self.task.class_names.index(each) for each in class_names]
        return replace(self, task=self.task.only(name, classes))

    def raw(self) -> "View":
        """These samples before they were standardized, but for rounding."""
        arrays = {key: getattr(self.task, key) for key in _ARRAYS}
        for key in ("x_train", "x_validation", "x_test"):
            arrays[key] = self.standardization.undo(arrays[key]).astype(np.float32)
        name, names = f"{self.task.name}_raw", self.task.class_names
        return View(
            task=Task.of(name=name, class_names=names, **arrays),
            standardization=Standardization.none(self.task.features),
        )
