"""What a user of a saved model should know of it, and which of two models is the better one."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.analysis.inference import interval
from warmstart.analysis.results import DataCard, Results
from warmstart.analysis.scores import tested, validated
from warmstart.analysis.words import points, signed, wording
from warmstart.data.split import resplit
from warmstart.data.task import Task
from warmstart.data.view import View
from warmstart.records import Kept

TASKS = {"pretrain": "a", "transfer": "b", "compare": "full"}
"""Stage -> the task in the folder of `prepare` that its model was trained on."""
_DRAWN = {
    "resampled": "each with its own split of these data",
    "official": "each with its own split of these data but the test set that came with them",
    "fixed": "on one split of these data",
}


def card(
    saved: Kept, results: Results, data: DataCard, prepared: Path, seed: int
) -> dict[str, Any]:
    """The card of the model that a stage saved, without a clock.

    Args:
        saved: which trial's network that is.
        results: of the stage.
        data: that it was run on.
        prepared: folder that `prepare` wrote.
        seed: root of the run.
    """
    best = next(record for record in results.records if record.digest == saved.record)
    known = {"stage": best.stage, "settings": best.settings, "seed": best.seed, "root_seed": seed}
    view = view_of(known, prepared)
    task = view.task
    alike = results.chosen(best.arm)
    classes, splits = ", ".join(task.class_names), best.settings.get("splits", "fixed")
    metric, title = results.summary.metric, wording(results.summary).title
    if task.classes:
        use = f"telling {classes} of {data.name} apart: {task.features} features, "
        use += "made as `input` says, to one logit for each class in this order"
        limits = "Knows no other classes and was tested on"
    else:
        use = f"predicting {data.predicted or 'the target'} of {data.name}: {task.features} "
        use += "features, made as `input` says, to the number in its standard deviations"
        limits = "Was tested on"
    return {
        "model": Path(saved.model).name,
        "stage": best.stage,
        "study": best.study,
        "data": {
            "name": data.name,
            "digest": task.digest,
            "classes": list(task.class_names),
            "features": task.features,
            "target": _target(task, data),
        },
        "arm": best.arm,
        "settings": best.settings,
        "learning_rate": best.learning_rate,
        "seed": best.seed,
        "root_seed": seed,
        "seeds": len(alike),
        "metric": metric,
        f"validation_{metric}": validated(best),
        "validation_data": saved.data,
        "validation_hits": saved.validation_hits,
        "validation_errors": saved.validation_errors,
        "validation_samples": saved.validation_samples,
        f"test_{metric}": tested(best),
        f"test_{metric}_of_the_arm": dataclasses.asdict(interval(map(tested, alike))),
        "test_samples": len(task.y_test),
        "record": best.digest,
        "chosen": f"of all arms the one with the best mean validation {title} at its own best "
        "learning rate, and of its seeds the best on validation; the test set had no say",
        "intended_use": use,
        "limits": f"{limits} {len(task.y_test)} samples of the "
        f"same source. The interval is over seeds, {_DRAWN[splits]}, not over other data. A "
        f"network picked as the best on validation is flattered by its validation {title}; what "
        "to expect is the arm's mean.",
        "input": _input(view, data),
    }


def _input(view: View, data: DataCard) -> dict[str, Any]:
    """How rows become features: of a table its columns, each once; else a formula."""
    shape = {"shape": data.content["feature_shape"]}
    if columns := view.dataset.columns:
        how = "rows with these columns; gaps filled, categories and dates spread out, and numbers "
        how += "standardized, by what trains"
        # of a date the last part says whether some are missing
        kinds = {c.name: {"kind": c.kind, "missing": c.missing} for c in columns}
        return {"how": how, **shape, "columns": [{"name": name} | kinds[name] for name in kinds]}
    return {
        "how": "raw samples of this shape, flattened; then (value - mean) / scale",
        **shape,
        "mean": view.standardization.mean.tolist(),
        "scale": view.standardization.scale.tolist(),
    }


def _target(task: Task, data: DataCard) -> dict[str, Any] | None:
    """What the number is called, with its mean and deviation where it trained; None: classes."""
    if task.classes:
        return None
    mean, deviation = task.target
    return {"name": data.predicted or "y", "mean": mean, "deviation": deviation}


def view_of(card: Mapping[str, Any], prepared: Path) -> View:
    """What the network of `card` was trained on: its stage's task in the folder `prepared`, or its
    seed's split of it, standardized or raw.

    Raises:
        InputError: the task is not there.
    """
    name, settings = TASKS[card["stage"]], card["settings"]
    view, splits = View.read(prepared, name), settings.get("splits", "fixed")
    if number := 0 if splits == "fixed" else card["seed"]:
        whole = resplit(View.read(prepared, "full"), number, card["root_seed"], splits)
        view = whole.only(name, view.task.class_names)
    return view if settings["standardize"] == "true" else view.raw()


@dataclass(frozen=True)
class Decision:
    """Whether one model takes another's place, and why."""

    better: bool
    reason: str
    """A clause that begins with a small letter."""


def beats(ours: Mapping[str, Any], champion: Mapping[str, Any]) -> Decision:
    """Whether the model of the card `ours` is better than that of the card `champion`: the 95 %
    interval of the difference of their validation accuracies, paired by sample, is above 0; of
    numbers that of their squared errors, or absolute ones where MAE decides, below 0.

    They are compared only where both validated on the same samples: that both were chosen on these
    flatters both alike. A network trained on other samples may have seen some of ours.
    """
    if ours["data"]["classes"] != champion["data"]["classes"]:
        return Decision(False, "it knows other classes")
    if ours["validation_data"] != champion["validation_data"]:
        return Decision(False, "it was validated on other data")
    kind = "validation_hits" if ours["data"]["classes"] else "validation_errors"
    if not ours.get(kind) or not champion.get(kind):
        return Decision(False, "what either says of each sample is not known")
    if kind == "validation_hits":
        one, other = (_hits(card) for card in (ours, champion))
        difference = interval((one - other).tolist())
        text, best = points(difference), difference.low
    else:
        power = 1 if ours["metric"] == "mae" else 2
        one, other = (_errors(card) ** power for card in (ours, champion))
        difference = interval((one - other).tolist())
        name = f"mean {'absolute' if power == 1 else 'squared'} error"
        text, best = f"{name} {signed(difference)}", -(difference.high or 0.0)
    text += f" on {len(one):,} validation samples, paired by sample"
    if best is not None and best > 0:
        return Decision(True, text)
    return Decision(False, f"{text}; not shown to be better")


def _hits(of: Mapping[str, Any]) -> np.ndarray:
    """(validation samples,): 1 where the model is right, else 0."""
    bits = np.frombuffer(bytes.fromhex(of["validation_hits"]), np.uint8)
    return np.unpackbits(bits, count=of["validation_samples"]).astype(np.float64)


def _errors(of: Mapping[str, Any]) -> np.ndarray:
    """(validation samples,): absolute errors in the unit of the target."""
    return np.frombuffer(bytes.fromhex(of["validation_errors"]), "<f4").astype(np.float64)
