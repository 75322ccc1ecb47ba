"""Trials through a cohort: each as if it were alone, resumed, diverged, exported."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from small_task import make_task
from warmstart.arms import Activation, Initializer, Network
from warmstart.networks import mlp, saving, transfer
from warmstart.seeds import derive
from warmstart.training import scratch, worker
from warmstart.training.trials import Cohort, Phase, Trial, cut

HE, NORMAL = Initializer(name="he_normal"), Initializer(name="normal", stddev=1.0)


def trial(seed: int = 0, rate: float = 0.05, initializer: Initializer = HE) -> Trial:
    return Trial(arm="arm", initializer=initializer, seed=seed, learning_rate=rate)


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    task = make_task()
    task.write(tmp_path / "task.npz")
    network = Network(hidden=(16, 12), activation=Activation(name="rrelu"), batch_norm="after")
    return Cohort(
        network=network.resolve(task.features),
        phases=(Phase(epochs=3),),
        task=tmp_path / "task.npz",
        task_digest=task.digest,
        batch_size=16,
        root_seed=1,
        trials=(trial(0), trial(1), trial(0, 0.2), trial(0, initializer=NORMAL)),
    )


def train(cohort: Cohort, folder: Path) -> tuple[list, list[list[np.ndarray]]]:
    results = worker.train(cohort, folder, lambda epochs: None)
    kept = [scratch.weights(folder, cohort.key(t)) for t in cohort.trials]
    return [(r.epochs, r.outcome) for r in results], kept


def test_a_trial_does_not_depend_on_its_cohort(cohort: Cohort, tmp_path: Path) -> None:
    together = train(cohort, tmp_path / "together")
    backwards = replace(cohort, trials=cohort.trials[::-1])
    for (metrics, weights), i in zip(
        zip(*train(backwards, tmp_path / "backwards"), strict=True), (3, 2, 1, 0), strict=True
    ):
        assert metrics == together[0][i]
        for ours, theirs in zip(weights, together[1][i], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    # and the four are four different ones: nothing is shared that should not be
    finals = [str(metrics) for metrics in together[0]]
    assert len(set(finals)) == 4


def test_trials_start_where_the_plain_keras_model_starts(cohort: Cohort) -> None:
    trainer = worker.Trainer(cohort)
    trainer.train(trial(1), lambda epochs: None)  # leaves the model somewhere
    trainer.initialize(trial(0, initializer=NORMAL))
    network = cohort.network.changed_by(Network(initializer=NORMAL))
    plain = mlp.build(network, 6, 3, derive(cohort.root_seed, "trial", 0))
    for ours, theirs in zip(trainer.weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(trainer.model.layers, plain.layers, strict=True):
        if hasattr(ours, "seed_generator"):
            np.testing.assert_array_equal(
                ours.seed_generator.state.numpy(), theirs.seed_generator.state.numpy()
            )


def test_an_exported_trial_evaluates_to_what_was_recorded(cohort: Cohort, tmp_path: Path) -> None:
    results = worker.train(cohort, tmp_path, lambda epochs: None)
    worker.export(cohort, cohort.trials[1], tmp_path, tmp_path / "model.keras")
    model, task = keras.models.load_model(tmp_path / "model.keras"), make_task()
    loss, accuracy = model.evaluate(task.x_validation, task.y_validation, verbose=0)
    assert loss == pytest.approx(results[1].epochs["val_loss"][-1], rel=1e-5)
    assert accuracy == pytest.approx(results[1].epochs["val_accuracy"][-1], rel=1e-6)
    test = worker.evaluate_trials(cohort, tmp_path)[1]
    assert test == pytest.approx(model.evaluate(task.x_test, task.y_test, verbose=0), rel=1e-5)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)


def test_divergence_is_an_outcome_and_keeps_the_last_finite_weights(
    cohort: Cohort, tmp_path: Path
) -> None:
    network = Network(hidden=(16, 12)).resolve(6)
    wild = replace(cohort, network=network, trials=(trial(0, 1e12), trial(0)))
    passed: list[int] = []
    lost, good = worker.train(wild, tmp_path, passed.append)
    assert (lost.outcome, good.outcome) == ("diverged", "completed")
    assert np.isnan([values[-1] for values in lost.epochs.values()]).all()
    kept = scratch.weights(tmp_path, wild.key(wild.trials[0]))
    assert all(np.isfinite(weight).all() for weight in kept)
    assert sum(passed) == 6  # the epochs it did not train count as passed
    alone = replace(wild, trials=wild.trials[1:])
    assert train(alone, tmp_path / "alone")[0] == [(good.epochs, "completed")]


def test_what_was_finished_is_not_trained_again(cohort: Cohort, tmp_path: Path) -> None:
    first = worker.train(cohort, tmp_path, lambda epochs: None)
    (tmp_path / f"{first[2].key}.npz").unlink()  # as if killed before this one
    second = worker.train(cohort, tmp_path, lambda epochs: None)
    assert [r.epochs for r in first] == [r.epochs for r in second]
    times = [(a.train_seconds, b.train_seconds) for a, b in zip(first, second, strict=True)]
    assert [a == b for a, b in times] == [True, True, False, True]


def test_a_key_changes_with_whatever_the_result_depends_on(cohort: Cohort) -> None:
    base = trial()
    keys = [
        cohort.key(base),
        cohort.key(replace(base, seed=1)),
        cohort.key(replace(base, learning_rate=0.1)),
        cohort.key(replace(base, initializer=NORMAL)),
        replace(cohort, batch_size=8).key(base),
        replace(cohort, root_seed=2).key(base),
        replace(cohort, task_digest="other").key(base),
        replace(cohort, source_digest="other").key(base),
        replace(cohort, phases=(Phase(epochs=3, learning_rate_factor=0.5),)).key(base),
        replace(cohort, network=Network(hidden=(16, 12)).resolve(6)).key(base),
    ]
    assert len(set(keys)) == len(keys)
    assert cohort.key(replace(base, arm="another name")) == keys[0]


def test_transfer_freezes_then_thaws_and_never_moves_a(cohort: Cohort, tmp_path: Path) -> None:
    network = Network(hidden=(16, 12), batch_norm="after").resolve(6)
    a = tmp_path / "a.keras"
    saving.save(mlp.compile_for_use(mlp.build(network, 6, 5, seed=3)), a)
    before, original = a.read_bytes(), transfer.load(a).get_weights()
    frozen, thawed = Phase(epochs=2, frozen=True), Phase(epochs=2, learning_rate_factor=0.5)
    base = replace(cohort, network=network, source=a, trials=(trial(0), trial(1)))
    only_head = replace(base, phases=(frozen,))
    _, (one, other) = train(only_head, tmp_path / "head")
    for weights in (one, other):
        for ours, theirs in zip(weights[:-2], original[:-2], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(one[-2], other[-2])  # heads of their own
    _, (tuned, _) = train(replace(base, phases=(frozen, thawed)), tmp_path / "tuned")
    assert not any(np.array_equal(x, y) for x, y in zip(tuned[:-2], original[:-2], strict=True))
    assert a.read_bytes() == before


def test_cutting_keeps_every_trial_once_and_balances(cohort: Cohort) -> None:
    many = replace(cohort, trials=tuple(trial(seed) for seed in range(7)))
    few = replace(cohort, batch_size=8, trials=tuple(trial(seed) for seed in range(2)))
    pieces = cut([few, many], workers=2)
    assert [len(piece.trials) for piece in pieces] == [5, 2, 2]
    assert sorted(t.seed for p in pieces if p.batch_size == 16 for t in p.trials) == list(range(7))
