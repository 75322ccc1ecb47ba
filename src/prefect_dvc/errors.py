"""What is wrong with the user's input, in lines that a terminal and a page can show."""

from reprlib import Repr

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 200


class ProjectError(Exception):
    """The user's input is wrong; the message has one line per problem."""


def quoted(*texts: str) -> str:
    """Each in quotes, with codes for what does not show, and cut out in the middle if long."""
    return ", ".join(_SHORT.repr(text) for text in texts[:5]) + ", …" * (len(texts) > 5)
