"""How far the changes of params.yaml may reach that a run of a deployment asks for.

Who may start runs may choose what is compared. That is no leave to read files elsewhere, to speak
to other machines, or to write commands: parameters become paths and parts of commands in dvc.yaml.
What counts is what the file says afterwards, however the change was written.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_dvc.errors import ProjectError, quoted

PARAMS = Path("params.yaml")
OUTSIDE = re.compile(r"^[/\\~]|^[A-Za-z]:[/\\]|://|(^|[/\\])\.[^/\\]")
"""A path that is absolute, leads upwards or is hidden (.git, .env), or an address."""
PLAIN = re.compile(r"([\w.+][\w.+/-]*)?", re.ASCII)
"""What a shell takes for one word, and no program for an option."""
Value = tuple[tuple[str, ...], object]
"""A value that is neither a mapping nor a list, behind its keys."""


class Changed:
    """What differs between two contents of params.yaml."""

    def __init__(self, before: Any, after: Any) -> None:
        old, new = frozenset(_values(before)), frozenset(_values(after))
        self.names = {".".join(keys) for keys, _ in old ^ new}
        """Of values that are new, others, or gone, as in data.path."""
        self.words = {word for keys, value in new - old for word in (*keys, value)}
        """Keys and values of those that are there."""


def _values(content: Any, *keys: str) -> Iterator[Value]:
    if content and isinstance(content, dict | list):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in pairs:
            yield from _values(value, *keys, str(key))
    else:
        yield keys, str(content) if isinstance(content, dict | list) else content


@dataclass(frozen=True)
class Reach:
    """What a run may change."""

    fixed: Sequence[str] = ()
    """Names of params.yaml that belong to the machine: executor stands for executor.address."""

    def check(self, changed: Changed, commands: Collection[str]) -> None:
        """Raises ProjectError unless what has `changed` stays within the project, and is just a
        word where it is part of one of the new `commands`."""
        parts = [name.split(".") for name in self.fixed]
        for name in sorted(changed.names):
            if any(name.split(".")[: len(part)] == part for part in parts):
                raise ProjectError(
                    f"set: expected what a run may choose, received another {quoted(name)}, which "
                    f"belongs to the machine; commit it in {PARAMS}"
                )
        for word in sorted(word for word in changed.words if isinstance(word, str)):
            if OUTSIDE.search(word):
                raise ProjectError(
                    "set: expected a path within the project that is not hidden, and no address, "
                    f"received {quoted(word)}; commit it in {PARAMS}, or bring the data into the "
                    "project"
                )
            if not PLAIN.fullmatch(word) and any(word in command for command in commands):
                raise ProjectError(
                    "set: expected ASCII letters, digits and _ . + - / of what becomes part of a "
                    f"command of dvc.yaml, received {quoted(word)}; commit it in {PARAMS}"
                )
