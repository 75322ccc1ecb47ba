"""Saved models with their cards, as the registry shall have them: nothing here needs MLflow."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.analysis.words import accuracy, percent
from warmstart.data.task import View
from warmstart.errors import InputError
from warmstart.files import read_json
from warmstart.records import Interval

TASKS = {"warmstart-a": "a", "warmstart-b": "b", "warmstart-best": "full"}
"""Registered model -> the task in data/prepared that its versions were chosen on."""
_NEEDED = {"stage", "study", "record", "arm", "settings", "data", "input", "validation_accuracy"}
"""Keys of a card that are read here."""


class Samples(NamedTuple):
    """To validate with."""

    x: NDArray[np.float32]
    """`(n, *shape)`, raw."""
    y: NDArray[np.int32]
    """`(n,)`: labels."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A saved model that MLflow shall have."""

    name: str
    """Under which it is registered."""
    file: Path
    card: dict[str, Any]
    """What the stage wrote beside it."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model and its card."""
        card = json.dumps(self.card, sort_keys=True).encode()
        return hashlib.sha256(self.file.read_bytes() + card).hexdigest()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one raw sample."""
        return tuple(self.card["input"]["shape"])

    @cached_property
    def model(self) -> Any:
        """A `keras.Sequential` that takes raw samples `(batch, *shape)` and has no layers but
        Keras's own."""
        from warmstart.networks import saving  # loads Keras

        given = self.card["input"]
        mean, scale = np.array(given["mean"]), np.array(given["scale"])
        return saving.portable(saving.load_raw(self.file, self.shape, mean, scale))

    def samples(self, prepared: Path) -> Samples | None:
        """What it was chosen on. None where that is not in `prepared`: it is another run's, or of a
        cross-validation, where a sample trains one model and validates the other."""
        name = TASKS[self.name]
        if "fold" in self.card["settings"] or not (prepared / f"{name}.npz").exists():
            return None
        view = View.read(prepared, name)
        raw = view.raw()
        if self.card["data"]["digest"] not in (view.task.digest, raw.task.digest):
            return None
        return Samples(raw.task.x_validation.reshape(-1, *self.shape), raw.task.y_validation)

    @property
    def text(self) -> str:
        """What it is, in sentences."""
        card = self.card
        study = f" of study {card['study']}" if card["study"] else ""
        right = percent(card["validation_accuracy"])
        on_test = accuracy(Interval(**card["test_accuracy_of_the_arm"]))
        return (
            f"{card['arm']}{study} on {card['data']['name']}, learning rate "
            f"{card['learning_rate']:g}, seed {card['seed']}: {right} right on validation; "
            f"the arm has {on_test} on the test set over {card['seeds']} seeds. {card['limits']}"
        )


def candidates(models: Path) -> list[Candidate]:
    """The models below the folder `models` that have a card, of each name the most accurate on
    validation first."""
    files = {models / f"{letter}.keras": f"warmstart-{letter}" for letter in "ab"}
    files |= dict.fromkeys(sorted((models / "compare").glob("*.keras")), "warmstart-best")
    found = [
        Candidate(name=name, file=file, card=_card(file.with_suffix(".json")))
        for file, name in files.items()
        if file.exists() and file.with_suffix(".json").exists()
    ]
    return sorted(found, key=lambda c: (c.name, -c.card["validation_accuracy"]))


def _card(path: Path) -> dict[str, Any]:
    try:
        card = read_json(path)
        missing = sorted(_NEEDED - card.keys())
        received = f"one without {', '.join(missing)}" if missing else ""
    except (OSError, ValueError, AttributeError) as error:
        received = " ".join(f"{type(error).__name__}: {error}".split())
    if received:
        raise InputError(
            f"{path}: expected the card of a model, received {received}; run its stage again"
        )
    return dict(card)
