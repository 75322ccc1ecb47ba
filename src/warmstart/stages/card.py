"""What a user of a saved model should know of it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from warmstart.data.task import Task
from warmstart.files import write_json
from warmstart.records import Record


def write(
    path: Path, *, model: str, data_name: str, task: Task, best: Record, records: Sequence[Record]
) -> None:
    """Write the card of `model`, the trial `best` on `task`, to `path`; JSON, without a clock.

    Args:
        path: of the card.
        model: name of the model's file.
        data_name: of the dataset.
        task: that it was trained, validated and tested on.
        best: its record.
        records: of all trials of its stage.
    """
    from warmstart.analysis.statistics import interval  # see experiment._load_statistics

    alike = [r for r in records if r.arm == best.arm and r.chosen]
    classes = ", ".join(task.class_names)
    write_json(
        path,
        {
            "model": model,
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
            "standardized by data/prepared/standardize.npz, to one logit for each class in this "
            "order",
            "limits": f"Knows no other classes and was tested on {len(task.y_test)} samples of the "
            "same source. The interval is over seeds on one split, not over other data. A seed "
            "picked as the best on validation is flattered by its validation accuracy; what to "
            "expect is the arm's mean.",
        },
    )
