"""Standard input, output and error as they should be: all there, and nothing that was read from a
file commands the terminal."""

import os
import re
import sys
from io import TextIOWrapper

from warmstart.errors import visible

_OURS = re.compile(r"(\x1b\[[0-9;]*m|\x1b\[[0-9]*[AK]|[\n\r\t])")
"""Colours, lines and progress bars."""


class Shown(TextIOWrapper):
    """A stream that makes controlling characters visible, as it does what its encoding lacks.

    A terminal gets those that colours and bars are made of; names are made visible where they are
    put into words, since a line end is one of these."""

    def write(self, text: str, /) -> int:
        if text.isprintable() or text == "\n":
            return super().write(text)
        drawn = self.isatty()
        parts = _OURS.split(text)
        for place, part in enumerate(parts):
            ours = place % 2 and (drawn or part in "\n\r\t")
            parts[place] = part if ours else visible(part)
        super().write("".join(parts))
        return len(text)


def prepare() -> None:
    """Call it once, first of all."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file that is opened would be taken for it
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper):
            encoding, by_line = stream.encoding, stream.line_buffering
            at_once = stream.write_through
            shown = Shown(
                stream.detach(),
                encoding,
                "backslashreplace",
                line_buffering=by_line,
                write_through=at_once,
            )
            setattr(sys, name, shown)
            setattr(sys, f"__{name}__", shown)  # the former one writes nothing any more
