"""params.yaml -> `Params`. All problems at once, one line each.

This module and everything it imports answer without TensorFlow.
"""

from pathlib import Path
from typing import Any

from warmstart.config import composing
from warmstart.config.checking import check, nearest
from warmstart.config.data import KNOWN_CLASSES
from warmstart.config.params import Params
from warmstart.errors import InputError
from warmstart.metrics import kind_of


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check `path`.

    Raises:
        InputError: with one line per problem: the key, what was expected, what was received.
    """
    try:
        content = composing.read(path)
    except FileNotFoundError:
        raise InputError(
            f"{path}: expected a parameter file, received none; run in the project's root folder"
        ) from None
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected sections such as `data:`, received {type(content).__name__}"
        )
    return parse(content, str(path))


def parse(content: dict[str, Any], where: str = "params.yaml") -> Params:
    """Check the content of a parameter file, given as nested dicts.

    Raises:
        InputError: as `load`.
    """
    params, problems = check(content, Params)
    problems += _task_b_problems(content)
    if params and (classes := KNOWN_CLASSES.get(params.data.name)):
        misfits = params.compare.misfits(kind_of(len(classes)))
        problems += [f"compare.{line}" for line in misfits]
    if problems or params is None:
        raise InputError(*(f"{where}: {problem}" for problem in problems))
    return params


def _task_b_problems(content: dict[str, Any]) -> list[str]:
    """Looks across two sections, so it reads them whether or not the rest is well-formed."""
    data, transfer = content.get("data"), content.get("transfer")
    if not isinstance(data, dict) or not isinstance(transfer, dict):
        return []
    names, chosen = KNOWN_CLASSES.get(str(data.get("name"))), transfer.get("task_b")
    if names is None or not isinstance(chosen, list):
        return []
    return class_problems(chosen, names, rest=0 if transfer.get("a") else 2)


def class_problems(chosen: Any, names: tuple[str, ...], *, rest: int = 2) -> list[str]:
    """One line for each chosen class (label or name) that is not one of `names`, and one when
    the chosen classes leave fewer than `rest` for task A."""
    unknown = [c for c in chosen if c not in names and c not in range(len(names))]
    problems = [
        f"transfer.task_b: expected a label from 0 to {len(names) - 1} or one of "
        f"{', '.join(names)}, received {c!r}{nearest(c, names)}"
        for c in unknown
    ]
    labels = [names.index(c) if c in names else c for c in chosen if c not in unknown]
    if not unknown and len(set(labels)) < len(labels):
        problems.append(
            f"transfer.task_b: expected different classes, received {chosen} "
            "(a label and its name are one class); name each once"
        )
    if not unknown and len(names) - len(labels) < rest:
        problems.append(
            f"transfer.task_b: expected to leave at least 2 of {len(names)} classes to task A, "
            f"received {len(labels)} classes; choose fewer"
        )
    return problems
