"""Parameter files and data, mutated, given to the command line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.chaos.rows import Done
from mutated_inputs import mutant

KIND = "input"
EXPECTED = "exit code 0, or 2 with a line for each problem; at most 2 s and 500 MB"

FAULTS = {
    "traceback": "traceback",
    "exit 1": "traceback",
    "slow": "slow",
    "hangs": "slow",
    "large": "memory",
}


@contextmanager
def ready(_: Path) -> Iterator[Callable[[int], Done]]:
    def give(seed: int) -> Done:
        made = mutant(seed)
        came = made.answered()
        last = came.said.rstrip().rpartition("\n")[2]
        about = f"{came.fault}, {made.how}: {came.seconds:.1f} s, {came.megabytes:.0f} MB: {last}"
        return Done(
            what=made.kind,
            faults={FAULTS.get(came.fault, "lines"): about[:300]} if came.fault else {},
        )

    yield give
