"""The numbers behind each picture, as flat rows: for the pictures here and for `dvc plots`."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from warmstart.analysis.inference import interval, overlap_of
from warmstart.analysis.summary import Summary
from warmstart.analysis.ties import letters
from warmstart.records import Record
from warmstart.training.selection import rate_scores

Row = dict[str, Any]


def ranking(summary: Summary) -> list[Row]:
    """One row per arm, in order of rank; low and high are None where there is no interval."""
    return [
        {
            "study": summary.study or summary.stage,
            "arm": arm,
            "rank": found.rank,
            "test_accuracy": found.test_accuracy.mean,
            "low": found.test_accuracy.low,
            "high": found.test_accuracy.high,
            "verdict": verdict_of(summary, arm),
        }
        for arm, found in summary.arms.items()
    ]


def verdict_of(summary: Summary, arm: str) -> str:
    """Of `arm` against the reference; `reference` for the reference itself."""
    verdicts = [c.verdict for c in summary.contrasts.values() if c.arm == arm]
    return verdicts[0] if verdicts else "reference"


def learning_curves(records: Sequence[Record]) -> list[Row]:
    """Validation accuracy by epoch, mean over seeds with its interval, at the chosen rates.

    A curve ends where the first of its seeds diverged: the mean of the survivors would flatter.
    """
    rows = []
    for arm in arms_of(records):
        curves = [r.epochs["val_accuracy"] for r in records if r.arm == arm and r.chosen]
        for epoch, values in enumerate(zip(*curves, strict=False), start=1):
            if not all(map(math.isfinite, values)):
                break
            found = interval(values, overlap=overlap_of(records[0].folds))
            rows.append(
                {
                    "study": records[0].study or records[0].stage,
                    "arm": arm,
                    "epoch": epoch,
                    "val_accuracy": found.mean,
                    "low": found.low,
                    "high": found.high,
                }
            )
    return rows


def times(records: Sequence[Record], seconds_per_epoch: Callable[[str], float | None]) -> list[Row]:
    """`learning_curves` by seconds of training; without the arms of which no time was taken."""
    return [
        row | {"seconds": row["epoch"] * seconds}
        for row in learning_curves(records)
        if (seconds := seconds_per_epoch(row["arm"])) is not None
    ]


def ranks(summary: Summary) -> list[Row]:
    """Mean rank of every arm; arms that share a letter under `ties` cannot be told apart."""
    return [
        {
            "study": summary.study or summary.stage,
            "arm": arm,
            "mean_rank": found.mean_rank,
            "ties": letters(arm, summary.groups),
        }
        for arm, found in summary.arms.items()
    ]


def learning_rates(records: Sequence[Record]) -> list[Row]:
    """Validation accuracy of the last epoch by learning rate, mean over seeds, diverged as 0."""
    chosen = {(r.arm, r.learning_rate) for r in records if r.chosen}
    return [
        {
            "study": records[0].study or records[0].stage,
            "arm": arm,
            "learning_rate": rate,
            "val_accuracy": accuracy,
            "chosen": (arm, rate) in chosen,
        }
        for arm, rates in rate_scores(records).items()
        for rate, (accuracy, _) in rates.items()
    ]


def per_seed(records: Sequence[Record]) -> list[Row]:
    """Test accuracy of every seed and arm at its chosen rate."""
    return [
        {"seed": r.seed, "arm": r.arm, "test_accuracy": r.test["test_accuracy"]}
        for r in sorted(records, key=lambda r: r.seed)
        if r.chosen
    ]


def told(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of diagnostics of the seed that was seen on its way, the first."""
    return frame[frame["seed"] == frame.groupby("arm")["seed"].transform("min")]


def layers(frame: pd.DataFrame) -> list[Row]:
    """Of each hidden layer at initialization and in the last look, of the first seed; None for
    what is no finite number."""
    rows = told(frame)
    depths = rows.groupby("arm")["layer"].transform("max") - 1  # the highest is the head
    ends = rows.groupby("arm")["epoch"].transform("max")
    rows = rows.assign(depth=depths, look=(rows["epoch"] > 0).map({False: "first", True: "last"}))
    rows = rows[(rows["epoch"] == 0) | (rows["epoch"] == ends)]
    rows = rows[(rows["layer"] > 0) & (rows["layer"] <= rows["depth"])]
    return [
        {
            "study": row["study"],
            "arm": row["arm"],
            "depth": int(row["depth"]),
            "look": row["look"],
            "epoch": int(row["epoch"]),
            "layer": int(row["layer"]),
            "activation_deviation": _finite(row["activation_deviation"]),
            "output_gradient": _finite(row["output_gradient"]),
        }
        for _, row in rows.iterrows()
    ]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def arms_of(records: Sequence[Record]) -> list[str]:
    """In the order of the study."""
    return list(dict.fromkeys(record.arm for record in records))
