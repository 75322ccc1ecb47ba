"""Names of classes, and how messages name values."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from warmstart.config import limits
from warmstart.errors import visible

_SHOWN = 5  # values named in a message before it says how many more there are


def given_names(given: Any) -> tuple[tuple[str, ...], list[str]]:
    """What `class_names` says, and what is wrong with it."""
    if given is None:
        return (), []
    given = np.asarray(given)
    if given.dtype.kind not in "iuU" or given.ndim != 1:
        return (), [
            f"class_names: expected text, shape (classes,), received dtype {given.dtype}, "
            f"shape {given.shape}; convert it with astype(str)"
        ]
    if len(given) > limits.CLASSES:
        return (), [
            f"class_names: expected at most {limits.CLASSES:,}, received {len(given):,}; join some"
        ]
    names = tuple(str(name) for name in given)
    if problem := unshowable(names):
        return names, [f"class_names: {problem}"]
    if double := twice(names):
        return names, [
            f"class_names: expected different names, received {some(double)} more than once; "
            "rename them"
        ]
    return names, []


def unshowable(names: Sequence[str]) -> str | None:
    """What is wrong with names that no table can show, the rest of a line."""
    if long := [name for name in names if len(name) > limits.CLASS_NAME]:
        return (
            f"expected names of classes of at most {limits.CLASS_NAME} characters, received "
            f"{len(long[0]):,} ({long[0][:30]!r}…); shorten them"
        )
    if odd := [name for name in names if visible(name) != name]:
        return (
            f"expected names of classes without control characters, received {some(odd)}; rename "
            "them"
        )
    return None


def twice(names: Sequence[str]) -> list[str]:
    """Those that are there more than once."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def some(values: Sequence[Any], *, quote: bool = True) -> str:
    """The first of `values`, and how many more there are."""
    shown = ", ".join(repr(v) if quote else str(v) for v in values[:_SHOWN])
    return shown + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
