"""YAML within limits: numbers, text, lists and mappings, and no more of them than can be meant.

All is counted while ruamel composes nodes, before a value is made of any.
"""

import re
import warnings
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent, ScalarEvent
from ruamel.yaml.nodes import MappingNode, ScalarNode

from warmstart.config import limits
from warmstart.errors import InputError

_TAG = "tag:yaml.org,2002:"
_NUMBERS = (f"{_TAG}int", f"{_TAG}float")
_MERGE, _TEXT = f"{_TAG}merge", f"{_TAG}str"
_PLAIN = (*_NUMBERS, f"{_TAG}null", f"{_TAG}bool", _TEXT)


def read(path: Path) -> Any:
    """What the YAML 1.2 at `path` says, as DVC reads it: 1e-3 is a number, a key given twice is an
    error. Keys are text as they are written, and so are dates.

    Raises:
        InputError: if it is none, cannot be read, says anything else, or exceeds a limit.
        FileNotFoundError: if it is not there.
    """
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "a pipe, a device or the like"
            raise InputError(f"{path}: expected a parameter file, received {what}; name a file")
        with path.open("rb") as file:
            content = file.read(limits.FILE_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(
            f"{path}: expected a file that can be read, received: {error.strerror}; check its "
            "name and its permissions"
        ) from None
    if len(content) > limits.FILE_BYTES:
        raise InputError(
            f"{path}: expected a parameter file of at most {limits.FILE_BYTES:,} bytes, received "
            "more; name another, or take it apart"
        )
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Limited
    try:
        with warnings.catch_warnings(action="ignore"):  # of what YAML 1.1 would make of it
            return yaml.load(content.decode())
    except (YAMLError, ValueError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        line = f" line {place.line + 1}" if place else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{path}{line}: expected YAML, received {reason}; mend it") from None


class _Limited(Composer):
    """Counts what it composes."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False
        self._within = self._nodes = 0
        self._sizes: dict[int, int] = {}
        """Nodes in each whole one, itself among them, by its `id`."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event, before = self.parser.peek_event(), self._nodes
        self._within += 1
        self._nodes += 1
        _check(event, self._within)
        node = super().compose_node(parent, index)
        if isinstance(event, AliasEvent):
            if id(node) not in self._sizes:
                raise _problem(f"*{event.anchor}, which holds itself", event)
            self._nodes = before + self._sizes[id(node)]
        if self._nodes > limits.NODES:
            raise _problem(
                f"more than {limits.NODES:,} keys and values, those that aliases repeat counted "
                "each time",
                event,
            )
        self._within -= 1
        if isinstance(parent, MappingNode) and index is None:
            node = _key(node, event)
        self._sizes[id(node)] = self._nodes - before
        return node

    def compose_scalar_node(self, anchor: Any) -> Any:
        node = super().compose_scalar_node(anchor)
        if node.tag in _NUMBERS and len(node.value) > limits.DIGITS:
            raise _problem(f"a number of more than {limits.DIGITS} characters", node)
        if node.tag not in (*_PLAIN, _MERGE):  # a date, an equals sign
            node.tag = _TEXT
        return node


def _check(event: Any, within: int) -> None:
    """Refuse what is too deep, too long, or of another kind than JSON has."""
    if within > limits.DEPTH:
        raise _problem(f"more than {limits.DEPTH} lists and mappings within each other", event)
    tag = str(getattr(event, "ctag", None) or "!")
    if tag not in ("!", _TEXT):
        raise _problem(f"the tag {tag.replace(_TAG, '!!')}, where numbers and text do", event)
    if not isinstance(event, ScalarEvent):
        return
    if len(event.value) > limits.TEXT:
        raise _problem(f"a key or a value of more than {limits.TEXT:,} characters", event)
    if re.search("[\0\ud800-\udfff]", event.value):
        raise _problem("a character that no text has (zero, or half of a pair)", event)


def _key(node: Any, event: Any) -> ScalarNode:
    """The text of a key; a copy, since an alias may be a value elsewhere."""
    if not isinstance(node, ScalarNode):
        raise _problem("a list or a mapping as a key", event)
    tag = node.tag if node.tag == _MERGE else _TEXT
    return ScalarNode(tag, node.value, node.start_mark, node.end_mark, style=node.style)


def _problem(received: str, place: Any) -> MarkedYAMLError:
    return MarkedYAMLError(problem=received, problem_mark=place.start_mark)
