"""How should a deep network start? Compared with evidence, on your own data."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warmstart.library import Comparison, compare

__version__ = "0.1.0"
__all__ = ["Comparison", "compare"]


def __getattr__(name: str) -> Any:
    """The library, once it is asked for: the command line imports this package too, and answers
    at once."""
    if name in __all__:
        return getattr(import_module("warmstart.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
