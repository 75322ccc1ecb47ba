"""The table: what the book prints, and ours over seeds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from warmstart.analysis.inference import geometric_interval, interval
from warmstart.analysis.summary import Interval

SEED = 42
"""Root of every random number."""

Measure = Literal["validation accuracy", "test accuracy", "difference", "error factor"]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much of it is run."""

    seeds: int = 5
    transfer_seeds: int = 20
    samples: int | None = None
    """To train on; None: all."""


QUICK = Scale(seeds=1, transfer_seeds=2, samples=2_000)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number of the book, and ours."""

    experiment: str
    arm: str
    measure: Measure
    book: float | None
    """None where it prints none."""
    source: str
    """Of the book's number and settings."""
    values: tuple[float, ...]
    """Ours, one per seed."""
    settings: str
    verdict: str = ""
    """What the row decides, in words, corrected over its experiment; empty: nothing."""

    @property
    def ours(self) -> Interval:
        """Mean over seeds (of factors: the geometric one) with its 95 % t interval."""
        return (geometric_interval if self.measure == "error factor" else interval)(self.values)

    def to_json(self) -> dict[str, Any]:
        ours = self.ours
        found = {"mean": ours.mean, "low": ours.low, "high": ours.high, "seeds": len(self.values)}
        return asdict(self) | found | {"values": list(self.values)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Row":
        """What `to_json` gave."""
        known = {field.name: row[field.name] for field in fields(cls) if field.name in row}
        return cls(**known | {"values": tuple(row["values"])})


def difference(experiment: str, better: Row, worse: Row) -> Row:
    """`better` minus `worse`, paired by seed."""
    book = None if better.book is None or worse.book is None else better.book - worse.book
    return Row(
        experiment=experiment,
        arm=f"{better.arm} − {worse.arm}",
        measure="difference",
        book=book,
        source=better.source,
        values=tuple(a - b for a, b in zip(better.values, worse.values, strict=True)),
        settings=better.settings,
    )


def markdown(rows: Sequence[Row]) -> str:
    """The table to read."""
    lines = [
        "| experiment | arm | measure | book | ours (95 %) | seeds |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.experiment} | {row.arm} | {row.measure} | {_number(row, row.book)} | "
        f"{_ours(row)} | {len(row.values)} |"
        for row in rows
    ]
    decided = [f"- {row.experiment}, {row.arm}: {row.verdict}." for row in rows if row.verdict]
    settings = dict.fromkeys(f"- {row.experiment}: {row.settings}; {row.source}." for row in rows)
    return "\n".join([*lines, "", *decided, *settings])


def _ours(row: Row) -> str:
    found = row.ours
    if found.low is None:
        return _number(row, found.mean)
    low, high = (_number(row, end).removesuffix(" %") for end in (found.low, found.high))
    return f"{_number(row, found.mean)} ({low} to {high})"


def _number(row: Row, value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    if row.measure == "error factor":
        return f"× {value:.2f}"
    if row.measure == "difference":
        return f"{100 * value:+.2f}"
    return f"{100 * value:.2f} %"


def last(values: Iterable[float]) -> float:
    """Of an accuracy by epoch; 0 where it diverged."""
    found = list(values)[-1]
    return found if math.isfinite(found) else 0.0
