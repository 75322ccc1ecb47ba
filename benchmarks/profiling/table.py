"""What processes left, and what the operating system counted -> rows, and the table to read."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

END = "end of Python"
"""What a process spends after it has left its file, by the count of the one that reaped it."""
UNEXPLAINED = ("rest", "no file")
"""Of processes that left a file what no seam names, and what the system counted of those that left
none: programs that are not in Python, and what was killed."""
ORDER = ("prepare", "pretrain", "autoencode", "transfer", "compare", "yardsticks", "report")


def rows(folder: Path, process: int, counted: float) -> list[dict[str, Any]]:
    """Processor time by stage and kind, of the files in `folder`. They sum to `counted` (s), what
    the system counted of `process` and all below it."""
    told = {one["process"]: one for one in files(folder)}
    reaped = {process: counted}
    for one in told.values():
        reaped |= dict(one["reaped"])
    spent: dict[tuple[str, str], float] = defaultdict(float)
    for pid, one in told.items():
        for stage, kind, seconds in one["spent"]:
            spent[stage or _role(one["command"]), kind] += seconds
        if pid in reaped:
            below = sum(seconds for _, seconds in one["reaped"])
            ended = reaped[pid] - below - sum(seconds for *_, seconds in one["spent"])
            stage = one["spent"][-1][0] or _role(one["command"])
            spent[stage, END] += ended
    spent["", "no file"] = counted - sum(spent.values())
    return [
        {"stage": stage, "kind": kind, "seconds": round(seconds, 3)}
        for (stage, kind), seconds in sorted(spent.items(), key=lambda item: _place(*item[0]))
    ]


def files(folder: Path) -> list[dict[str, Any]]:
    """What processes left in `folder`."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*-*.json"))]


def never_met(folder: Path, seams: Mapping[str, Mapping[str, str]], backend: str) -> list[str]:
    """The seams that no process has met, but for those of the other backend."""
    met = {seam for told in files(folder) for seam in told["seams"]}
    others = {"tensorflow": "jax", "jax": "tensorflow"}[backend]
    return [
        seam
        for module, places in seams.items()
        if others not in module
        for place in places
        if (seam := f"{module}:{place}") not in met
    ]


def unexplained(rows: Sequence[Mapping[str, Any]]) -> float:
    """Their share of all."""
    left = sum(row["seconds"] for row in rows if row["kind"] in UNEXPLAINED)
    return left / sum(row["seconds"] for row in rows)


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The table: kinds below each other, the largest first, stages beside."""
    stages = list(dict.fromkeys(row["stage"] for row in rows if row["stage"]))
    cells = {(row["stage"], row["kind"]): row["seconds"] for row in rows}
    total = sum(cells.values())
    kinds: dict[str, float] = defaultdict(float)
    for (_, kind), seconds in cells.items():
        kinds[kind] += seconds
    yield f"{'CPU-seconds':<22}{'all':>8}{'share':>7}" + "".join(f"{_short(s):>9}" for s in stages)
    named = sorted(kinds.keys() - set(UNEXPLAINED), key=lambda kind: -kinds[kind])
    for kind in (*named, *UNEXPLAINED):
        of_stage = (cells.get((stage, kind), 0.0) for stage in stages)
        shown = "".join(f"{s:>9.1f}" if s >= 0.05 else f"{'':>9}" for s in of_stage)
        yield f"{kind:<22}{kinds[kind]:>8.1f}{kinds[kind] / total:>7.1%}{shown}".rstrip()
    sums = (sum(s for (of, _), s in cells.items() if of == stage) for stage in stages)
    yield f"{'all':<22}{total:>8.1f}{1:>7.0%}" + "".join(f"{s:>9.1f}" for s in sums)


def _role(command: Sequence[str]) -> str:
    """Of a process of no stage."""
    return "publisher" if "track" in command else "DVC"


def _place(stage: str, kind: str) -> tuple[bool, int, str, str]:
    name = stage.partition("@")[0]
    known = ORDER.index(name) if name in ORDER else len(ORDER)
    return not stage, known, stage, kind


def _short(stage: str) -> str:
    return stage.rpartition("@")[2][:8]
