"""Activations, depth and batch norm, at the learning rates and epochs that the book took."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapter import data
from chapter.rows import SEED, Row, Scale, difference, last
from warmstart.config.arm import Arm
from warmstart.config.params import Executor
from warmstart.stages.contender import from_scratch
from warmstart.stages.run import run
from warmstart.stages.study import Study
from warmstart.training.trials import Split

SECOND = "notebook of the 2nd edition, ageron/handson-ml2"
THIRD = "notebook of the 3rd edition, ageron/handson-ml3"


@dataclass(frozen=True, kw_only=True)
class Printed:
    """An arm, and the validation accuracy that the book prints after its last epoch."""

    network: Arm
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Question:
    """Arms on the same data with the same budget."""

    name: str
    edition: data.Edition
    standardize: bool
    learning_rate: float
    epochs: int
    arms: dict[str, Printed]
    compared: tuple[str, str] | None = None
    """Two arms of which the table has the difference."""


def network(**choices: Any) -> Arm:
    """In the words of params.yaml."""
    return Arm.model_validate_json(json.dumps(choices))


def _leaky(slope: float) -> Arm:
    return network(hidden=[300, 100], activation={"leaky_relu": {"negative_slope": slope}})


def _deep(activation: str) -> Arm:
    return network(hidden=[100] * 100, activation=activation)


QUESTIONS = (
    Question(
        name="leaky ReLU and PReLU",
        edition="second",
        standardize=False,
        learning_rate=1e-3,
        epochs=10,
        arms={
            # the notebook's LeakyReLU() had 0.3, its default then; the text recommends 0.2
            "leaky_relu_0.3": Printed(network=_leaky(0.3), accuracy=0.8396),
            "leaky_relu_0.2": Printed(network=_leaky(0.2), accuracy=None),
            "prelu": Printed(
                network=network(hidden=[300, 100], activation="prelu"), accuracy=0.8398
            ),
        },
    ),
    Question(
        name="100 layers",
        edition="third",
        standardize=True,
        learning_rate=1e-3,
        epochs=5,
        arms={
            "selu": Printed(network=_deep("selu"), accuracy=0.8046),
            "relu": Printed(network=_deep("relu"), accuracy=0.7054),
        },
        compared=("selu", "relu"),
    ),
    Question(
        name="batch norm",
        edition="third",
        standardize=False,
        learning_rate=1e-2,
        epochs=2,
        arms={
            "input+after": Printed(
                network=network(hidden=[300, 100], batch_norm="input+after"), accuracy=0.8650
            ),
            "before": Printed(
                network=network(hidden=[300, 100], batch_norm="before"), accuracy=0.8646
            ),
        },
        compared=("input+after", "before"),
    ),
)


def repeat(question: Question, images: data.Images, scale: Scale, folder: Path) -> list[Row]:
    """Its rows; data and records go below `folder`."""
    task = data.full(
        images, question.edition, standardize=question.standardize, limit=scale.samples
    )
    task_file = folder / "full.npz"
    task.write(task_file)
    study = Study(
        stage="book",
        name=question.name.replace(" ", "_"),
        data_name="fashion_mnist",
        task=task,
        file=task_file,
        arms={
            name: from_scratch(
                printed.network,
                task=task,
                splits=[Split(task_file, task.digest)],
                drawn="fixed",
                epochs=question.epochs,
                batch_size=32,
                root_seed=SEED,
            )
            for name, printed in question.arms.items()
        },
        learning_rates=(question.learning_rate,),
        seeds=scale.seeds,
    )
    records = run({folder / "results": study}, Executor(kept_gb=0))
    rows = {
        arm: Row(
            experiment=question.name,
            arm=arm,
            measure="validation accuracy",
            book=printed.accuracy,
            source=SECOND if question.edition == "second" else THIRD,
            values=tuple(
                last(record.epochs["val_accuracy"]) for record in records if record.arm == arm
            ),
            settings=f"SGD {question.learning_rate:g}, {question.epochs} epochs, batches of 32, "
            + ("standardized pixels" if question.standardize else "pixels from 0 to 1"),
        )
        for arm, printed in question.arms.items()
    }
    found = list(rows.values())
    if question.compared:
        found.append(difference(question.name, *(rows[arm] for arm in question.compared)))
    return found
