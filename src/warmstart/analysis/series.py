"""The numbers behind each picture, as flat rows: for the pictures here and for `dvc plots`."""

import math
from typing import Any

import numpy as np
import pandas as pd

from warmstart.analysis.inference import interval
from warmstart.analysis.results import Results
from warmstart.analysis.scores import curve, followed, tested
from warmstart.analysis.summary import Interval
from warmstart.analysis.ties import letters
from warmstart.metrics import METRICS
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
    summary, curves = results.summary, learning_curves(results)
    start = [({"study": results.name, "arm": arm}, arm) for arm in summary.arms]
    found = {"learning_curves": curves, "learning_rates": learning_rates(results)}
    if summary.stage != "pretrain":
        found["ranking"] = [
            known
            | {"rank": summary.arms[arm].rank}
            | mean_row(f"test_{summary.metric}", summary.arms[arm].test)
            | {"verdict": contrast.verdict if (contrast := results.contrast(arm)) else "reference"}
            for known, arm in start
        ]
        found["ranks"] = [
            known | {"mean_rank": summary.arms[arm].mean_rank, "ties": letters(arm, summary.groups)}
            for known, arm in start
        ]
        pace = {arm: results.seconds_per_epoch(arm) for arm in results.arms}
        found["times"] = [
            row | {"seconds": row["epoch"] * seconds}
            for row in curves
            if (seconds := pace[row["arm"]]) is not None
        ]
    if summary.stage == "transfer":
        found["transfer"] = [
            {"seed": r.seed, "arm": r.arm, f"test_{summary.metric}": tested(r)}
            for r in sorted(results.records, key=lambda r: r.seed)
            if r.chosen
        ]
    if results.diagnostics is not None:
        found["layers"] = layers(results.diagnostics)
    return found


def mean_row(name: str, mean: Interval) -> Row:
    """A mean with its 95 % interval; low and high are None where there is none."""
    return {name: mean.mean, "low": mean.low, "high": mean.high}


def learning_curves(results: Results) -> list[Row]:
    """What is followed on validation by epoch (`scores.followed`), mean over seeds with its
    interval, at the chosen rates.

    A curve ends where the first of its seeds diverged: the mean of the survivors would flatter.
    """
    found, name = [], curve_name(results.summary.metric)
    for arm in results.arms:
        curves = [curve(record) for record in results.chosen(arm)]
        for epoch, values in enumerate(zip(*curves, strict=False), start=1):
            if not all(map(math.isfinite, values)):
                break
            row = {"study": results.name, "arm": arm, "epoch": epoch}
            found.append(row | mean_row(name, interval(values)))
    return found


def curve_name(metric: str) -> str:
    """The column of what is followed where `metric` decides."""
    kin = followed(metric)
    return "val_loss" if kin.title == "loss" else f"val_{kin.metric.name}"


def learning_rates(results: Results) -> list[Row]:
    """The metric that decides on validation after the last epoch by learning rate, mean over the
    seeds that were trained to the end. A trial that diverged counts as `scores.validated` says; no
    row where the mean is no finite number."""
    metric = METRICS[results.summary.metric]
    return [
        {
            "study": results.name,
            "arm": arm,
            "learning_rate": rate,
            f"val_{metric.name}": metric.gain(gain),
            "chosen": rate == results.summary.arms[arm].learning_rate,
        }
        for arm, scores in rate_scores(results.records).items()
        for rate, (gain, _) in scores.items()
        if math.isfinite(gain)
    ]


def observed_seed(diagnostics: pd.DataFrame) -> pd.DataFrame:
    """The rows of the seed that was observed during training, the first one."""
    first = diagnostics.groupby("arm")["seed"].transform("min")
    return diagnostics[diagnostics["seed"] == first]


def layers(diagnostics: pd.DataFrame) -> list[Row]:
    """Each hidden layer at initialization and in the last look, in the first seed; None for what
    is no finite number."""
    looks = observed_seed(diagnostics)
    highest = looks.groupby("arm")[["layer", "epoch"]].transform("max")
    depth, epoch = highest["layer"] - 1, looks["epoch"]  # the highest layer is the head
    shown = ((epoch == 0) | (epoch == highest["epoch"])) & looks["layer"].between(1, depth)
    looks = looks.assign(depth=depth, look=np.where(epoch > 0, "last", "first"))[shown]
    numbers = ["activation_deviation", "output_gradient"]
    finite = looks[numbers].astype(object).where(np.isfinite(looks[numbers]), None)
    whole = looks[["depth", "epoch", "layer"]].astype(int)
    columns = ["study", "arm", "depth", "look", "epoch", "layer", *numbers]
    found: list[Any] = looks.assign(**whole, **finite)[columns].to_dict("records")
    return found
