"""A trial with few labels sees these and no others, in a program that serves every number."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from small_task import make_task
from warmstart.config.arm import Arm
from warmstart.data.draw import draw
from warmstart.data.task import Task
from warmstart.runtime.store import Store
from warmstart.seeds import generator
from warmstart.training import shared, worker
from warmstart.training.trials import Cohort, Phase, Split, Trial

LABELS = (38, 22, 6)  # two batches of 16, one and none, and a rest of 6
NETWORK = Arm(hidden=(8,), batch_norm="after").resolve(6)


def cohort_of(task: Task, path: Path, *trials: Trial, rest: int | None) -> Cohort:
    task.write(path)
    return Cohort(
        structure=NETWORK.structure(),
        phases=(Phase(epochs=2),),
        splits=(Split(path, task.digest),),
        batch_size=16,
        root_seed=1,
        rest=rest,
        trials=trials,
    )


def test_a_trial_sees_its_labels_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the task had no other samples: those would make the loss NaN. And one program for the
    three numbers of labels."""
    task, compiled = make_task(), []
    make = shared.Program
    monkeypatch.setattr(shared, "Program", lambda *a, **k: compiled.append(1) or make(*a, **k))
    trial = Trial(arm="arm", network=NETWORK, seed=3, learning_rate=0.05)
    drawn = {n: draw(task.y_train, n, generator(1, "labels", 3)) for n in LABELS}
    x = np.full_like(task.x_train, np.nan)
    x[drawn[38]] = task.x_train[drawn[38]]
    assert set(drawn[6]) < set(drawn[22]) < set(drawn[38])
    arrays = {k: getattr(task, k) for k in ("x_validation", "y_validation", "x_test", "y_test")}
    names = {"name": "b", "class_names": task.class_names}
    poisoned = Task.of(x_train=x, y_train=task.y_train, **arrays, **names)
    trials = [replace(trial, labels=n) for n in LABELS]
    many = cohort_of(poisoned, tmp_path / "many.npz", *trials, rest=6)
    found = worker.train(many, Store(tmp_path / "many"), lambda epochs: None)
    assert len(compiled) == 1
    for number in (0, 1):
        rows = drawn[LABELS[number]]
        few = Task.of(x_train=x[rows], y_train=task.y_train[rows], **arrays, **names)
        alone = cohort_of(few, tmp_path / "few.npz", trial, rest=None)
        (expected,) = worker.train(alone, Store(tmp_path / f"few{number}"), lambda epochs: None)
        for metric, values in expected.epochs.items():
            assert found[number].epochs[metric] == pytest.approx(values, rel=1e-5)
        ours = Store(tmp_path / "many").weights(many.key(trials[number]))
        theirs = Store(tmp_path / f"few{number}").weights(alone.key(trial))
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-6)
    assert np.isfinite(found[2].epochs["loss"]).all()
    assert len({many.key(t) for t in trials}) == 3
