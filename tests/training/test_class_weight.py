"""Balanced classes: the same steps as Keras's `fit(class_weight=…)`, and nothing measured by it."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from small_task import make_task
from warmstart.config.arm import Arm
from warmstart.data.task import Task
from warmstart.networks import building, choices
from warmstart.runtime.store import Store
from warmstart.training import shared, worker
from warmstart.training.fed import Fed
from warmstart.training.objective import balanced
from warmstart.training.probe import Probe, samples
from warmstart.training.program import Data, Numbers, Program
from warmstart.training.trials import Cohort, Phase, Split, Trial

JAX = keras.backend.backend() == "jax"
NETWORK = Arm(hidden=(16, 12), class_weight="balanced").resolve(6)
BATCH, RATE = 16, 0.05


def imbalanced(seed: int = 5, classes: int = 3) -> Task:
    """Class 0 has most of the samples."""
    task = make_task(samples=200, classes=classes, seed=seed)
    kept = np.flatnonzero((task.y_train == 0) | (np.arange(200) < 40 + seed))
    arrays = {f"{k}_{part}": getattr(task, f"{k}_{part}") for k in "xy"
              for part in ("train", "validation", "test")}  # fmt: skip
    arrays |= {"x_train": task.x_train[kept], "y_train": task.y_train[kept]}
    return Task.of(name="full", class_names=task.class_names, **arrays)


def nothing(epochs: int) -> None:
    pass


def test_weights_are_scikit_learns() -> None:
    y = imbalanced().y_train
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=y)
    assert balanced(y, 3) == pytest.approx(theirs, rel=1e-12)
    assert max(theirs) > 2 * min(theirs)
    assert balanced(y, 4)[3] == 0  # a class that nobody has


def test_epochs_equal_kerass_fit_with_class_weight() -> None:
    task = imbalanced()
    n = len(task.y_train)
    weights = Fed(np.ones(3))
    structure = NETWORK.structure()
    model = building.build(structure, 6, 3, seed=1)
    program = Program(
        model, choices.optimizer(structure).build(), Data.of(task), BATCH, class_weights=weights
    )
    plain = building.build(NETWORK, 6, 3, seed=1)
    building.compile_for_use(plain, choices.optimizer(NETWORK, RATE).build())
    plain.jit_compile = JAX
    given = dict(enumerate(compute_class_weight("balanced", classes=np.arange(3), y=task.y_train)))
    start = [np.array(weight) for weight in plain.weights]
    numbers = Numbers(
        learning_rate=RATE,
        momentum=0.0,
        clip_threshold=1.0,
        negative_slope=0.2,
        class_weights=balanced(task.y_train, 3),
    )
    program.start([start], [numbers])
    for epoch in range(2):
        order = np.random.default_rng(epoch).permutation(n).astype("int32")
        history = plain.fit(
            task.x_train[order],
            task.y_train[order],
            batch_size=BATCH,
            shuffle=False,
            class_weight=given,
            validation_data=(task.x_validation, task.y_validation),
            verbose=0,
        ).history
        names = ("loss", "accuracy", "val_loss", "val_accuracy")
        ours = program.epoch(order[None])[0]
        assert ours[:4] == pytest.approx([history[name][0] for name in names], rel=1e-5)
    for mine, keras_s in zip(program.weights()[0], plain.weights, strict=True):
        if JAX:
            np.testing.assert_array_equal(mine, np.array(keras_s))
        else:
            np.testing.assert_allclose(mine, np.array(keras_s), rtol=1e-4, atol=1e-6)


def test_splits_with_other_counts_share_a_program_with_weights_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And trials with few labels have those of their labels."""
    tasks = [imbalanced(5), imbalanced(5)]
    mirrored = 2 - tasks[1].y_train
    tasks[1] = Task.of(
        name="mirrored",
        class_names=tasks[1].class_names,
        **{
            f"{k}_{part}": getattr(tasks[1], f"{k}_{part}")
            for k in "xy"
            for part in ("train", "validation", "test")
        }
        | {"y_train": mirrored},
    )
    seen = []
    start = Program.start
    monkeypatch.setattr(Program, "start", lambda self, w, n: seen.extend(n) or start(self, w, n))
    compiled = []
    make = shared.Program
    monkeypatch.setattr(shared, "Program", lambda *a, **k: compiled.append(1) or make(*a, **k))
    shared.forget_programs()
    cohort = Cohort(
        structure=NETWORK.structure(),
        phases=(Phase(epochs=1),),
        splits=tuple(Split.write(task, tmp_path) for task in tasks),
        batch_size=BATCH,
        root_seed=1,
        trials=tuple(
            Trial(arm="a", network=NETWORK, seed=seed, learning_rate=RATE) for seed in (0, 1)
        ),
    )
    worker.train(cohort, Store(tmp_path / "store"), nothing)
    assert len(compiled) == 1
    assert [n.class_weights for n in seen] == [balanced(t.y_train, 3) for t in tasks]
    assert seen[0].class_weights == seen[1].class_weights[::-1] != seen[0].class_weights[::-1]
    few = replace(cohort.trials[0], labels=32)
    seen.clear()
    worker.train(replace(cohort, trials=(few,), rest=0), Store(tmp_path / "few"), nothing)
    counts = [32 / (3 * weight) for weight in seen[0].class_weights]
    assert sum(counts) == pytest.approx(32)
    assert counts == pytest.approx(np.round(counts))


def test_the_probe_sees_weighted_gradients_and_the_plain_loss() -> None:
    task = imbalanced()
    model = building.build(NETWORK, 6, 3, seed=2)
    weights = Fed(np.array(balanced(task.y_train, 3)))
    x, y = samples(task)
    plain = Probe(model, model.variables, x, y).look(0)[-1]
    ours = Probe(model, model.variables, x, y, class_weights=weights).look(0)[-1]
    assert ours.training_loss == plain.training_loss
    logits = model(x, training=False)
    chances = np.array(keras.ops.softmax(logits))
    by_hand = np.array(balanced(task.y_train, 3))[y, None] * (chances - np.eye(3)[y])
    assert ours.output_gradient == pytest.approx(np.sqrt(np.mean(by_hand**2)), rel=1e-4)
    assert ours.output_gradient != pytest.approx(plain.output_gradient, rel=1e-3)


def test_none_is_not_in_keys_and_balanced_is() -> None:
    plain = Arm()
    assert "class_weight" not in plain.content()
    assert "class_weight" not in plain.settings()
    weighted = Arm(class_weight="balanced")
    assert weighted.content()["class_weight"] == weighted.settings()["class_weight"] == "balanced"
    assert weighted.structure() != plain.structure()
