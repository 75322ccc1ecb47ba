"""A class of Keras's with its arguments, from which both the object and its code are made."""

import importlib
import json
from collections.abc import Container
from typing import Any


class Name(str):
    """An expression of the program that is printed, such as a variable of it."""


UNITS, FILTERS, STRIDES = Name("units"), Name("filters"), Name("strides")
"""Stand for these numbers where code is printed: the variables that hold them there."""


class Call:
    """A class with its arguments: `build` makes the object, `str` is the code that would.

    Args:
        path: module and class.
        short: what Keras takes in place of the object, such as `he_normal`.
    """

    def __init__(self, path: str, *positional: Any, short: str = "", **named: Any) -> None:
        self.path, self.positional, self.short, self.named = path, positional, short, named

    def build(self) -> Any:
        """The object; arguments that are calls are built too."""
        module, _, name = self.path.rpartition(".")
        named = {k: v.build() if isinstance(v, Call) else v for k, v in self.named.items()}
        return getattr(importlib.import_module(module), name)(*self.positional, **named)

    def __str__(self) -> str:
        # names and seeds are left out: a reader's own program has no use for them
        return self.code(without=("name", "seed"))

    def code(self, without: Container[str] = ("seed",)) -> str:
        """What makes the object, without some of its named arguments."""
        if self.short:
            return json.dumps(self.short)
        named = {key: value for key, value in self.named.items() if key not in without}
        arguments = [_printed(value) for value in self.positional]
        arguments += [f"{key}={_printed(value)}" for key, value in named.items()]
        name = self.path if self.path.startswith("keras.") else self.path.rpartition(".")[2]
        return f"{name}({', '.join(arguments)})"


def _printed(value: Any) -> str:
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_printed, value))}]"
    return (
        json.dumps(value) if isinstance(value, str) and not isinstance(value, Name) else str(value)
    )
