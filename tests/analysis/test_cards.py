"""The card says what the records say of the model that was kept."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "analysis"))

from fabricated import finished
from warmstart.analysis import cards as card
from warmstart.data.task import Standardization, Task, View
from warmstart.files import write_json
from warmstart.training.selection import best_of

x, y = np.zeros((4, 3), "float32"), np.array([0, 1, 0, 1], "int32")
TASK = Task.of(
    name="b",
    class_names=("elm", "oak"),
    **{f"x_{part}": x for part in ("train", "validation", "test")},
    **{f"y_{part}": y for part in ("train", "validation", "test")},
)


def test_the_card_of_the_best_trial(tmp_path: Path) -> None:
    records = [*finished("scratch", [0.7, 0.6, 0.5]), *finished("on_a", [0.8, 0.9, 0.7])]
    best = records[4]
    best.epochs["val_accuracy"] = (0.95,)
    write_json(tmp_path / "card.json", {"feature_shape": [3, 1]})
    standardization = Standardization(mean=np.array([0.1, 2, -3]), scale=np.array([1.0, 3, 1 / 3]))
    for folder in ("one", "two"):
        card.write(
            tmp_path / folder / "b.keras",
            data_name="trees",
            view=View(task=TASK, standardization=standardization),
            prepared=tmp_path,
            records=records,
        )
    assert (tmp_path / "one/b.json").read_bytes() == (tmp_path / "two/b.json").read_bytes()
    found = json.loads((tmp_path / "one/b.json").read_text())
    assert found["model"] == "b.keras"
    given = found["input"]
    assert (given["shape"], given["mean"], given["scale"]) == ([3, 1], [0.1, 2, -3], [1, 3, 1 / 3])
    assert (found["arm"], found["seed"], found["seeds"]) == ("on_a", 1, 3)
    assert (found["record"], found["data"]["digest"]) == (best.digest, TASK.digest)
    assert found["test_accuracy"] == 0.9
    # t(0.975, 2) = 4.302653, deviation 0.1: 0.8 ± 0.248414
    arm = found["test_accuracy_of_the_arm"]
    assert [arm[k] for k in ("mean", "low", "high")] == pytest.approx([0.8, 0.551586, 1.048414])
    assert "elm, oak of trees" in found["intended_use"]
    assert "4 samples" in found["limits"]


def test_the_kept_trial_is_chosen_on_validation() -> None:
    """Of the arm with the best mean, its best seed, whatever the test set says."""
    records = [*finished("scratch", [0.9, 0.9]), *finished("on_a", [0.1, 0.1])]
    for record, last in zip(records, (0.99, 0.5, 0.8, 0.9), strict=True):
        record.epochs["val_accuracy"] = (*record.epochs["val_accuracy"][:-1], last)
    assert best_of(records) == 3
