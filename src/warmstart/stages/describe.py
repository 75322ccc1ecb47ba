"""What was understood of the data, and what becomes of the settings on them, before anything is
trained."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from warmstart.config.data import DRAWN
from warmstart.config.params import Params
from warmstart.data import encoder, fitting, images
from warmstart.data.dataset import Dataset
from warmstart.data.sources import load
from warmstart.errors import visible
from warmstart.metrics import METRICS, automatic
from warmstart.stages.plan import Plan, planned

_MOST_CLASSES, _MOST_COLUMNS = 30, 200  # shown by name


def describe(params: Params) -> str:
    """Columns and classes, the task and why, the parts of the first split, what could leak, and
    settings that come to something else than they say.

    Raises:
        InputError: with the problems of the data or of the parameters.
    """
    dataset = load(params.data)
    plan = planned(dataset, params)
    lines = [*_target(dataset), *_columns(dataset), *_parts(dataset, params, plan)]
    lines += [*plan.warnings, *_settings(dataset, params, plan)]
    return "\n".join(map(visible, lines))


def _target(dataset: Dataset) -> Iterator[str]:
    shape = " × ".join(map(str, dataset.feature_shape))
    what = _many(len(dataset.columns_named), "column") if dataset.columns else f"shape {shape}"
    yield f"{dataset.name}: {len(dataset.y):,} samples of {what}, from {dataset.source}"
    yield f"task: {dataset.kind}; the target {dataset.target} is {dataset.why}"
    if not dataset.class_names:
        y = dataset.y
        yield (
            f"  from {y.min():g} to {y.max():g}, mean {y.mean():g}, standard deviation {y.std():g}"
        )
        return
    counts = np.bincount(dataset.y, minlength=len(dataset.class_names))
    for name, count in list(zip(dataset.class_names, counts, strict=True))[:_MOST_CLASSES]:
        yield f"  {name:<24} {count:>9,}  {100 * count / len(dataset.y):5.1f} %"
    if (more := len(counts) - _MOST_CLASSES) > 0:
        yield f"  and {more} classes more"
    if alike := _alike(dataset.class_names):
        yield f"  {', '.join(alike)} differ in small and capital letters alone"


def _alike(names: Sequence[str]) -> list[str]:
    lower = Counter(name.casefold() for name in names)
    return [name for name in names if lower[name.casefold()] > 1]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _columns(dataset: Dataset) -> Iterator[str]:
    if not dataset.columns:
        return
    widths = [*encoder.titles(dataset.columns)]
    yield f"columns, which become {_many(len(widths), 'feature')}:"
    shown = dataset.columns_named[:_MOST_COLUMNS]
    for name in shown:
        places = [i for i, column in enumerate(dataset.columns) if column.name == name]
        column = dataset.columns[places[-1]]
        gaps = _gaps(dataset, places[-1])
        notes = [f"{gaps:,} missing ({100 * gaps / len(dataset.y):.1f} %)"] if gaps else []
        notes += _notes(dataset, places)
        yield f"  {name:<24} {column.kind:<9} {'; '.join(notes)}".rstrip()
    if (more := len(dataset.columns_named) - len(shown)) > 0:
        yield f"  and {more} columns more"


def _gaps(dataset: Dataset, place: int) -> int:
    column, values = dataset.columns[place], dataset.x[:, place]
    if column.kind == "category":
        return int((values > len(column.values)).sum())
    return int(np.isnan(values).sum())


def _notes(dataset: Dataset, places: list[int]) -> Iterator[str]:
    column = dataset.columns[places[-1]]
    if column.kind in ("category", "ordered"):
        many = len(column.values) > encoder.MOST_FEATURES
        count = len(column.values)
        yield f"{count:,} categor{'y' if count == 1 else 'ies'}" + (
            f", the {encoder.MOST_FEATURES - 1} most frequent for themselves" if many else ""
        )
    elif column.kind == "date":
        yield ", ".join(dataset.columns[place].part for place in places)
    else:
        values = dataset.x[:, places[-1]]
        there = values[~np.isnan(values)]
        yield f"{there.min():g} to {there.max():g}" if len(there) else "no value"


def _parts(dataset: Dataset, params: Params, plan: Plan) -> Iterator[str]:
    sizes = {part: len(own) for part, own in plan.parts.items()}
    yield (
        f"parts: {sizes['train']:,} train, {sizes['validation']:,} validate, "
        f"{sizes['test']:,} test; {DRAWN[params.data.drawn]}"
    )
    left = len(dataset.y) - sum(sizes.values())
    if left:
        yield f"  {left:,} left out of each split, so that rows that belong together stay together"


def _settings(dataset: Dataset, params: Params, plan: Plan) -> Iterator[str]:
    if plan.no_transfer:
        yield f"transfer: left out with pretrain and autoencode, since {plan.no_transfer}"
    elif plan.counts:
        names = [dataset.class_names[label] for label in plan.counts.task_b]
        yield f"transfer: task B is {', '.join(names)}"
        yield from fitting.remarks(params, plan.counts, dataset.shape)
    if len(dataset.shape) == 3:
        network = params.compare.base.resolve(dataset.shape, "compare.base").network
        channel = images.channels(dataset.shape, params.data.standardize)
        by = "channel" if channel else "pixel"
        yield f"networks: {network.name} by default, on images standardized by {by}"
    if params.compare.metric == "auto":
        yield f"metric: {METRICS[automatic(_counts(dataset))].title}{_why(dataset)}"
    else:
        yield f"metric: {METRICS[params.compare.metric].title}, as compare.metric says"


def _counts(dataset: Dataset) -> list[int]:
    return np.bincount(dataset.y).tolist() if dataset.class_names else []


def _why(dataset: Dataset) -> str:
    counts = _counts(dataset)
    if automatic(counts) != "balanced_accuracy":
        return ""
    ratio: Any = max(counts) / min(counts)
    return f", since the most frequent class has {ratio:.1f} times the samples of the rarest"
