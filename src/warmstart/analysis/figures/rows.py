"""The numbers behind each picture, as flat rows with the same columns whatever metric decides: for
the pictures here and for `dvc plots`.

Every value has a `place`, its error: of an accuracy or R² what is missing to 1, of an error itself.
On a reversed logarithmic axis of places better is up or right, and equal steps are equal factors of
the error: between 96 and 98 % it halves, as it does between 60 and 80 %.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from warmstart.analysis.diagnosis import observed_seed
from warmstart.analysis.figures.looks import Look
from warmstart.analysis.inference import interval
from warmstart.analysis.labels import label
from warmstart.analysis.results import Results
from warmstart.analysis.scores import curve, followed, tested
from warmstart.analysis.summary import Interval, Summary
from warmstart.analysis.words import Wording, wording
from warmstart.metrics import Metric
from warmstart.training.selection import rate_scores

Row = dict[str, Any]

PLOTS = (
    "ranking",
    "seeds",
    "learning_curves",
    "times",
    "learning_rates",
    "label_efficiency",
    "layers",
)
"""The files of `dvc plots`."""
QUANTITIES = {
    "activations": ("activation_deviation", "deviation of activations"),
    "gradients": ("output_gradient", "back-propagated gradient, root mean square"),
}
"""What is shown over the layers of a network: its column among the looks, and its title."""
_NO_ERROR = {"number": 1e-6, "target": 1e-9}
"""In place of no error at all, which lies infinitely far away on a logarithmic axis."""


def rows(
    results: Results, looks: Mapping[str, Look], labels: Mapping[int, Summary]
) -> dict[str, list[Row]]:
    """The rows of one stage or study by the names in PLOTS; without those it has none for.

    Args:
        results: of the stage or study.
        looks: arm -> its look, also of networks that were only looked into.
        labels: of `transfer`: number of labels -> what the study with so many says.
    """
    stage, curves = results.summary.stage, list(_curves(results))
    found = {"learning_curves": curves, "learning_rates": list(_rates(results))}
    if len(results.arms) > 1:
        found |= {"ranking": list(_ranking(results)), "seeds": list(_seeds(results))}
    pace = {arm: results.seconds_per_epoch(arm) for arm in results.arms}
    found["times"] = [
        row | {"seconds": row["epoch"] * seconds}
        for row in curves
        if (seconds := pace[row["arm"]]) is not None
    ]
    if results.diagnostics is not None:
        found["layers"] = list(_layers(results.diagnostics))
    if len(labels) > 1:
        found["label_efficiency"] = list(_labels(labels, results))
    return {
        name: [
            {"study": results.name, "label": label(row["arm"], stage)}
            | row
            | looks[row["arm"]]._asdict()
            for row in some
        ]
        for name, some in found.items()
        if some
    }


def placed(said: Wording, mean: Interval, smallest: float) -> Row:
    """A mean with its 95 % interval: `value`, `low` and `high` as they are, `place`, `place_low`
    and `place_high` on an axis of errors, `shown` in words; None where there is no interval.

    `smallest` is the smallest error worth showing where values are shares.
    """
    ends = {"low": mean.low, "high": mean.high}
    place = error(said.metric, mean.mean, smallest)
    return {
        "measure": said.title,
        "unit": "%" if said.metric.form == "share" else "",
        "best": int(said.metric.higher_is_better),
        "value": mean.mean,
        **ends,
        "place": place,
        **{
            # an interval that reaches no error at all would otherwise set the scale of the axis
            f"place_{end}": value
            if value is None
            else max(error(said.metric, value, smallest), place / 10)
            for end, value in ends.items()
        },
        "shown": said.mean(mean),
    }


def error(metric: Metric, value: float, smallest: float) -> float:
    """How much `value` is worse than perfect, to five digits, and never 0."""
    rest = 1 - value if metric.higher_is_better else value
    return float(f"{max(rest, smallest if metric.form == 'share' else _NO_ERROR[metric.form]):.5g}")


def _ranking(results: Results) -> Iterator[Row]:
    """The test of every arm that has one, the best on validation first; `near_low` to `near_high`
    are the places that are practically equal to the reference."""
    summary, said = results.summary, wording(results.summary)
    reference, near = summary.arms[summary.reference].test, list[float]()
    if reference.n:
        ends = (reference.mean - summary.margin, reference.mean + summary.margin)
        near = sorted(error(said.metric, end, results.smallest) for end in ends)
    for arm, found in summary.arms.items():
        if not found.test.n:
            continue
        contrast = results.contrast(arm)
        yield {
            "arm": arm,
            "rank": found.rank,
            **placed(said, found.test, results.smallest),
            "near_low": min(near, default=None),
            "near_high": max(near, default=None),
            "verdict": contrast.verdict if contrast else "reference",
            "difference": said.difference(contrast.difference) if contrast else "–",
            "learning_rate": found.learning_rate,
            "seeds": found.test.n,
        }


def _seeds(results: Results) -> Iterator[Row]:
    """The test of each seed under each arm."""
    said = wording(results.summary)
    for arm, found in results.summary.arms.items():
        for record in sorted(results.chosen(arm), key=lambda r: r.seed):
            if math.isfinite(value := tested(record)):
                point = placed(said, _alone(value), results.smallest)
                yield {"arm": arm, "rank": found.rank, "seed": record.seed, **point}


def _curves(results: Results) -> Iterator[Row]:
    """What is followed on validation by epoch (`scores.followed`), mean over seeds with its
    interval, at the chosen rates.

    A curve ends where the first of its seeds diverged: the mean of the survivors would flatter.
    """
    said, reference = _followed(results), results.summary.reference
    for arm in results.arms:
        trials = results.chosen(arm)
        diverged = any(record.outcome == "diverged" for record in trials)
        known: list[Row] = []
        for epoch, values in enumerate(zip(*map(curve, trials), strict=False), start=1):
            if not all(map(math.isfinite, values)):
                break
            point = placed(said, interval(values), results.smallest)
            known.append({"arm": arm, "epoch": epoch, **point})
        for row in known:
            row |= {"reference": arm == reference, "diverged": diverged and row is known[-1]}
        yield from known


def _followed(results: Results) -> Wording:
    """How what is followed from epoch to epoch is said."""
    kin, said = followed(results.summary.metric), wording(results.summary)
    return Wording(kin.metric, said.predicted)


def _rates(results: Results) -> Iterator[Row]:
    """The metric that decides on validation after the last epoch by learning rate, of arms that
    have one, mean over the seeds that were trained to the end. A trial that diverged counts as
    `scores.validated` says; no row where the mean is no finite number."""
    said, arms = wording(results.summary), results.summary.arms
    for arm, scores in rate_scores(results.records).items():
        for rate, (gain, _) in sorted(scores.items()):
            if rate and math.isfinite(gain):
                point = placed(said, _alone(said.metric.gain(gain)), results.smallest)
                chosen = rate == arms[arm].learning_rate
                yield {"arm": arm, "learning_rate": rate, "chosen": chosen, **point}


def _labels(summaries: Mapping[int, Summary], transfer: Results) -> Iterator[Row]:
    """Test by number of labels, mean over seeds, each with labels of its own."""
    common = set.intersection(*(set(summary.arms) for summary in summaries.values()))
    for arm in (arm for arm in transfer.arms if arm in common):
        for count in sorted(summaries):
            summary = summaries[count]
            if summary.arms[arm].test.n:
                point = placed(wording(summary), summary.arms[arm].test, transfer.smallest)
                yield {"arm": arm, "labels": count, **point, "reference": arm == summary.reference}


def _alone(value: float) -> Interval:
    return Interval(mean=value, low=None, high=None, sd=None, n=1)


def _layers(diagnostics: pd.DataFrame) -> Iterator[Row]:
    """Each hidden layer at initialization and in the last look, in the first seed; without what is
    no positive number, which has no place on a logarithmic axis."""
    seen = observed_seed(diagnostics)
    highest = seen.groupby("arm")[["layer", "epoch"]].transform("max")
    seen = seen.assign(depth=highest["layer"] - 1)  # the highest layer is the head
    shown = (seen["epoch"] == 0) | (seen["epoch"] == highest["epoch"])
    seen = seen[shown & seen["layer"].between(1, seen["depth"])]
    for kind, (column, title) in QUANTITIES.items():
        for row in seen[np.isfinite(seen[column]) & (seen[column] > 0)].to_dict("records"):
            yield {
                "arm": row["arm"],
                "quantity": kind,
                "depth": int(row["depth"]),
                "panel": f"{row['study']}, {title}, {int(row['depth'])} layers",
                "look": "after training" if row["epoch"] else "at initialization",
                "layer": int(row["layer"]),
                "value": float(f"{row[column]:.5g}"),
            }
