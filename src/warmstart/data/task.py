"""A task as trials see it: standardized samples to train, to validate and to test with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from warmstart.data.digest import content_digest
from warmstart.files import intact, read_arrays, replacing
from warmstart.metrics import Kind, kind_of

PARTS = ("train", "validation", "test")
_ARRAYS = tuple(f"{kind}_{part}" for part in PARTS for kind in ("x", "y"))


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
    shape: tuple[int, ...]
    """Of one sample: `(features,)`, or `(height, width, channels)` of images."""
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
        shape: tuple[int, ...] = (),
        **arrays: Any,
    ) -> Self:
        """The task made of `x_train`, `y_train`, `x_validation`, … with its digest; `shape` is that
        of one sample, if it is an image."""
        content: dict[str, NDArray] = {key: arrays[key] for key in _ARRAYS}
        if not class_names:
            content["target"] = np.array(target)
        digest = content_digest(content, class_names)
        shape = shape or arrays["x_train"].shape[1:]
        about: dict[str, Any] = {"shape": shape, "target": target, "digest": digest}
        return cls(name=name, class_names=class_names, **about, **arrays)

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
        return Task.of(name=name, class_names=names, shape=self.shape, **arrays)

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

    def write(self, path: Path, *, lasting: bool = True) -> None:
        """A .npz without pickles: the same bytes for the same task, whenever it is written.
        `lasting` as `files.replacing`."""
        own: dict[str, Any] = {} if self.classes else {"target": np.array(self.target)}
        # not compressed: other versions of zlib give other bytes, and every trial reads this
        with replacing(path, lasting=lasting) as unfinished:
            np.savez(
                unfinished,
                **{key: getattr(self, key) for key in _ARRAYS},
                class_names=np.array(self.class_names, np.str_),
                name=np.array(self.name),
                shape=np.array(self.shape),
                digest=np.array(self.digest),
                **own,
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """The task that `write` wrote to `path`.

        Raises:
            InputError: as `files.intact`.
        """
        with intact(path, "what the stage prepare writes", "run `dvc repro prepare`"):
            arrays = read_arrays(path)
            mean, deviation = arrays["target"].tolist() if "target" in arrays else (0.0, 1.0)
            return cls(
                **{key: arrays[key] for key in _ARRAYS},
                class_names=tuple(str(name) for name in arrays["class_names"]),
                name=str(arrays["name"]),
                digest=str(arrays["digest"]),
                shape=tuple(arrays["shape"].tolist()),
                target=(mean, deviation),
            )
