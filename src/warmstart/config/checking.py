"""Input of the user's against a pydantic model: all problems at once, one line each."""

import difflib
import json
import re
from collections.abc import Iterator
from itertools import islice
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from warmstart.config.values import Choice
from warmstart.errors import MOST_PROBLEMS

Checked = TypeVar("Checked", bound=BaseModel)
_COMPARED = 1_000  # words that a misspelt one is compared with, which takes 20 ms
_SHOWN = 200  # characters of a value in a line


def check(content: dict[str, Any], model: type[Checked]) -> tuple[Checked | None, list[str]]:
    """`content`, which has the sections of `model`, as that type, or one line per problem."""
    # JSON mode is strict about types and yet takes a list where a tuple is declared
    try:
        text = json.dumps(content, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        return None, [f"expected mappings, lists, text and numbers, received {reason}; change it"]
    try:
        return model.model_validate_json(text), []
    except ValidationError as error:
        return None, [*_lines(error, model)]


def nearest(received: Any, valid: Any) -> str:
    """A hint at the one of `valid`, of the first thousand, that is spelt most alike; empty if none
    is."""
    words = [str(each) for each in islice(valid, _COMPARED)]
    close = difflib.get_close_matches(str(received), words, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _lines(error: ValidationError, root: type[BaseModel]) -> Iterator[str]:
    """pydantic's findings as `key: expected …, received …; what to do`."""
    told = error.errors(include_url=False)[: 4 * MOST_PROBLEMS]  # some make no line
    findings = [(_keys(finding["loc"]), finding) for finding in told]
    meant = {
        (*keys[:-1], *difflib.get_close_matches(keys[-1], _fields_at(keys[:-1], root), n=1))
        for keys, finding in findings
        if finding["type"] == "extra_forbidden"
    }
    further = {tuple(keys[:size]) for keys, _ in findings for size in range(len(keys))}
    for keys, finding in findings:
        # a union reports each branch that did not fit: keep the one that got furthest
        if tuple(keys) in further:
            continue
        where = ".".join(keys)
        if finding["type"] == "value_error":
            prefix = f"{where}." if where else ""
            yield from (prefix + line for line in str(finding["ctx"]["error"]).split("\n"))
        elif finding["type"] == "extra_forbidden":
            valid = _fields_at(keys[:-1], root)
            yield (
                f"{where}: unknown key{nearest(keys[-1], valid)}; expected {', '.join(valid)}; "
                "rename or remove it"
            )
        elif finding["type"] == "missing" and tuple(keys) in meant:
            continue  # misspelt, as another line says
        elif finding["type"] == "missing":
            yield f"{where}: expected a value, received nothing; add the key"
        else:
            yield _mismatch(where, finding)


def _mismatch(where: str, finding: Any) -> str:
    """A wrong type or a value out of range."""
    received, expected = finding["input"], finding["msg"].removeprefix("Input should ")
    if finding["type"] == "too_long":
        most, came = finding["ctx"]["max_length"], finding["ctx"]["actual_length"]
        return f"{where}: expected at most {most:,} entries, received {came or 'more'}; take fewer"
    line = (
        f"{where}: expected {expected.removeprefix('be ')}, "
        f"received {_short(json.dumps(received, ensure_ascii=False))}"
    )
    if finding["type"] != "literal_error":
        return line + "; change it"
    names = re.findall(r"'([^']*)'", finding["ctx"]["expected"])
    return line + (nearest(received, names) or "; choose one of these")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """Where in the file, without the names that pydantic gives to a union's branches."""
    ours = [str(k) for k in location if not re.match(r"(literal|tuple|constrained)\b", str(k))]
    return ours[:-1] if ours[-1:] == ["[key]"] else ours  # of a dict: the key is its place


def _fields_at(keys: list[str], root: type[BaseModel]) -> list[str]:
    """The keys that are valid inside the section `keys` of `root`."""
    annotation: Any = root
    for key in keys:
        model = _model_in(annotation)
        annotation = model.model_fields[key].annotation if model else get_args(annotation)[-1]
    model = _model_in(annotation)
    if model is None:
        return []
    # the name of a choice is written as its key, as in `clipping: {norm: 1.0}`
    hidden = {"name"} if issubclass(model, Choice) else set()
    given = {name for name, field in model.model_fields.items() if field.init is not False}
    return [name for name in model.model_fields if name in given - hidden]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that `annotation` is, or may be, as in `Transfer | None`."""
    branches = (
        get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    )
    return next((b for b in branches if isinstance(b, type) and issubclass(b, BaseModel)), None)
