"""The numbers behind each picture, as flat rows: for the pictures here and for `dvc plots`."""

import math
from typing import Any

import pandas as pd

from warmstart.analysis.inference import interval
from warmstart.analysis.results import Results
from warmstart.analysis.ties import letters
from warmstart.training.selection import rate_scores

Row = dict[str, Any]

PLOTS = (
    "ranking",
    "ranks",
    "learning_curves",
    "times",
    "learning_rates",
    "layers",
    "transfer",
    "label_efficiency",
)
"""The files of `dvc plots`."""


def rows(results: Results) -> dict[str, list[Row]]:
    """The rows of one stage or study, by the names in PLOTS; without those it has none for."""
    curves = learning_curves(results)
    found = {"learning_curves": curves, "learning_rates": learning_rates(results)}
    if results.summary.stage != "pretrain":
        found |= {"ranking": ranking(results), "ranks": ranks(results)}
        pace = {arm: results.seconds_per_epoch(arm) for arm in results.arms}
        found["times"] = [
            row | {"seconds": row["epoch"] * seconds}
            for row in curves
            if (seconds := pace[row["arm"]]) is not None
        ]
    if results.summary.stage == "transfer":
        found["transfer"] = per_seed(results)
    if results.diagnostics is not None:
        found["layers"] = layers(results.diagnostics)
    return found


def ranking(results: Results) -> list[Row]:
    """One row per arm, in order of rank; low and high are None where there is no interval."""
    contrasts = {arm: results.contrast(arm) for arm in results.summary.arms}
    return [
        {
            "study": results.name,
            "arm": arm,
            "rank": judged.rank,
            "test_accuracy": judged.test_accuracy.mean,
            "low": judged.test_accuracy.low,
            "high": judged.test_accuracy.high,
            "verdict": contrast.verdict if (contrast := contrasts[arm]) else "reference",
        }
        for arm, judged in results.summary.arms.items()
    ]


def ranks(results: Results) -> list[Row]:
    """Mean rank of every arm; arms that share a letter under `ties` cannot be told apart."""
    groups = results.summary.groups
    return [
        {
            "study": results.name,
            "arm": arm,
            "mean_rank": judged.mean_rank,
            "ties": letters(arm, groups),
        }
        for arm, judged in results.summary.arms.items()
    ]


def learning_curves(results: Results) -> list[Row]:
    """Validation accuracy by epoch, mean over seeds with its interval, at the chosen rates.

    A curve ends where the first of its seeds diverged: the mean of the survivors would flatter.
    """
    found = []
    for arm in results.arms:
        curves = [record.epochs["val_accuracy"] for record in results.chosen(arm)]
        for epoch, values in enumerate(zip(*curves, strict=False), start=1):
            if not all(map(math.isfinite, values)):
                break
            mean = interval(values, overlap=results.overlap)
            found.append(
                {
                    "study": results.name,
                    "arm": arm,
                    "epoch": epoch,
                    "val_accuracy": mean.mean,
                    "low": mean.low,
                    "high": mean.high,
                }
            )
    return found


def learning_rates(results: Results) -> list[Row]:
    """Validation accuracy of the last epoch by learning rate, mean over seeds, diverged as 0."""
    return [
        {
            "study": results.name,
            "arm": arm,
            "learning_rate": rate,
            "val_accuracy": accuracy,
            "chosen": rate == results.summary.arms[arm].learning_rate,
        }
        for arm, scores in rate_scores(results.records).items()
        for rate, (accuracy, _) in scores.items()
    ]


def per_seed(results: Results) -> list[Row]:
    """Test accuracy of every seed and arm at its chosen rate."""
    return [
        {"seed": r.seed, "arm": r.arm, "test_accuracy": r.test["test_accuracy"]}
        for r in sorted(results.records, key=lambda r: r.seed)
        if r.chosen
    ]


def observed_seed(diagnostics: pd.DataFrame) -> pd.DataFrame:
    """The rows of the seed that was observed during training, the first one."""
    first = diagnostics.groupby("arm")["seed"].transform("min")
    return diagnostics[diagnostics["seed"] == first]


def layers(diagnostics: pd.DataFrame) -> list[Row]:
    """Each hidden layer at initialization and in the last look, in the first seed; None for what
    is no finite number."""
    looks = observed_seed(diagnostics)
    depths = looks.groupby("arm")["layer"].transform("max") - 1  # the highest is the head
    last = looks.groupby("arm")["epoch"].transform("max")
    looks = looks.assign(
        depth=depths, look=(looks["epoch"] > 0).map({False: "first", True: "last"})
    )
    looks = looks[looks["epoch"].isin([0]) | (looks["epoch"] == last)]
    looks = looks[looks["layer"].between(1, looks["depth"])]
    whole, numbers = ["depth", "epoch", "layer"], ["activation_deviation", "output_gradient"]
    columns = ["study", "arm", "depth", "look", "epoch", "layer", *numbers]
    found = looks[columns].astype(dict.fromkeys(whole, int)).to_dict("records")
    return [
        {str(k): None if k in numbers and not math.isfinite(v) else v for k, v in row.items()}
        for row in found
    ]
