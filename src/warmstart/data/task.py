"""A task as the later stages read it: standardized arrays in one file."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from warmstart.data.dataset import content_digest
from warmstart.errors import InputError
from warmstart.files import replacing

_ARRAYS = ("x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test")


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Samples to train, to validate and to test a network with."""

    name: str
    """`full`: every class; `a`: all but the chosen ones; `b`: the chosen ones."""
    x_train: NDArray[np.float32]
    """`(n_train, features)`."""
    y_train: NDArray[np.int32]
    """`(n_train,)`, each in `range(classes)`."""
    x_validation: NDArray[np.float32]
    y_validation: NDArray[np.int32]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int32]
    class_names: tuple[str, ...]
    digest: str
    """Of the arrays and the class names."""

    @classmethod
    def of(cls, *, name: str, class_names: tuple[str, ...], **arrays: NDArray) -> Self:
        """The task made of `x_train`, `y_train`, `x_validation`, … with its digest."""
        return cls(
            name=name,
            class_names=class_names,
            digest=content_digest({key: arrays[key] for key in _ARRAYS}, class_names),
            **arrays,
        )

    def only(self, name: str, classes: Sequence[int], *, validation: int | None = None) -> "Task":
        """The samples of `classes`, in the order they have here; positions in `classes` are their
        labels. Of those to validate with no more than the first `validation`."""
        labels = np.full(self.classes, -1, np.int32)
        labels[list(classes)] = np.arange(len(classes))
        arrays: dict[str, NDArray] = {}
        for part in ("train", "validation", "test"):
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
        return len(self.class_names)

    def write(self, path: Path) -> None:
        """A .npz without pickles: the same bytes for the same task, whenever it is written."""
        # not compressed: other versions of zlib give other bytes, and every trial reads this
        with replacing(path) as unfinished:
            np.savez(
                unfinished,
                **{key: getattr(self, key) for key in _ARRAYS},
                class_names=np.array(self.class_names),
                name=np.array(self.name),
                digest=np.array(self.digest),
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """The task that `write` wrote to `path`.

        Raises:
            InputError: when there is no such file, or it is none that `write` wrote.
        """
        try:
            # opened here: NumPy does not close what it cannot read
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return cls(
                    **{key: file[key] for key in _ARRAYS},
                    class_names=tuple(str(name) for name in file["class_names"]),
                    name=str(file["name"]),
                    digest=str(file["digest"]),
                )
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path}: expected a task that the stage prepare wrote, received "
                f"{type(error).__name__}: {error}; run `dvc repro prepare`"
            ) from None
