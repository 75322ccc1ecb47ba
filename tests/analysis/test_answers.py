"""What is said of a study where validation and test disagree, and of arms that have a key."""

import math

from fabricated import finished, trial
from warmstart.analysis.answers import matters, warnings
from warmstart.analysis.results import DataCard, Results, judged
from warmstart.records import Record

CARD = DataCard(
    {
        "name": "made up",
        "kind": "multiclass",
        "target": {"name": "sort"},
        "tasks": {"full": {"digest": "d" * 64, "train": {"n": 900}, "test": {"n": 360}}},
    }
)


def of(records: list[Record]) -> Results:
    found = judged(tuple(records), CARD, 0.01)
    assert found
    return found


def test_what_is_better_in_the_test_matters() -> None:
    chosen = finished("relu", [0.80, 0.81, 0.79], val_accuracy=[0.99])
    assert matters(of(chosen + finished("elu", [0.90, 0.91, 0.89]))) == "better: elu"
    assert matters(of(chosen + finished("elu", [0.70, 0.71, 0.69]))) == "worse: elu"


def test_warnings_call_arms_of_transfer_by_their_names() -> None:
    starts = {"stage": "transfer", "study": ""}
    records = finished("scratch", [0.80, 0.81, 0.79], **starts)
    records += finished("on_a_first_3", [0.80, 0.81], **starts)
    tested = {"test_accuracy": 0.1, "test_loss": math.nan}
    lost = {"val_accuracy": [math.nan], "val_loss": [math.nan], "outcome": "diverged"}
    records.append(trial("on_a_first_3", 2, test=tested, **starts, **lost))  # type: ignore[arg-type]
    (said,) = (line for line in warnings(of(records)) if line.startswith("Diverged"))
    assert "B on A, first 3 layers (33%)" in said
