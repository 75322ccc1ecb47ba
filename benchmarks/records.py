"""Whether two folders of results hold the same values, trial by trial and bit for bit:

    python benchmarks/records.py BEFORE AFTER

A refactoring step that changes a value is a bug. Every `records.parquet` below BEFORE is compared
with the one of the same place below AFTER, both from the same parameters on the same machine and
trained (WARMSTART_TRIALS=off), by all columns that both have; a NaN equals a NaN. What only one
side has is named.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

TRIAL = ["arm", "seed", "learning_rate", "epoch"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args()
    places = {
        path.relative_to(root).as_posix()
        for root in (options.before, options.after)
        for path in root.rglob("records.parquet")
    }
    problems = [line for place in sorted(places) for line in compare(place, options)]
    print("\n".join(problems) or "every value of every trial is the same")
    return 1 if problems else 0


def compare(place: str, options: argparse.Namespace) -> list[str]:
    """What differs in one file, a line each."""
    paths = options.before / place, options.after / place
    if missing := [path for path in paths if not path.exists()]:
        return [f"{place}: expected in both folders, there is no {missing[0]}"]
    before, after = (pd.read_parquet(path) for path in paths)
    columns = [name for name in before if name in after]
    left = [name for name in (*before, *after) if name not in columns]
    before, after = (f[columns].sort_values(TRIAL, ignore_index=True) for f in (before, after))
    if len(before) != len(after):
        return [f"{place}: {len(before)} epochs before, {len(after)} after"]
    # equals() compares bits, and takes a NaN for a NaN
    unequal = [
        name
        for name in columns
        if before[name].tolist() != after[name].tolist()
        and not before[name].equals(after[name].astype(before[name].dtype))
    ]
    trials = before.groupby(TRIAL[:3]).ngroups
    note = f" (only on one side: {', '.join(left)})" if left else ""
    print(f"{place}: {trials} trials, {len(before)} epochs, {len(columns)} columns{note}")
    return [f"{place}: {name} differs" for name in unequal]


if __name__ == "__main__":
    sys.exit(main())
