"""A campaign of troubles, and its table. It goes on where one of the same code was interrupted.

KIND:SEED arguments repeat just these and write nothing.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.chaos import ROOT, campaign
from benchmarks.chaos.rows import Journal, Row, faulty, table
from measuring import machine
from warmstart.files import read_json, write_json

TABLE = ROOT / "benchmarks/results/chaos.json"
JOURNALS = ROOT / "build/chaos"
DECIDES = ("src", "flows", "dvc.yaml")
"""What is put through it: rows hold as long as that is the same."""


def main(argv: Sequence[str] | None = None) -> int:
    """1: something was not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("troubles", nargs="*", metavar="KIND:SEED", help=", ".join(campaign.KINDS))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--before", action="store_true", help="write the rows beside the others'")
    given = parser.parse_args(argv)
    alone()
    if given.troubles:
        plan: dict[str, list[int]] = {}
        for kind, _, seed in (text.rpartition(":") for text in given.troubles):
            plan.setdefault(kind, []).append(int(seed))
        rows = [said(row) for row in campaign.run(plan)]
        return int(any(row.faults for row in rows))
    known, plan = commit(), campaign.planned(given.kills, given.inputs)
    journal = Journal(JOURNALS / f"{known}.jsonl")
    try:
        for row in campaign.run(campaign.left(plan, journal.rows())):
            journal.append(said(row))
    finally:
        rows = [row for row in journal.rows() if row.seed in plan.get(row.kind, ())]
        write(known, rows, before=given.before)
    return int(any(row.faults for row in rows))


def alone() -> None:
    """Leave out what of the caller's settings would reach what is started."""
    for name in [*os.environ]:
        if name.startswith(("PREFECT_", "MLFLOW_", "DVC_")):
            del os.environ[name]
    os.environ |= {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "WARMSTART_TRIALS": "off",
        "PYTHONPATH": str(ROOT / "src"),
    }


def said(row: Row) -> Row:
    """The row, which is printed."""
    came = "; ".join(f"{fault}: {seen}" for fault, seen in row.faults.items()) or "as it must be"
    print(f"{row.kind}:{row.seed}  {row.what}  {row.seconds:.1f} s  {came}", flush=True)
    return row


def commit() -> str:
    """The last one that changed what is put through it; with a plus: more has changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", *DECIDES)
    return (git("log", "-1", "--format=%h", "--", *DECIDES) or "none") + "+" * bool(changed)


def write(known: str, rows: Sequence[Row], *, before: bool) -> None:
    """The table, beside that of an earlier code."""
    expected = {name: kind.EXPECTED for name, kind in campaign.KINDS.items()}
    found = {"commit": known, "rows": table(rows, expected), "faulty": faulty(rows)}
    earlier = read_json(TABLE) if TABLE.exists() else {"rows": []}
    if before:
        earlier["before"] = found
    else:
        earlier |= found
    write_json(
        TABLE,
        {
            **earlier,
            "command": "python -m benchmarks.chaos",
            "machine": machine.describe(),
            "versions": machine.versions(),
        },
    )


if __name__ == "__main__":
    sys.exit(main())
