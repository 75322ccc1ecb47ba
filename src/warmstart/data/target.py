"""What is to be predicted: labels of any kind become classes, other numbers a regression."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from warmstart.config import limits
from warmstart.data import kinds, naming
from warmstart.data.columns import MOST
from warmstart.data.naming import some

TaskKind = Literal["auto", "classification", "regression"]
"""As `data.task` of params.yaml: what a target is taken for."""
FEWEST, FEWEST_NUMBERS = 3, 10
"""Samples that every class needs, one each to train, to validate and to test; and a regression."""
MOST_WHOLE, MOST_FRACTIONS = 30, 10
"""Different numbers up to which a target of whole numbers, or of others, is taken for classes."""
EACH_WHOLE, EACH_FRACTION = 4, 10
"""So many samples that each of them then has, on average."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """A target, checked."""

    y: NDArray[Any]
    """`(n,)`: int32 positions in `class_names`; of a regression float64."""
    class_names: tuple[str, ...] = ()
    """All different; empty for a regression."""
    labels: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    """`(classes,)`: what the classes are called in the data, in the order of their numbers."""
    why: str
    """Why it was taken for classes, or for numbers: a clause."""


def understand(
    y: Any, given: Any = None, *, task: TaskKind = "auto", called: str = "y", images: bool = False
) -> tuple[Target | None, list[str]]:
    """What `y` is, and what is wrong with it.

    Text, truth values, categories and whatever else is hashable are classes. So are numbers where
    `class_names` are given, where samples are images, and where few of them differ: up to
    MOST_WHOLE whole ones that have EACH_WHOLE samples each on average, or MOST_FRACTIONS others
    that have EACH_FRACTION.

    Args:
        y: `(n,)` an array, series or sequence.
        given: `(classes,)` names, all different; a whole number in `y` is then a position in them.
        called: what messages call it.
    """
    values, problems = _series(y, called)
    names, more = naming.given_names(given)
    if problems := more + problems:
        return None, problems
    numbers = _numbers(values, as_text=task == "regression")
    why = _why(values, numbers, task, given is not None, images)
    if why.startswith("numbers"):
        return _regression(values, numbers, why, called)
    return _classes(values, numbers, names, given is not None, why, called)


def _series(y: Any, called: str) -> tuple["pd.Series[Any]", list[str]]:
    """`y` in native byte order with a label in every place, and what is wrong with it."""
    if isinstance(y, np.ma.MaskedArray):
        shown = np.ma.getdata(y).astype(object)
        shown[np.ma.getmaskarray(y)] = None
        y = pd.Series(shown).infer_objects()
    if isinstance(y, pd.DataFrame) or not isinstance(y, pd.Series | list | tuple):
        y = np.asarray(y)
        if y.ndim != 1 or y.size == 0:
            return pd.Series(), [
                f"{called}: expected one label per sample, shape (samples,), received {y.shape}; "
                f"{called}.ravel() flattens a column, {called}.argmax(axis=1) a one-hot table"
            ]
        y = y.astype(y.dtype.newbyteorder("="), copy=False)
    try:
        values = pd.Series(y).reset_index(drop=True)
        missing = np.flatnonzero(_gaps(values)).tolist()
        pd.factorize(values)
    except (TypeError, ValueError) as error:
        return pd.Series(), [
            f"{called}: expected hashable labels such as numbers or text, received {error}; "
            "convert them"
        ]
    if not missing:
        return values, []
    return values, [
        f"{called}: expected a label for every sample, received {len(missing)} missing, the first "
        f"in sample {missing[0]}; fill them or drop the samples"
    ]


def _gaps(values: "pd.Series[Any]") -> NDArray[np.bool_]:
    """`(n,)`: what is missing, or a text of nothing but blanks."""
    codes, found = pd.factorize(values)
    empty = [isinstance(each, str) and not each.strip() for each in found]
    return np.array([*empty, True])[codes]  # position -1: missing


def _numbers(values: "pd.Series[Any]", *, as_text: bool) -> NDArray[np.float64] | None:
    """`values` as numbers; None where they are something else, or text but for `as_text`."""
    if as_text and (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
        values = pd.to_numeric(values.astype(object), errors="coerce")
        if values.isna().any():
            return None
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return None
    return None if pd.api.types.is_complex_dtype(values) else values.to_numpy(np.float64)


def _why(
    values: "pd.Series[Any]",
    numbers: NDArray[np.float64] | None,
    task: TaskKind,
    named: bool,
    images: bool,
) -> str:
    """Why it is taken for `classes…` or `numbers…`."""
    if numbers is None and task != "regression":
        return "classes, since it is text or another kind of label"
    if numbers is None or task != "auto":
        return f"{'classes' if task == 'classification' else 'numbers'}, as data.task says"
    if named:
        return "classes, since they have names"
    distinct, whole = values.nunique(), bool((numbers == np.rint(numbers)).all())
    most = (MOST_WHOLE, len(numbers) / EACH_WHOLE)
    if not whole:
        most = (MOST_FRACTIONS, len(numbers) / EACH_FRACTION)
    differ = f"{distinct} different {'whole numbers' if whole else 'numbers'}"
    if whole and images:
        return f"classes, since the samples are images with {differ}"
    # so few samples cannot tell; two values are two classes
    if distinct <= 2 or distinct <= min(most):
        return f"classes, since there are only {differ} in {len(numbers):,} samples"
    return f"numbers, since there are {differ} in {len(numbers):,} samples"


def _regression(
    values: "pd.Series[Any]", numbers: NDArray[np.float64] | None, why: str, called: str
) -> tuple[Target | None, list[str]]:
    if numbers is None:
        received = f"received {values.dtype}; convert it"
        if pd.api.types.is_string_dtype(values):
            received = kinds.written_numbers(values) or received
        return None, [
            f"{called}: expected numbers, as data.task says, {received}, or choose classification"
        ]
    wrong = np.flatnonzero(~(np.abs(numbers) <= MOST))
    if len(wrong):
        return None, [
            f"{called}: expected finite numbers, received {len(wrong)} that are infinite or beyond "
            f"{MOST:.2g}, the first in sample {wrong[0]}; drop the samples"
        ]
    if (numbers == numbers[0]).all():
        return None, [
            f"{called}: expected numbers that differ, received {numbers[0]:g} only; "
            "name another column"
        ]
    if len(numbers) < FEWEST_NUMBERS:
        return None, [
            f"{called}: expected {FEWEST_NUMBERS} samples or more to predict a number, received "
            f"{len(numbers)}; add samples"
        ]
    return Target(y=numbers, why=why), []


def _classes(
    values: "pd.Series[Any]",
    numbers: NDArray[np.float64] | None,
    names: tuple[str, ...],
    named: bool,
    why: str,
    called: str,
) -> tuple[Target | None, list[str]]:
    positions, different = pd.factorize(values)
    found: NDArray[Any] = _as_array(different)
    if len(found) > limits.CLASSES:
        texts = pd.Series([str(each) for each in found]) if numbers is None else None
        line = None if texts is None else kinds.written_numbers(texts)
        many = f"expected at most {limits.CLASSES:,} classes, received {len(found):,} different "
        return None, [f"{called}: {line or many + 'labels; join some, or name another column'}"]
    try:
        order = sorted(range(len(found)), key=lambda place: found[place])
    except TypeError:  # labels without an order: as they appear
        order = list(range(len(found)))
    positions, labels = np.argsort(order)[positions], found[order]
    if named:
        places = np.array([_place(label, names) for label in labels])
        if unknown := [
            _plain(label) for label, place in zip(labels, places, strict=True) if place < 0
        ]:
            return None, [
                f"{called}: expected labels from 0 to {len(names) - 1} or the {len(names)} "
                f"class_names, received {some(unknown)}; name every class"
            ]
        positions, labels = places[positions], np.array(names)
    else:
        names = tuple(_text(label) for label in labels)
        if problem := naming.unshowable(names):
            return None, [f"{called}: {problem}"]
        if twice := naming.twice(names):
            return None, [
                f"{called}: expected labels with different names, received {some(twice)} for more "
                "than one; convert them all to text or to numbers"
            ]
        if alike := naming.twice([name.strip() for name in names]):
            return None, [
                f"{called}: expected labels that differ in more than the blanks around them, "
                f"received {some(alike)} with and without; strip them"
            ]
    if problems := _count_problems(positions, names, called):
        line = kinds.written_numbers(pd.Series(names)) if numbers is None else None
        return None, [f"{called}: {line}"] if line and len(names) > MOST_WHOLE else problems
    y = positions.astype(np.int32)
    return Target(y=y, class_names=names, labels=labels, why=why), []


def _as_array(different: Any) -> NDArray[Any]:
    """Labels that are tuples stay whole."""
    if isinstance(different, np.ndarray):
        return different
    kind = different.dtype if isinstance(different.dtype, np.dtype) else object
    found = np.empty(len(different), kind)
    found[:] = list(different)
    return found


def _place(label: Any, names: tuple[str, ...]) -> int:
    """The position that `label` says; -1: none."""
    if isinstance(label, str):
        return names.index(label) if label in names else -1
    try:
        number = int(label)
    except (TypeError, ValueError):
        return -1
    return number if number == label and 0 <= number < len(names) else -1


def _text(label: Any) -> str:
    """3.0 is called 3: whole numbers are floats wherever a file had a gap in their column."""
    plain = label.decode(errors="replace") if isinstance(label, bytes) else _plain(label)
    return str(int(plain)) if isinstance(plain, float) and plain.is_integer() else str(plain)


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def _count_problems(positions: NDArray[Any], names: tuple[str, ...], called: str) -> list[str]:
    if len(names) < 2:
        return [f"{called}: expected at least 2 classes, received {some(names)} only; add another"]
    counts = np.bincount(positions, minlength=len(names)).tolist()
    few = [f"{count} of {n!r}" for n, count in zip(names, counts, strict=True) if count < FEWEST]
    if not few:
        return []
    return [
        f"{called}: expected at least {FEWEST} samples of every class (one each to train, validate "
        f"and test), received {some(few, quote=False)}; add samples, remove the class, or say that "
        "it is a number to predict (data.task: regression)"
    ]
