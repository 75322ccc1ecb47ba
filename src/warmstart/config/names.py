"""What people may call things: anything that shows, and where a name is a file too, plain ASCII."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

MOST = 100
"""Characters of a name: what is longer fits no table, no plot, and no key of MLflow's."""
# a bidirectional override turns what stands beside it
_TURNS = {"\u061c", *map(chr, range(0x200E, 0x2010)), *map(chr, range(0x202A, 0x202F))}
_TURNS |= set(map(chr, range(0x2066, 0x206A)))


def visible(text: str) -> str:
    """`text` with each character that shows nowhere or moves others as its code, `\\u202e`. Spaces,
    and what joins letters, stay."""
    return "".join(f"\\u{ord(letter):04x}" if _is_control(letter) else letter for letter in text)


def _is_control(letter: str) -> bool:
    return letter in _TURNS or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


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
