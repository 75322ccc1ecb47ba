"""What the description of a study says to do."""

from types import SimpleNamespace
from typing import Any

import pytest

from fabricated import finished
from warmstart.analysis.results import DataCard, judged
from warmstart.tracking.notes import note

CARD = DataCard(
    {
        "name": "made up",
        "kind": "multiclass",
        "target": {"name": "sort"},
        "tasks": {"full": {"digest": "d" * 64, "train": {"n": 900}, "test": {"n": 360}}},
    }
)
RUN: Any = SimpleNamespace(info=SimpleNamespace(run_id="r", run_name="best"))


def said(stage: str, **arms: float) -> str:
    """The answer of a study whose arms have that accuracy, give or take."""
    records = [
        record
        for arm, accuracy in arms.items()
        for record in finished(
            arm,
            [accuracy, accuracy + 0.002, accuracy - 0.002],
            stage=stage,
            study="" if stage == "transfer" else "initializer",
            val_accuracy=[accuracy],
        )
    ]
    found = judged(tuple(records), CARD, 0.01)
    assert found
    return note(found.summary, "1", RUN, drawn=False).split("\n\n")[0]


@pytest.mark.parametrize(
    ("arms", "use"),
    [
        ({"scratch": 0.8, "on_a": 0.9, "on_a_first_1": 0.8}, "Use B on A, freeze then thaw."),
        (
            {"scratch": 0.8, "on_a": 0.7, "on_a_first_1": 0.8},
            "Use B from scratch, or whichever of B on A, first layer suits you better.",
        ),
        ({"scratch": 0.8, "on_a": 0.7}, "Use B from scratch."),
    ],
)
def test_what_beats_scratch_is_what_to_use(arms: dict[str, float], use: str) -> None:
    assert said("transfer", **arms).endswith(use)


def test_validation_has_chosen_the_reference_of_a_study() -> None:
    text = said("compare", relu=0.9, elu=0.9, zeros=0.1)
    assert text.endswith("Use relu, or whichever of elu suits you better.")
