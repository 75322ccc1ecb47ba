"""A dataset, checked on its way in."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from warmstart.data import leaks, target
from warmstart.data.columns import Column, ColumnError
from warmstart.data.digest import content_digest
from warmstart.data.images import sample_shape
from warmstart.data.incoming import Told, as_array, taken
from warmstart.errors import InputError
from warmstart.files import intact, read_arrays, replacing
from warmstart.metrics import Kind, kind_of

_ROWS = 1 << 16  # so many at a time, where a whole copy would double the memory
_TOLD = (
    "name", "class_names", "feature_shape", "source", "licence", "digest", "copies", "n_test",
    "target", "why",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Samples with their targets, as they came: neither split nor standardized."""

    name: str
    x: NDArray[np.floating]
    """`(n, raw features)`, raw values: float32 where that holds all of them, else float64. Of a
    table, see `columns.encode`."""
    y: NDArray[Any]
    """`(n,)` int32, each in `range(len(class_names))`; of a regression float64."""
    class_names: tuple[str, ...]
    """Empty: a regression."""
    feature_shape: tuple[int, ...]
    """Shape of one sample before it was flattened, such as `(8, 8)`."""
    source: str
    licence: str
    digest: str
    """SHA-256 of `x`, `y`, `class_names` and `columns`, whatever files they came in."""
    columns: tuple[Column, ...] = ()
    """What each raw feature is; empty: numbers without gaps."""
    groups: NDArray[np.int64] | None = None
    """`(n,)`: rows with equal numbers never come on two sides of a split; None: each is alone."""
    copies: int = 0
    """Rows that are the same as one before them."""
    n_test: int = 0
    """So many samples, the last ones, came as the test set or are the newest; 0: none."""
    labels: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    """`(classes,)`: what the classes are called in the data."""
    target: str = "y"
    """What the target is called."""
    why: str = ""
    """Why the target was taken for classes, or for numbers: a clause."""

    @property
    def kind(self) -> Kind:
        return kind_of(len(self.class_names))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, as `Task.shape`, before categories are spread out."""
        return sample_shape(() if self.columns else self.feature_shape, self.x.shape[1])

    @property
    def columns_named(self) -> list[str]:
        """The user's columns, each once: a date is several of `columns`."""
        return list(dict.fromkeys(column.name for column in self.columns))

    def write(self, path: Path, **more: NDArray[Any]) -> None:
        """A .npz without pickles, with `more` arrays beside: the same bytes for the same dataset.
        `labels` are left out, as they may be anything."""
        whole = self.x.astype(np.uint8) if _are_bytes(self.x) else self.x
        told = {key: getattr(self, key) for key in _TOLD}
        told["columns"] = [column.to_json() for column in self.columns]
        arrays: dict[str, Any] = {"x": whole, "y": self.y, "told": np.array(json.dumps(told))}
        if self.groups is not None:
            arrays["groups"] = self.groups
        arrays |= more
        with replacing(path) as unfinished:
            np.savez(unfinished, **arrays)

    @classmethod
    def read(cls, path: Path) -> tuple[Self, dict[str, NDArray[Any]]]:
        """The dataset that `write` wrote to `path`, and the arrays beside it.

        Raises:
            InputError: as `files.intact`.
        """
        with intact(path, "what the stage prepare writes", "run `dvc repro prepare`"):
            arrays = read_arrays(path)
            told = json.loads(str(arrays.pop("told")))
            columns = tuple(map(Column.from_json, told.pop("columns")))
            x, y, groups = arrays.pop("x"), arrays.pop("y"), arrays.pop("groups", None)
            told |= {key: tuple(told[key]) for key in ("class_names", "feature_shape")}
        x = x.astype(np.float32) if x.dtype == np.uint8 else x
        return cls(x=x, y=y, groups=groups, columns=columns, **told), arrays


def from_arrays(
    x: ArrayLike | pd.DataFrame,
    y: Any,
    class_names: ArrayLike | None = None,
    *,
    name: str,
    where: str,
    source: str,
    licence: str,
    n_test: int = 0,
    called: str = "y",
    told: Told | None = None,
) -> Dataset:
    """A dataset from arrays or a table, checked.

    Args:
        x: `(n, ...)` real numbers, flattened to `(n, features)`, in whose gaps (NaN, masked) of two
            axes medians will be; or a frame with a column per feature.
        y: `(n,)`, see `target.understand`.
        class_names: `(classes,)`, all different.
        where: what messages begin with, such as the file.
        n_test: samples, the last ones, that came as the test set.
        called: what messages call the target.
        told: what the user said of the data.

    Raises:
        InputError: with all problems, one line each.
    """
    told = told or Told()
    if not isinstance(x, pd.DataFrame):
        x = as_array(x, where)
    images = not isinstance(x, pd.DataFrame) and x.ndim > 2
    aim, problems = target.understand(y, class_names, task=told.task, called=called, images=images)
    try:
        came = taken(x, told)
    except ColumnError as error:
        problems = [*error.problems, *problems]
    else:
        # of rows of tuples NumPy may make no array
        alone = not isinstance(y, pd.Series | list | tuple) and not np.ndim(y)
        if not alone and len(came.x) != len(y):
            problems.append(
                f"x and {called}: expected one label per sample, received {len(came.x)} samples "
                f"and {len(y)} labels; make them equal"
            )
    if problems or aim is None:
        raise InputError(*(f"{where}: {problem}" for problem in problems))
    values, labels, groups, order = came.x, aim.y, came.groups, came.order
    if order is not None:
        if n_test:
            raise InputError(
                f"{where}: data.order: expected none for data with a test set of their own, "
                f"received {told.order!r}; remove it"
            )
        values, labels = values[order], labels[order]
        groups = None if groups is None else groups[order]
        n_test = max(1, round(told.test_fraction * len(values)))
    content = {"x": values, "y": labels}
    table = [column.to_json() for column in came.columns]
    also = (json.dumps(table),) if table else ()
    together, copies = leaks.together(values, groups)
    return Dataset(
        name=name,
        x=values,
        y=labels,
        class_names=aim.class_names,
        feature_shape=came.shape,
        source=source,
        licence=licence,
        digest=content_digest(content, (*aim.class_names, *also)),
        columns=came.columns,
        groups=together,
        copies=copies,
        n_test=n_test,
        labels=aim.labels,
        target=called,
        why=aim.why,
    )


def _are_bytes(x: NDArray[Any]) -> bool:
    """Whether unsigned bytes hold every value of `x`."""
    with np.errstate(invalid="ignore"):
        return all(
            np.array_equal(part.astype(np.uint8), part)
            for part in (x[start : start + _ROWS] for start in range(0, len(x), _ROWS))
        )
