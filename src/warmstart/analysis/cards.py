"""What a user of a saved model should know of it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from warmstart.data.task import View
from warmstart.files import read_json, write_json
from warmstart.records import Record
from warmstart.training.selection import best_record


def write(
    model: Path, *, data_name: str, view: View, prepared: Path, records: Sequence[Record]
) -> None:
    """Write the card of the `.keras` file `model` beside it; JSON, without a clock.

    Args:
        model: the best trial, as `Experiment.run` saved it.
        data_name: of the dataset.
        view: of the samples that it was trained, validated and tested on.
        prepared: folder that `prepare` wrote.
        records: of all trials of its stage.
    """
    from warmstart.analysis.statistics import interval  # see experiment._load_statistics

    task, best = view.task, best_record(records)
    alike = [record for record in records if record.chosen and record.arm == best.arm]
    classes = ", ".join(task.class_names)
    write_json(
        model.with_suffix(".json"),
        {
            "model": model.name,
            "stage": best.stage,
            "study": best.study,
            "data": {
                "name": data_name,
                "digest": task.digest,
                "classes": list(task.class_names),
                "features": task.features,
            },
            "arm": best.arm,
            "settings": best.settings,
            "learning_rate": best.learning_rate,
            "seed": best.seed,
            "seeds": len(alike),
            "validation_accuracy": best.epochs["val_accuracy"][-1],
            "test_accuracy": best.test["test_accuracy"],
            "test_accuracy_of_the_arm": asdict(interval(r.test["test_accuracy"] for r in alike)),
            "test_samples": len(task.y_test),
            "record": best.digest,
            "chosen": "of all arms the one with the best mean validation accuracy at its own best "
            "learning rate, and of its seeds the best on validation; the test set had no say",
            "intended_use": f"telling {classes} of {data_name} apart: {task.features} features, "
            "standardized as `input` says, to one logit for each class in this order",
            "limits": f"Knows no other classes and was tested on {len(task.y_test)} samples of the "
            "same source. The interval is over seeds on one split, not over other data. A seed "
            "picked as the best on validation is flattered by its validation accuracy; what to "
            "expect is the arm's mean.",
            "input": {
                "how": "raw samples of this shape, flattened; then (value - mean) / scale",
                "shape": read_json(prepared / "card.json")["feature_shape"],
                "mean": view.standardization.mean.tolist(),
                "scale": view.standardization.scale.tolist(),
            },
        },
    )
