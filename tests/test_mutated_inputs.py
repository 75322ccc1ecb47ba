"""Mutated inputs, a few of many: one line each, in seconds and in little memory.

`python tests/mutated_inputs.py` runs thousands.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterable

import pytest
from mutations import ROOT

from mutated_inputs import mutant


def faults(seeds: Iterable[int]) -> list[str]:
    made = [(mutant(seed), mutant(seed).answered()) for seed in seeds]
    return [f"{m.seed} ({m.kind}, {m.how}): {a.fault}: {a.said[-300:]}" for m, a in made if a.fault]


# each ended in a traceback, or took seconds, before there were limits
@pytest.mark.parametrize(
    "seed",
    [
        51, 65, 102, 169, 208, 239, 256, 294, 301, 412, 467, 480, 488, 509, 582, 589, 701,
        4227, 4631,
    ],
)  # fmt: skip
def test_what_was_answered_wrongly_once(seed: int) -> None:
    assert faults([seed]) == []


def test_the_same_seed_gives_the_same_bytes() -> None:
    def digest(seed: int) -> str:
        files = sorted(mutant(seed).files.items())
        return hashlib.sha256(repr(files).encode()).hexdigest()

    assert [digest(seed) for seed in range(40)] == [digest(seed) for seed in range(40)]
    assert len({digest(seed) for seed in range(40)}) == 40


@pytest.mark.slow
def test_others() -> None:
    """In a process of their own: a child of one that has trained inherits locks that its threads
    held."""
    command = [sys.executable, str(ROOT / "tests/mutated_inputs.py"), "200", "10000"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout
