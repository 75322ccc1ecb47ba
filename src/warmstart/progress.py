"""How far a piece of work is, on standard error: a bar where a terminal can draw one, elsewhere a
line now and then. Both say `NAME, PART:  42%|`, which a pipeline can read. Decides no byte."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

from warmstart.errors import visible

Item = TypeVar("Item")

LINE_SECONDS = 5.0
"""Between two lines at the start; later a twentieth of the time passed: an hour has 60 lines."""
BAR_SECONDS = 0.2


class Bar(tqdm):
    """One piece of work, `total` units long, in parts that may have names.

    Args:
        name: of the work.
        total: units.
        unit: what they are, in the plural.
        initial: those that were done before.
        look: called before the bar is shown anew, to set `counted` and the part.
        delay: seconds; what takes less shows nothing, and what took longer goes when it is done.
    """

    counted = ""
    """What is said in place of `12/40 UNIT`."""

    def __init__(
        self,
        name: str,
        total: int,
        unit: str,
        *,
        initial: int = 0,
        look: Callable[["Bar"], None] | None = None,
        delay: float = 0,
    ) -> None:
        self._name, self._look, self._drawn = name, look, sys.stderr.isatty()
        pause = BAR_SECONDS if self._drawn else LINE_SECONDS
        super().__init__(
            desc=name,
            total=total,
            unit=unit,
            initial=initial,
            delay=delay,
            leave=not delay,
            file=sys.stderr if self._drawn else _Lines(),
            dynamic_ncols=self._drawn,
            bar_format="{desc}: {percentage:3.0f}%|" + "{bar}|" * self._drawn + " {count}, {time}",
            mininterval=pause,
            maxinterval=pause,
            smoothing=0,
        )

    @classmethod
    def over(cls, items: Sequence[Item], name: str, unit: str, *, delay: float) -> Iterator[Item]:
        """Each of `items`, with progress."""
        with cls(name, len(items), unit, delay=delay) as bar:
            for item in items:
                yield item
                bar.update()

    def at(self, part: str) -> None:
        """Name the part that is at work; empty: none is."""
        said = f"{self._name}, {visible(part)}" if part else self._name
        self.set_description_str(said, refresh=False)
        if self._drawn and not self._look:
            self.refresh()

    def refresh(self, *arguments: Any, **named: Any) -> None:
        """Show where it stands."""
        if self._look:
            self._look(self)
        super().refresh(*arguments, **named)

    def update(self, n: float | None = 1) -> bool | None:
        """`n` units more are done -> whether that was shown."""
        shown = super().update(n)
        if shown and not self._drawn:
            self.mininterval = max(LINE_SECONDS, self.format_dict["elapsed"] / 20)
        return shown

    @property
    def format_dict(self) -> dict[str, Any]:
        """What may be said of the work."""
        said = super().format_dict
        n, total, elapsed = said["n"], said["total"], said["elapsed"]
        done = n - said["initial"]
        left = self.format_interval((total - n) * elapsed / done) if done else "?"
        return said | {
            "count": self.counted or f"{n:,}/{total:,} {said['unit']}",
            "time": f"{left} left" if n < total else f"in {self.format_interval(elapsed)}",
        }


class _Lines:
    """Standard error where no terminal goes back to the start of a line."""

    _last = ""

    def write(self, text: str) -> None:
        if (line := text.strip()) and line != self._last:
            print(line, file=sys.stderr, flush=True)
            self._last = line

    def flush(self) -> None:
        sys.stderr.flush()
