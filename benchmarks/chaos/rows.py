"""A row is one thing that was done and what came of it. Rows are appended to a journal, so that a
campaign that was interrupted goes on; a table counts them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

FAULTS = {
    "differs": "an output has other bytes than in a run that nobody disturbed",
    "missing": "a run or model is not in MLflow, or a state is not on the server",
    "doubled": "a run or model is there twice",
    "stuck": "a process, run or task goes on for ever, or the next run is refused",
    "left": "a file lies about that an undisturbed run does not leave",
    "traceback": "lines of Python, or a bug of ours, where one line is promised",
    "lines": "not a line for each problem, or one that a terminal should not get",
    "slow": "it took longer than its limit",
    "memory": "it took more memory than its limit",
    "changed": "a hostile request has changed something, or was answered",
}
"""What can be wrong with a row."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """One trouble."""

    what: str
    """Was done."""
    moment: float | None = None
    """In seconds since the start of the victim."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """One of FAULTS -> what of it was seen; none: what was expected came out."""


@dataclass(frozen=True, kw_only=True)
class Row(Done):
    """One trouble of a campaign."""

    kind: str
    seed: int
    """Together with the kind it says what to repeat: `python -m benchmarks.chaos KIND:SEED`."""
    seconds: float
    """That all of it took."""


class Journal:
    """Rows in a file, one a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self) -> list[Row]:
        """A line that was cut off, when a campaign was killed, counts for none."""
        return [*self._read()]

    def _read(self) -> Iterator[Row]:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        for line in lines:
            try:
                yield Row(**json.loads(line))
            except ValueError:
                continue

    def append(self, row: Row) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            # a newline first: the line before may be cut off
            print(f"\n{json.dumps(asdict(row))}", file=file)


def table(rows: Iterable[Row], expected: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows counted: one for each kind and what was done.

    Args:
        expected: of each kind, what had to come out.
    """

    def place(row: Row) -> tuple[str, str]:
        return row.kind, row.what

    return [
        {
            "kind": kind,
            "what": what,
            "expected": expected[kind],
            "tried": len(found := [*group]),
            "faulty": sum(bool(row.faults) for row in found),
            **{f: n for f in FAULTS if (n := sum(f in row.faults for row in found))},
            "seconds_median": round(median(row.seconds for row in found), 2),
            "seconds_most": round(max(row.seconds for row in found), 2),
        }
        for (kind, what), group in groupby(sorted(rows, key=place), place)
    ]


def faulty(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows in which something was wrong, in whole."""
    return [asdict(row) for row in rows if row.faults]
