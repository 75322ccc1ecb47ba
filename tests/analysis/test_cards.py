"""The card says what the records say of the model that was kept, and which model is better."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fabricated import finished
from parameters import params
from project import SIZES, keep, make_task, prepare
from warmstart.analysis.cards import Decision, beats
from warmstart.analysis.judging import judge
from warmstart.config.data import Splits
from warmstart.data.split import resplit
from warmstart.data.view import View

PARAMS = params()
HITS = np.array([1, 1, 0, 1, 1, 1, 0, 1])
STANDARDIZED = {"standardize": "true"}


def card_of(project: Path, **settings: str) -> dict[str, Any]:
    """The card of a study whose fifth trial was kept."""
    prepare(project / "prepared")
    records = finished("relu", [0.7, 0.6, 0.5]) + finished("selu", [0.8, 0.9, 0.7])
    records = [dataclasses.replace(r, settings=STANDARDIZED | settings) for r in records]
    epochs = dict.fromkeys(("loss", "accuracy", "val_loss"), (0.5, 0.25))
    records[4] = dataclasses.replace(records[4], epochs=epochs | {"val_accuracy": (0.75, 0.875)})
    folder = project / "results/compare/activation"
    keep(folder, records, 4, "models/compare/activation.keras", HITS)
    (card,) = judge(PARAMS, project / "results", project / "prepared").cards.values()
    assert card["record"] == records[4].digest
    return dict(card)


def test_the_card_of_the_kept_trial(tmp_path: Path) -> None:
    card = card_of(tmp_path)
    assert (card["model"], card["stage"], card["study"]) == (
        "activation.keras",
        "compare",
        "initializer",
    )
    assert (card["arm"], card["seed"], card["seeds"]) == ("selu", 1, 3)
    assert card["data"] == {
        "name": "trees",
        "digest": make_task("full").digest,
        "classes": ["elm", "oak", "ash"],
        "features": 3,
        "target": None,
    }
    given = card["input"]
    assert (given["shape"], given["mean"], given["scale"]) == (
        [3, 1],
        [0.5, 2, -3],
        [1.0, 4, 0.25],
    )
    assert "elm, oak, ash of trees" in card["intended_use"]


def test_the_card_gives_the_last_epoch_and_the_test_set(tmp_path: Path) -> None:
    card = card_of(tmp_path)
    assert card["validation_accuracy"] == 0.875  # 0.75 after the first epoch
    assert card["test_accuracy"] == 0.9
    # t(0.975, 2) = 4.302653, deviation 0.1: 0.8 ± 0.248414
    arm = card["test_accuracy_of_the_arm"]
    assert [arm[k] for k in ("mean", "low", "high")] == pytest.approx([0.8, 0.551586, 1.048414])
    assert card["test_samples"] == SIZES["test"] == 20
    assert "20 samples" in card["limits"]
    assert (card["validation_data"], card["validation_samples"]) == ("v" * 64, 8)
    assert card["validation_hits"] == "dd"  # 1101 1101


@pytest.mark.parametrize(
    ("splits", "drawn"),
    [
        ("resampled", "each with its own split of these data"),
        ("official", "each with its own split of these data but the test set that came with them"),
    ],
)
def test_a_trial_with_a_split_of_its_own_has_a_card_of_its_own(
    tmp_path: Path, splits: Splits, drawn: str
) -> None:
    """Standardized by what it was trained on."""
    card = card_of(tmp_path, splits=splits)
    own = resplit(View.read(tmp_path / "prepared", "full"), card["seed"], PARAMS.seed, splits)
    assert card["data"]["digest"] == own.task.digest != make_task("full").digest
    assert card["input"]["mean"] == own.standardization.mean.tolist()
    assert card["test_samples"] == 20
    assert f"The interval is over seeds, {drawn}, not over other data." in card["limits"]


def test_raw_input_is_not_standardized(tmp_path: Path) -> None:
    card = card_of(tmp_path, standardize="false")
    assert (card["input"]["mean"], card["input"]["scale"]) == ([0, 0, 0], [1, 1, 1])


def model(hits: np.ndarray, **changed: Any) -> dict[str, Any]:
    """What `beats` reads of a card."""
    return {
        "data": {"classes": ["elm", "oak"]},
        "validation_data": "v",
        "validation_hits": np.packbits(hits).tobytes().hex(),
        "validation_samples": len(hits),
    } | changed


def test_a_model_is_better_if_its_interval_lies_above_zero() -> None:
    """100 samples, ours right on 10 that the champion misses: 0.1 ± 1.984 · 0.30151 / 10."""
    champion = np.array([1] * 80 + [0] * 20)
    ours = np.array([1] * 90 + [0] * 10)
    assert beats(model(ours), model(champion)) == Decision(
        True, "+10.0 points (+4.0 to +16.0) on 100 validation samples, paired by sample"
    )
    decision = beats(model(champion), model(ours))
    assert not decision.better
    assert decision.reason.endswith("not shown to be better")
    few = np.array([1] * 83 + [0] * 17)  # 0.03 ± 1.984 · 0.017: from -0.4 points
    assert not beats(model(few), model(champion)).better
    assert not beats(model(ours), model(ours)).better


def number(errors: np.ndarray, **changed: Any) -> dict[str, Any]:
    """What `beats` reads of the card of a regression."""
    return {
        "data": {"classes": []},
        "metric": "rmse",
        "validation_data": "v",
        "validation_hits": "",
        "validation_errors": errors.astype("<f4").tobytes().hex(),
        "validation_samples": len(errors),
    } | changed


def test_numbers_are_compared_by_their_errors_sample_by_sample() -> None:
    """Squares -1 or -3 by turns: -2 ± 1.984 · 1.005 / 10; absolute errors of 1 and 2, 2 and 3."""
    champion, ours = np.sqrt(np.resize([5.0, 8.0], 100)), np.sqrt(np.resize([4.0, 5.0], 100))
    assert beats(number(ours), number(champion)) == Decision(
        True, "mean squared error -2 (-2.2 to -1.8) on 100 validation samples, paired by sample"
    )
    decision = beats(number(champion), number(ours))
    assert (decision.better, decision.reason[:21]) == (False, "mean squared error +2")
    assert not beats(number(ours), number(ours)).better
    # one large error decides of squares, the many small ones of absolute errors
    outlier = np.where(np.arange(100) == 0, 90.0, 1.0)
    assert not beats(number(outlier), number(np.full(100, 3.0))).better
    near = beats(number(np.full(100, 1.0), metric="mae"), number(np.resize([2.0, 2.5], 100)))
    assert near.better
    assert near.reason.startswith("mean absolute error -1.25 (-1.3 to -1.2) on 100")
    unknown = Decision(False, "what either says of each sample is not known")
    assert beats(number(ours), number(champion) | {"validation_errors": ""}) == unknown


def test_models_of_other_samples_or_classes_are_not_compared() -> None:
    better, worse = np.ones(100, int), np.zeros(100, int)
    other = model(worse, validation_data="w")
    assert beats(model(better), other) == Decision(False, "it was validated on other data")
    swapped = model(worse, data={"classes": ["oak", "elm"]})
    assert beats(model(better), swapped) == Decision(False, "it knows other classes")
