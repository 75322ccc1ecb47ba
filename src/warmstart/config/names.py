"""What people may call things: anything that shows, and where a name is a file too, plain ASCII."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from warmstart.errors import visible

MOST = 100
"""Characters of a name: what is longer fits no table, no plot, and no key of MLflow's."""


def _shows(name: str) -> str:
    if visible(name) != name:
        raise PydanticCustomError("name", "Input should be a name without control characters")
    if not name or name != name.strip():
        raise PydanticCustomError("name", "Input should be a name without spaces around it")
    return name


def _plain(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", name):
        raise PydanticCustomError(
            "name",
            "Input should be ASCII letters, digits and _ . + - alone, since it names files and "
            "stages of DVC",
        )
    return name


Label = Annotated[str, Field(max_length=MOST), AfterValidator(_shows)]
"""Of an arm, a factor, data: shown as it is."""
Name = Annotated[str, Field(max_length=MOST), AfterValidator(_plain)]
"""Of a study: files and stages have it, too."""
