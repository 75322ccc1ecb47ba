"""What a user of a saved model should know of it, and which of two models is the better one."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from warmstart.analysis.inference import interval
from warmstart.analysis.results import DataCard, Results
from warmstart.analysis.scores import tested, validated
from warmstart.analysis.words import points, wording
from warmstart.config.params import Splits
from warmstart.data.split import resplit
from warmstart.data.view import View
from warmstart.records import Kept, Record

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
    view = _view(best, prepared, seed)
    task = view.task
    alike = results.chosen(best.arm)
    classes, splits = ", ".join(task.class_names), best.settings.get("splits", "fixed")
    metric, title = results.summary.metric, wording(results.summary).title
    if task.classes:
        use = f"telling {classes} of {data.name} apart: {task.features} features, "
        use += "standardized as `input` says, to one logit for each class in this order"
        limits = "Knows no other classes and was tested on"
    else:
        use = f"predicting {data.predicted or 'the target'} of {data.name}: {task.features} "
        use += "features, standardized as `input` says, to the number"
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
        },
        "arm": best.arm,
        "settings": best.settings,
        "learning_rate": best.learning_rate,
        "seed": best.seed,
        "seeds": len(alike),
        "metric": metric,
        f"validation_{metric}": validated(best),
        "validation_data": saved.data,
        "validation_hits": saved.validation_hits,
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
        "input": {
            "how": "raw samples of this shape, flattened; then (value - mean) / scale",
            "shape": data.content["feature_shape"],
            "mean": view.standardization.mean.tolist(),
            "scale": view.standardization.scale.tolist(),
        },
    }


def _view(trial: Record, prepared: Path, seed: int) -> View:
    """What `trial` saw: its stage's task, or its split of it, standardized or raw."""
    name = TASKS[trial.stage]
    view = View.read(prepared, name)
    if trial.split:
        splits = cast(Splits, trial.settings["splits"])
        whole = resplit(View.read(prepared, "full"), trial.split, seed, splits)
        view = whole.only(name, view.task.class_names)
    return view if trial.settings["standardize"] == "true" else view.raw()


@dataclass(frozen=True)
class Decision:
    """Whether one model takes another's place, and why."""

    better: bool
    reason: str
    """A clause that begins with a small letter."""


def beats(ours: Mapping[str, Any], champion: Mapping[str, Any]) -> Decision:
    """Whether the model of the card `ours` is better than that of the card `champion`: the 95 %
    interval of the difference of their validation accuracies, paired by sample, is above 0.

    They are compared only where both validated on the same samples: that both were chosen on these
    flatters both alike. A network trained on other samples may have seen some of ours.
    """
    if ours["data"]["classes"] != champion["data"]["classes"]:
        return Decision(False, "it knows other classes")
    if ours["validation_data"] != champion["validation_data"]:
        return Decision(False, "it was validated on other data")
    if not ours["validation_hits"] or not champion["validation_hits"]:
        return Decision(False, "numbers are not right or wrong, sample by sample")
    one, other = (_hits(card) for card in (ours, champion))
    difference = interval((one - other).tolist())
    text = f"{points(difference)} on {len(one):,} validation samples, paired by sample"
    if difference.low is not None and difference.low > 0:
        return Decision(True, text)
    return Decision(False, f"{text}; not shown to be better")


def _hits(of: Mapping[str, Any]) -> np.ndarray:
    """(validation samples,): 1 where the model is right, else 0."""
    bits = np.frombuffer(bytes.fromhex(of["validation_hits"]), np.uint8)
    return np.unpackbits(bits, count=of["validation_samples"]).astype(np.float64)
