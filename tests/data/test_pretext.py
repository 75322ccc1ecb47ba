"""Nothing but training samples is learned from, and the turns are what their labels say."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from parameters import params
from warmstart.data import pretext
from warmstart.data.sources import load
from warmstart.data.split import rows
from warmstart.data.standardization import Standardization
from warmstart.data.task import Task
from warmstart.stages.prepare import prepare

PARAMS = params()
Rows = dict[str, np.ndarray]
SHAPE = (2, 2)
Make = Callable[[Task, Standardization], Task]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, Standardization, Rows]:
    """60 images, each with the number of its row in all pixels, so that turns do not matter."""
    folder = tmp_path_factory.mktemp("data")
    x = np.repeat(np.arange(60.0), 4).reshape(60, *SHAPE)
    np.savez(folder / "mine.npz", x=x, y=np.tile([0, 1, 2, 3], 15))
    known = PARAMS.model_copy(
        update={
            "data": PARAMS.data.model_copy(
                update={"name": "mine", "path": str(folder / "mine.npz")}
            ),
            "transfer": PARAMS.transfer.model_copy(
                update={"task_b": (1, 2), "train_size": 4, "label_counts": ()}
            ),
        }
    )
    prepare(known, folder / "prepared")
    chosen = rows(load(known.data), known.data, known.seed)
    standardization = Standardization.read(folder / "prepared" / "standardize.npz")
    return Task.read(folder / "prepared" / "full.npz"), standardization, chosen


def unlabelled(full: Task, _: Standardization) -> Task:
    return pretext.unlabelled(full)


def leaky(make: Make) -> Make:
    """`make`, with the validation images among what it trains on."""

    def planted(full: Task, standardization: Standardization) -> Task:
        spoilt = replace(
            full,
            x_train=np.concatenate([full.x_train, full.x_validation]),
            y_train=np.concatenate([full.y_train, full.y_validation]),
        )
        return make(spoilt, standardization)

    return planted


def check_origin(make: Make, prepared: tuple[Task, Standardization, Rows]) -> None:
    """What `make` trains on are the training rows of all classes and no others."""
    full, standardization, chosen = prepared
    task = make(full, standardization)
    numbers = np.rint(standardization.undo(task.x_train)).astype(int)
    assert (numbers == numbers[:, :1]).all()
    seen = set(numbers[:, 0].tolist())
    assert not seen & {*chosen["validation"].tolist(), *chosen["test"].tolist()}
    assert seen == set(chosen["train"].tolist())
    assert len(task.x_test) == len(task.y_test) == 0


@pytest.mark.parametrize("make", [unlabelled, pretext.turned])
def test_only_training_samples_of_both_tasks_are_learned_from(
    make: Make, prepared: tuple[Task, Standardization, Rows]
) -> None:
    check_origin(make, prepared)


@pytest.mark.parametrize("make", [unlabelled, pretext.turned])
def test_a_planted_leak_is_seen(make: Make, prepared: tuple[Task, Standardization, Rows]) -> None:
    with pytest.raises(AssertionError):
        check_origin(leaky(make), prepared)


def test_unlabelled_samples_are_those_of_the_task(
    prepared: tuple[Task, Standardization, Rows],
) -> None:
    full = prepared[0]
    task = pretext.unlabelled(full)
    np.testing.assert_array_equal(task.x_train, full.x_train)
    np.testing.assert_array_equal(task.x_validation, full.x_validation)
    assert not task.y_train.any()
    assert not task.y_validation.any()


def task_of(flat: np.ndarray, shape: tuple[int, ...]) -> Task:
    parts, y = ("train", "validation", "test"), np.zeros(len(flat), np.int32)
    arrays = {f"x_{part}": flat for part in parts} | {f"y_{part}": y for part in parts}
    return Task.of(name="full", class_names=("a", "b"), shape=shape, **arrays)


@pytest.mark.parametrize("shape", [(2, 2, 1), (2, 2, 3)])
def test_the_label_is_the_number_of_quarter_turns(shape: tuple[int, ...]) -> None:
    draw, size = np.random.default_rng(0), int(np.prod(shape))
    raw = draw.uniform(0, 4, (5, *shape)).astype("float32")
    standardization = Standardization(mean=draw.uniform(1, 3, size), scale=draw.uniform(1, 3, size))
    task = pretext.turned(
        task_of(standardization.apply(raw.reshape(5, -1)), shape), standardization
    )
    assert task.classes == 4
    assert np.bincount(task.y_train).tolist() == [5, 5, 5, 5]
    back = standardization.undo(task.x_train).reshape(20, *shape)
    corners = ([0, 0, 1, 1], [0, 1, 1, 0])  # clockwise from the upper left
    for row, turns in enumerate(task.y_train):
        expected = np.roll(raw[row % 5][corners], -turns, axis=0)  # to the left: the next comes up
        np.testing.assert_allclose(back[row][corners], expected, atol=1e-5)


def test_a_turned_image_stays_within_bounds() -> None:
    standardization = Standardization(mean=np.zeros(4), scale=np.array([0.01, 1, 1, 1]))
    task = pretext.turned(task_of(np.array([[0, 3, -9, 1]], "float32"), (2, 2, 1)), standardization)
    assert task.x_train.tolist() == [[0, 3, -5, 1], [5, 1, 0, -5], [5, -5, 3, 0], [-5, 0, 1, 3]]


@pytest.mark.parametrize(
    ("shape", "fits"),
    [((8, 8, 1), True), ((8, 8, 3), True), ((8, 9, 1), False), ((64,), False), ((1, 1, 1), False)],
)
def test_only_square_images_can_be_turned(shape: tuple[int, ...], fits: bool) -> None:
    assert pretext.is_square(shape) is fits
