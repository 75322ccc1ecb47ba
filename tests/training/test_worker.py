"""Trials through a cohort: each as if it were alone, resumed, diverged, exported."""

import itertools
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from small_task import export, make_task
from warmstart.config.arm import Arm
from warmstart.config.parts import Activation, Clipping, Initializer, Optimizer
from warmstart.errors import InputError
from warmstart.networks import building, choices, saving, transfer
from warmstart.runtime.store import Checkpoint, Store
from warmstart.seeds import derive
from warmstart.training import backends, program, race, shared, worker
from warmstart.training.order import Order
from warmstart.training.program import Data
from warmstart.training.trainer import Trainer
from warmstart.training.trials import Cohort, Phase, Pretrained, Split, Trial, cut

HE, NORMAL = Initializer(name="he_normal"), Initializer(name="normal", stddev=1.0)
RANDOM = Arm(hidden=(16, 12), activation=Activation(name="rrelu"), batch_norm="after", dropout=0.1)
PLAIN = Arm(hidden=(16, 12))


def trial(
    seed: int = 0, rate: float = 0.05, initializer: Initializer = HE, network: Arm = RANDOM
) -> Trial:
    network = network.changed_by(Arm(initializer=initializer)).resolve(6)
    return Trial(arm="arm", network=network, seed=seed, learning_rate=rate)


def nothing(epochs: int) -> None: ...


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    task = make_task()
    task.write(tmp_path / "task.npz")
    return Cohort(
        structure=RANDOM.resolve(task.features).structure(),
        phases=(Phase(epochs=3),),
        splits=(Split(tmp_path / "task.npz", task.digest),),
        batch_size=16,
        root_seed=1,
        trials=(trial(0), trial(1), trial(0, 0.2), trial(0, initializer=NORMAL)),
    )


def train(cohort: Cohort, folder: Path) -> tuple[list, list[list[np.ndarray]]]:
    results = worker.train(cohort, Store(folder), nothing)
    kept = [Store(folder).weights(cohort.key(t)) for t in cohort.trials]
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


def test_tasks_of_the_same_shapes_share_a_program_and_nothing_else(tmp_path: Path) -> None:
    """Raw and standardized samples, or splits: each as if it had a program of its own, though both
    trainers are there at once."""
    clipped = Arm(hidden=(5,), clipping=Clipping(name="norm", threshold=0.5)).resolve(6)
    trainers, tasks = [], []
    for seed in (5, 6):
        task = make_task(seed=seed)
        cohort = Cohort(
            structure=clipped.structure(),
            phases=(Phase(epochs=2),),
            splits=(Split(tmp_path / f"{seed}.npz", task.digest),),
            batch_size=16,
            root_seed=1,
            probed=True,
            trials=(),
        )
        tasks.append(task)
        trainers.append(Trainer(cohort, Data.of(task)))
    assert trainers[0]._program is trainers[1]._program

    def trained(by: Trainer, name: str) -> tuple[Any, list[np.ndarray]]:
        run = [Trial(arm="a", network=clipped, seed=0, learning_rate=0.1)]
        (standing,) = by.train(run, Store(tmp_path / name), nothing)
        result, weights = by.finished(run[0], standing)
        return replace(result, train_seconds=0.0), weights

    first, second, first_again = (trained(trainers[i], str(n)) for n, i in enumerate((0, 1, 0)))
    shared.forget_programs()
    cohort = trainers[1].cohort
    alone = trained(Trainer(cohort, Data.of(tasks[1])), "alone")
    for ours, theirs in ((first, first_again), (second, alone)):
        assert repr(ours[0]) == repr(theirs[0])  # there are NaNs
        for one, other in zip(ours[1], theirs[1], strict=True):
            np.testing.assert_array_equal(one, other)
    assert first[0].epochs != second[0].epochs
    looks = [[probe.clip_cosine for probe in result.probes] for result, _ in (first, second)]
    assert looks[0] != looks[1]
    assert {probe.epoch for probe in second[0].probes} == {0, 1, 2}


def test_trials_of_several_splits_share_a_program_and_nothing_else(tmp_path: Path) -> None:
    """Each as if it were alone: trained, probed and tested on what its own split holds."""
    network = Arm(hidden=(5,)).resolve(6)
    splits, tasks = [], [make_task(seed=seed) for seed in (5, 6, 7)]
    for task in tasks:
        splits.append(Split(tmp_path / f"{task.digest}.npz", task.digest))
        task.write(splits[-1].file)
    together = Cohort(
        structure=network.structure(),
        phases=(Phase(epochs=2),),
        splits=tuple(splits),
        batch_size=16,
        root_seed=1,
        probed=True,
        trials=tuple(
            Trial(arm="a", network=network, seed=seed, learning_rate=rate)
            for rate in (0.1, 0.3)
            for seed in range(4)
        ),
    )

    def run(cohort: Cohort, name: str) -> list[Any]:
        store = Store(tmp_path / name)
        found = worker.train(cohort, store, nothing)
        scores = worker.evaluate(cohort, store, nothing)
        return [
            (repr(replace(result, train_seconds=0.0)), score)
            for result, score in zip(found, scores, strict=True)
        ]

    found = run(together, "together")
    shared.forget_programs()
    for i, one in enumerate(together.trials):
        split = splits[one.seed % 3]
        alone = replace(together, splits=(split,), trials=(one,))
        assert alone.key(one) == together.key(one)
        assert run(alone, str(i)) == [found[i]]
    assert len({repr(score) for _, score in found}) == 8


def test_trials_start_where_the_plain_keras_model_starts(cohort: Cohort) -> None:
    task = make_task()
    trainer = Trainer(cohort, Data.of(task))
    network = RANDOM.changed_by(Arm(initializer=NORMAL, head_initializer=HE)).resolve(6)
    plain = building.build(network, 6, 3, derive(cohort.root_seed, "trial", 0))
    initial = trainer.initial(trial(0, initializer=NORMAL, network=network))
    assert len(initial) == len(plain.variables)
    for ours, theirs in zip(initial, plain.variables, strict=True):
        np.testing.assert_array_equal(ours, np.array(theirs))


def test_where_trials_start_is_drawn_once_for_all_learning_rates(
    cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, drawn = Trainer(cohort, Data.of(make_task())), []

    def seen(seed: int, name: str) -> int:
        drawn.append((seed, name))
        return derive(seed, name)

    monkeypatch.setattr(choices, "layer_seed", seen)
    first = trainer.initial(trial(3, 0.1))
    count = len(drawn)
    assert all(map(np.array_equal, first, trainer.initial(trial(3, 0.5))))
    assert len(drawn) == count
    for other in (trial(4, 0.5), trial(4, 0.5, NORMAL)):
        assert not all(map(np.array_equal, first, trainer.initial(other)))
    assert len(drawn) == 3 * count


def test_every_arm_sees_the_same_batches(cohort: Cohort) -> None:
    """The seed and the epoch decide them, not the arm's name, its network or its rate."""
    order, y = Order(cohort.root_seed), make_task().y_train
    trials = [
        trial(3),
        replace(trial(3, 0.5, NORMAL), arm="another"),
        replace(trial(3), network=PLAIN.resolve(6), arm="a third"),
        trial(4),
    ]
    for epoch in (0, 1):
        first, *same, other = order.of(trials, epoch, y)
        assert sorted(first.tolist()) == list(range(70))
        assert all(np.array_equal(first, other) for other in same)
        assert not np.array_equal(first, other)
    assert not np.array_equal(*(order.of(trials[:1], epoch, y) for epoch in (0, 1)))


def test_a_phase_multiplies_the_learning_rate(cohort: Cohort, tmp_path: Path) -> None:
    """A factor of ½ at a rate of 0.1 is a rate of 0.05, to the bit: both are powers of two apart.
    The second phase starts with a fresh optimizer, as SGD without momentum always does."""
    plain = replace(cohort, structure=PLAIN.resolve(6).structure())
    of = partial(trial, network=PLAIN)
    phased = replace(
        plain, phases=(Phase(epochs=2, learning_rate_factor=0.5),), trials=(of(0, 0.1),)
    )
    whole = replace(plain, phases=(Phase(epochs=2),), trials=(of(0, 0.05), of(0, 0.1)))
    (ours, _), ((same, other), _) = train(phased, tmp_path / "p"), train(whole, tmp_path / "w")
    assert ours[0] == same
    assert ours[0] != other


def measured(tested: dict[str, float]) -> list[float]:
    """What Keras's `evaluate` gives of it."""
    return [tested["test_loss"], tested["test_accuracy"]]


def test_an_exported_trial_evaluates_to_what_was_recorded(cohort: Cohort, tmp_path: Path) -> None:
    results = worker.train(cohort, Store(tmp_path), nothing)
    hits = export(cohort, cohort.trials[1], tmp_path, tmp_path / "model.keras")
    model, task = keras.models.load_model(tmp_path / "model.keras"), make_task()
    loss, accuracy = model.evaluate(task.x_validation, task.y_validation, verbose=0)
    assert loss == pytest.approx(results[1].epochs["val_loss"][-1], rel=1e-5)
    assert accuracy == pytest.approx(results[1].epochs["val_accuracy"][-1], rel=1e-6)
    right = model.predict(task.x_validation, verbose=0).argmax(axis=1) == task.y_validation
    assert hits == right.tolist()
    test = measured(worker.evaluate(cohort, Store(tmp_path), nothing)[1])
    assert test == pytest.approx(model.evaluate(task.x_test, task.y_test, verbose=0), rel=1e-5)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)


def test_a_trial_with_skip_connections_is_trained_tested_and_exported(
    cohort: Cohort, tmp_path: Path
) -> None:
    network = RANDOM.changed_by(Arm(hidden=(9, 9, 9), skip_connections=True))
    trials = (trial(0, network=network), trial(1, network=network))
    skipping = replace(cohort, structure=trials[0].network.structure(), trials=trials)
    results = worker.train(replace(skipping, probed=True), Store(tmp_path), nothing)
    assert {probe.name for probe in results[0].probes} == {
        "hidden_1", "hidden_2", "hidden_3", "logits"
    }  # fmt: skip
    results = worker.train(skipping, Store(tmp_path), nothing)
    tested = worker.evaluate(skipping, Store(tmp_path), nothing)
    export(skipping, trials[1], tmp_path, tmp_path / "model.keras")
    model, task = keras.models.load_model(tmp_path / "model.keras"), make_task()
    found = model.evaluate(task.x_validation, task.y_validation, verbose=0)
    assert found == pytest.approx(
        [results[1].epochs[m][-1] for m in ("val_loss", "val_accuracy")], rel=1e-5
    )
    assert measured(tested[1]) == pytest.approx(
        model.evaluate(task.x_test, task.y_test, verbose=0), rel=1e-5
    )
    assert [layer.name for layer in model.layers if "skip" in layer.name] == ["skip_2", "skip_3"]
    plain = trial(1, network=network.changed_by(Arm(skip_connections=False)))
    alone = replace(cohort, structure=plain.network.structure(), trials=(plain,))
    (other,) = worker.train(alone, Store(tmp_path), nothing)
    assert other.epochs["loss"] != results[1].epochs["loss"]


def test_the_numbers_of_an_exported_trial_are_its_own(cohort: Cohort, tmp_path: Path) -> None:
    """Leaky slope, momentum, clip threshold are fed in training and constants in the file."""
    networks = [
        Arm(
            hidden=(16, 12),
            activation=Activation(name="leaky_relu", negative_slope=slope),
            clipping=Clipping(name="norm", threshold=slope),
            optimizer=Optimizer(name="momentum", momentum=slope),
        )
        for slope in (0.1, 0.6)
    ]
    trials = tuple(trial(network=network) for network in networks)
    both = replace(cohort, structure=trials[0].network.structure(), trials=trials)
    results, task = worker.train(both, Store(tmp_path), nothing), make_task()
    for number, slope in enumerate((0.1, 0.6)):
        export(both, trials[number], tmp_path, tmp_path / "model.keras")
        model = keras.models.load_model(tmp_path / "model.keras")
        assert model.get_layer("activation_1").negative_slope == slope
        assert type(model.get_layer("activation_1")) is keras.layers.LeakyReLU
        assert (model.optimizer.momentum, model.optimizer.clipnorm) == (slope, slope)
        expected = model.evaluate(task.x_validation, task.y_validation, verbose=0)
        found = [results[number].epochs[m][-1] for m in ("val_loss", "val_accuracy")]
        assert found == pytest.approx(expected, rel=1e-5)
        tested = worker.evaluate(both, Store(tmp_path), nothing)[number]
        assert measured(tested) == pytest.approx(
            model.evaluate(task.x_test, task.y_test, verbose=0), rel=1e-5
        )


def test_divergence_is_an_outcome_and_keeps_the_last_finite_weights(
    cohort: Cohort, tmp_path: Path
) -> None:
    bad, fine = trial(0, 1e12, network=PLAIN), trial(0, network=PLAIN)
    wild = replace(cohort, structure=fine.network.structure(), trials=(bad, fine))
    passed: list[int] = []
    lost, good = worker.train(wild, Store(tmp_path), passed.append)
    assert (lost.outcome, good.outcome) == ("diverged", "completed")
    assert np.isnan([values[-1] for values in lost.epochs.values()]).all()
    kept = Store(tmp_path).weights(wild.key(bad))
    assert all(np.isfinite(weight).all() for weight in kept)
    assert sum(passed) == 6  # the epochs it did not train count as passed
    alone = replace(wild, trials=wild.trials[1:])
    assert train(alone, tmp_path / "alone")[0] == [(good.epochs, "completed")]


def test_a_loss_out_of_bounds_has_diverged(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "LOSS_BOUND", 0.01)
    shared.forget_programs()  # the bound is compiled in
    result = worker.train(replace(cohort, trials=(trial(),)), Store(tmp_path), nothing)[0]
    shared.forget_programs()
    assert result.outcome == "diverged"
    assert len(result.epochs["loss"]) == 1
    assert 0.01 < result.epochs["loss"][0] < 10  # a number still


def test_patience_stops_a_trial_and_leaves_the_others_alone(cohort: Cohort, tmp_path: Path) -> None:
    stuck, learns = trial(0, 0.0, network=PLAIN), trial(0, 0.05, network=PLAIN)
    both = replace(
        cohort,
        structure=stuck.network.structure(),
        phases=(Phase(epochs=8),),
        patience=3,
        trials=(stuck, learns),
    )
    passed: list[int] = []
    early, late = worker.train(both, Store(tmp_path), passed.append)
    assert (early.outcome, len(early.epochs["loss"])) == ("completed", 4)  # the first is the best
    assert len(late.epochs["loss"]) == 8
    assert sum(passed) == 16
    free = replace(both, patience=None)
    assert worker.train(free, Store(tmp_path / "free"), nothing)[1].epochs == late.epochs


class KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [2, 4])
def test_a_killed_trial_goes_on_from_its_last_epoch(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """In either phase, and right between them: the same bytes, and no epoch trained twice."""
    monkeypatch.setattr(Checkpoint, "SECONDS", 0.0)
    phases = (Phase(epochs=2), Phase(epochs=4, learning_rate_factor=0.5))
    network = RANDOM.changed_by(Arm(optimizer=Optimizer(name="momentum")))
    one = trial(network=network)
    cohort = replace(cohort, structure=one.network.structure(), phases=phases, trials=(one,))
    trainer = Trainer(cohort, Data.of(make_task()))  # compiled once for three runs
    monkeypatch.setattr(worker, "Trainer", lambda *a: trainer)
    undisturbed = train(cohort, tmp_path / "undisturbed")
    epochs: list[int] = []

    def killed(done: int) -> None:
        epochs.append(done)
        if sum(epochs) > after:
            raise KilledError

    with pytest.raises(KilledError):
        worker.train(cohort, Store(tmp_path / "killed"), killed)
    trained = []
    epoch = program.Program.epoch
    monkeypatch.setattr(
        program.Program,
        "epoch",
        lambda *a: trained.append(1) or epoch(*a),  # type: ignore[func-returns-value]
    )
    metrics, weights = train(cohort, tmp_path / "killed")
    assert len(trained) == 6 - after
    assert metrics == undisturbed[0]
    for ours, theirs in zip(weights[0], undisturbed[1][0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not any((tmp_path / "killed" / "running").iterdir())


RATES = (0.001, 0.02, 0.05, 0.1, 1e12)
"""The last one diverges in the first epoch."""


def racing(cohort: Cohort, *, phases: tuple[Phase, ...], seeds: int = 2) -> Cohort:
    """Five rates of one plain network race on each seed."""
    trials = tuple(
        replace(trial(seed, rate, network=PLAIN), rivals=RATES)
        for seed in range(seeds)
        for rate in RATES
    )
    structure = trials[0].network.structure()
    return replace(cohort, structure=structure, phases=phases, trials=trials)


def without_rivals(cohort: Cohort) -> Cohort:
    return replace(cohort, trials=tuple(replace(t, rivals=()) for t in cohort.trials))


@pytest.mark.parametrize("phases", [(Phase(epochs=8),), (Phase(epochs=4), Phase(epochs=7))])
def test_in_a_race_the_worse_half_stops_and_the_others_do_not_notice(
    cohort: Cohort, tmp_path: Path, phases: tuple[Phase, ...]
) -> None:
    """Reference: the same trials, each trained to the end."""
    cohort = racing(cohort, phases=phases)
    rung = race.rung(cohort)
    assert rung == (1 if len(phases) == 1 else 5)  # after the last change of phase
    passed: list[int] = []
    raced = worker.train(cohort, Store(tmp_path / "raced"), passed.append)
    assert sum(passed) == cohort.epochs * len(cohort.trials)
    whole = worker.train(without_rivals(cohort), Store(tmp_path / "whole"), nothing)
    for place in range(0, 10, 5):
        scores = {
            i: (-whole[i].epochs["val_accuracy"][rung - 1], whole[i].epochs["val_loss"][rung - 1])
            for i in range(place, place + 4)
        }
        first = sorted(scores, key=lambda i: scores[i])[:3]
        for i in range(place, place + 5):
            ours, theirs = raced[i], whole[i]
            if i == place + 4:
                assert (ours.outcome, len(ours.epochs["loss"])) == ("diverged", 1)
                continue
            assert ours.outcome == ("completed" if i in first else "dropped")
            trained = cohort.epochs if i in first else rung
            for metric, values in ours.epochs.items():
                assert values == theirs.epochs[metric][:trained]
    assert [r.outcome for r in raced].count("dropped") == 2


def test_a_race_of_which_some_were_finished_ends_as_it_would_have(
    cohort: Cohort, tmp_path: Path
) -> None:
    cohort = racing(cohort, phases=(Phase(epochs=8),), seeds=1)
    first = worker.train(cohort, Store(tmp_path), nothing)
    lost = [i for i, result in enumerate(first) if result.outcome == "dropped"]
    won = [i for i, result in enumerate(first) if result.outcome == "completed"]
    assert (len(lost), len(won)) == (1, 3)
    for gone in ([lost[0]], [won[0]], [won[1], lost[0]]):
        for i in gone:
            Store(tmp_path).path(first[i].key).unlink()
        again = worker.train(cohort, Store(tmp_path), nothing)
        assert repr([(r.outcome, r.epochs) for r in again]) == repr(
            [(r.outcome, r.epochs) for r in first]
        )


@pytest.mark.parametrize("after", [3, 9])
def test_a_killed_race_ends_as_it_would_have(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Before the rung and beyond it."""
    monkeypatch.setattr(Checkpoint, "SECONDS", 0.0)
    cohort = racing(cohort, phases=(Phase(epochs=6), Phase(epochs=2)), seeds=1)
    undisturbed = train(cohort, tmp_path / "undisturbed")
    epochs: list[int] = []

    def killed(done: int) -> None:
        epochs.append(done)
        if sum(epochs) > 4 * after:
            raise KilledError

    with pytest.raises(KilledError):
        worker.train(cohort, Store(tmp_path / "killed"), killed)
    metrics, weights = train(cohort, tmp_path / "killed")
    assert repr(metrics) == repr(undisturbed[0])  # there are NaNs
    for ours, theirs in zip(weights, undisturbed[1], strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_race_stays_together_when_cohorts_are_cut(cohort: Cohort) -> None:
    cohort = racing(cohort, phases=(Phase(epochs=8),), seeds=5)
    pieces = cut([cohort], workers=3)
    assert [len(piece.trials) for piece in pieces] == [5] * 5
    assert all(len({trial.seed for trial in piece.trials}) == 1 for piece in pieces)
    assert sorted(len(piece.trials) for piece in cut([cohort], workers=2)) == [5, 10, 10]


def test_out_of_memory_the_cohort_is_halved(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    class FullError(Exception):
        pass

    class Small:
        """A trainer with room for two."""

        def __init__(self, cohort: Cohort, data: object, at_once: int) -> None:
            self.one = Trainer(cohort, data)

        def train(self, trials, *rest, **more):
            if len(trials) > 2:
                raise FullError
            return [self.one.train([t], *rest, **more)[0] for t in trials]

        def finished(self, *given):
            return self.one.finished(*given)

    alone = train(cohort, tmp_path / "alone")
    monkeypatch.setattr(worker, "capacity", lambda cohort, task: 64)
    monkeypatch.setattr(worker, "Trainer", Small)
    monkeypatch.setattr(
        backends.current(), "is_out_of_memory", lambda error: isinstance(error, FullError)
    )
    assert train(cohort, tmp_path / "halved")[0] == alone[0]
    assert capfd.readouterr().err == "out of memory with 4 trials at once: trying 2\n"


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX stacks trials")
def test_stacked_trials_give_what_each_gives_alone(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within rounding, in groups of three: the second one leaves a seat empty."""
    cohort = replace(cohort, trials=tuple(trial(s, 0.01 * (s + 1)) for s in range(5)))
    alone = train(cohort, tmp_path / "alone")
    monkeypatch.setattr(worker, "capacity", lambda cohort, task: 3)
    stacked = train(cohort, tmp_path / "stacked")
    for (ours, _), (theirs, _) in zip(stacked[0], alone[0], strict=True):
        for metric, values in ours.items():
            assert values == pytest.approx(theirs[metric], rel=1e-4, abs=1e-5)
    for ours, theirs in zip(stacked[1], alone[1], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX stacks trials")
def test_trials_are_tested_together_as_one_by_one(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two splits, by turns, and two leaky slopes; two together, of which one is left over."""
    tasks = [make_task(seed=seed) for seed in (5, 6)]
    splits = tuple(Split(tmp_path / f"{task.digest}.npz", task.digest) for task in tasks)
    for task, split in zip(tasks, splits, strict=True):
        task.write(split.file)
    leaky = [
        Arm(hidden=(9,), activation=Activation(name="leaky_relu", negative_slope=slope))
        for slope in (0.1, 0.6)
    ]
    trials = tuple(trial(seed, network=network) for network in leaky for seed in range(5))
    structure = trials[0].network.structure()
    cohort = replace(cohort, structure=structure, splits=splits, trials=trials)
    store = Store(tmp_path / "trained")
    worker.train(cohort, store, nothing)
    alone = worker.evaluate(cohort, store, nothing)
    monkeypatch.setattr(worker, "capacity", lambda cohort, task: 2)
    together = worker.evaluate(cohort, store, nothing)
    for ours, theirs in zip(together, alone, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    assert len({scores["test_loss"] for scores in alone}) == len(trials)


def test_what_was_finished_is_not_trained_again(cohort: Cohort, tmp_path: Path) -> None:
    first = worker.train(cohort, Store(tmp_path), nothing)
    (tmp_path / f"{first[2].key}.npz").unlink()  # as if killed before this one
    second = worker.train(cohort, Store(tmp_path), nothing)
    assert [r.epochs for r in first] == [r.epochs for r in second]
    times = [(a.train_seconds, b.train_seconds) for a, b in zip(first, second, strict=True)]
    assert [a == b for a, b in times] == [True, True, False, True]


def test_epochs_are_timed_in_processor_time(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read before and after each epoch, it advances by a second from one reading to the next."""
    monkeypatch.setattr(time, "process_time", itertools.count().__next__)
    (result, *_) = worker.train(cohort, Store(tmp_path), nothing)
    assert result.train_seconds == cohort.epochs


def test_a_key_changes_with_whatever_the_result_depends_on(cohort: Cohort) -> None:
    base = trial()
    keys = [
        cohort.key(base),
        cohort.key(replace(base, seed=1)),
        cohort.key(replace(base, learning_rate=0.1)),
        cohort.key(trial(initializer=NORMAL)),
        replace(cohort, batch_size=8).key(base),
        replace(cohort, root_seed=2).key(base),
        replace(cohort, splits=(Split(cohort.splits[0].file, "other"),)).key(base),
        replace(cohort, sources=(Pretrained(Path("a"), "other"),)).key(base),
        replace(cohort, phases=(Phase(epochs=3, learning_rate_factor=0.5),)).key(base),
        replace(cohort, patience=3).key(base),
        cohort.key(trial(network=PLAIN)),
    ]
    assert len(set(keys)) == len(keys)
    assert cohort.key(replace(base, arm="another name")) == keys[0]


def test_strategies_share_a_program_and_never_move_a(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Arm(hidden=(16, 12), batch_norm="after").resolve(6)
    a = tmp_path / "a.keras"
    saving.save(building.compile_for_use(building.build(network, 6, 5, seed=3)), a)
    before, source = a.read_bytes(), transfer.load(a)
    first = ("hidden_1", "activation_1", "batch_norm_1")
    second = ("hidden_2", "activation_2", "batch_norm_2")

    def phase(epochs: int, *frozen: str) -> Phase:
        layers = (*first, *second, "logits")
        return Phase(
            epochs=epochs, layer_factors=tuple((n, float(n not in frozen)) for n in layers)
        )

    trials = (trial(0, network=network), trial(1, network=network))
    whole = replace(
        cohort,
        structure=network.structure(),
        sources=(Pretrained.of(a),),
        copied=first + second,
        not_copied=("logits",),
        phases=(phase(3, *first, *second),),
        trials=trials,
    )
    frozen = train(whole, tmp_path / "head")[1]
    compiled = []
    make = shared.Program
    monkeypatch.setattr(shared, "Program", lambda *a, **k: compiled.append(1) or make(*a, **k))
    tuned = train(replace(whole, phases=(phase(1, *first, *second), phase(2))), tmp_path / "t")[1]
    partly = replace(
        whole, copied=first, not_copied=(*second, "logits"), phases=(phase(2, *first), phase(1))
    )
    fresh = replace(partly, phases=(phase(3, *first, *second),))
    reused, untouched = train(partly, tmp_path / "some")[1], train(fresh, tmp_path / "fresh")[1]
    other = tmp_path / "other.keras"
    saving.save(building.compile_for_use(building.build(network, 6, 4, seed=3)), other)
    load = transfer.load(other)
    load.set_weights([weight + 1 for weight in load.get_weights()])
    saving.save(load, other)
    elsewhere = replace(whole, sources=(Pretrained.of(other),))
    on_other = train(elsewhere, tmp_path / "other")[1]
    assert not compiled  # one program for them all
    for i in range(len(load.weights) - 2):
        assert np.array_equal(on_other[0][i], load.get_weights()[i])
    original = source.get_weights()
    of_a = [layer in first for layer in first + second for _ in source.get_layer(layer).weights]
    for seed in (0, 1):
        hidden = range(len(original) - 2)
        assert all(np.array_equal(frozen[seed][i], original[i]) for i in hidden)
        assert not any(np.array_equal(tuned[seed][i], original[i]) for i in hidden)
        assert not any(np.array_equal(reused[seed][i], original[i]) for i in hidden)
        # what was not copied starts where the trial's seed puts it, as from scratch
        alone = building.build(trials[seed].network, 6, 3, derive(cohort.root_seed, "trial", seed))
        for i, ours in enumerate(hidden):
            expected = original[i] if of_a[i] else alone.get_weights()[i]
            assert np.array_equal(untouched[seed][ours], expected)
    assert not np.array_equal(frozen[0][-2], frozen[1][-2])  # heads of their own
    assert a.read_bytes() == before
    assert all(
        np.array_equal(x, y)
        for x, y in zip(source.get_weights(), transfer.load(a).get_weights(), strict=True)
    )


def test_each_seed_starts_on_its_own_source_in_one_program(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed s on number s modulo their count, as if it were alone: what is copied and frozen is
    there to the bit, batch norm's statistics too."""
    network = Arm(hidden=(16, 12), batch_norm="after").resolve(6)
    first = ("hidden_1", "activation_1", "batch_norm_1")
    second = ("hidden_2", "activation_2", "batch_norm_2")
    sources, pretrained = [], []
    for number in range(3):
        model = building.compile_for_use(building.build(network, 6, 5, seed=number))
        model.set_weights([weight + number for weight in model.get_weights()])
        saving.save(model, tmp_path / f"{number}.keras")
        sources.append(Pretrained.of(tmp_path / f"{number}.keras"))
        pretrained.append(model)
    frozen = tuple((name, float(name == "logits")) for name in (*first, *second, "logits"))
    together = replace(
        cohort,
        structure=network.structure(),
        sources=tuple(sources),
        copied=first,
        not_copied=(*second, "logits"),
        phases=(Phase(epochs=2, layer_factors=frozen),),
        trials=tuple(
            trial(seed, rate, network=network) for rate in (0.05, 0.1) for seed in (4, 0, 1, 2, 3)
        ),
    )
    compiled = []
    make = shared.Program
    monkeypatch.setattr(shared, "Program", lambda *a, **k: compiled.append(1) or make(*a, **k))
    shared.forget_programs()
    metrics, weights = train(together, tmp_path / "together")
    assert len(compiled) == 1
    for i, one in enumerate(together.trials):
        number = one.seed % 3
        model = pretrained[number]
        of_a = [w for layer in first for w in model.get_layer(layer).get_weights()]
        for ours, theirs in zip(weights[i], of_a, strict=False):
            assert np.array_equal(ours, theirs)
        alone = replace(together, sources=(sources[number],), trials=(one,))
        assert alone.key(one) == together.key(one)
        (expected,), (kept,) = train(alone, tmp_path / f"alone_{i}")
        assert metrics[i] == expected
        for ours, theirs in zip(weights[i], kept, strict=True):
            assert np.array_equal(ours, theirs)
    assert len(compiled) == 1
    assert len({repr(found) for found in metrics}) == len(together.trials)


def test_sources_of_other_layers_are_refused(cohort: Cohort, tmp_path: Path) -> None:
    """They would be trained with the first one's activation."""
    sources = []
    for name in ("relu", "tanh"):
        network = Arm(hidden=(16,), activation=Activation(name=name)).resolve(6)
        saving.save(
            building.compile_for_use(building.build(network, 6, 5, seed=1)),
            tmp_path / f"{name}.keras",
        )
        sources.append(Pretrained.of(tmp_path / f"{name}.keras"))
    network = Arm(hidden=(16,)).resolve(6)
    both = replace(
        cohort,
        structure=network.structure(),
        sources=tuple(sources),
        copied=("hidden_1", "activation_1"),
        not_copied=("logits",),
        trials=(trial(0, network=network), trial(1, network=network)),
    )
    with pytest.raises(InputError, match=r"tanh.keras: expected the layers of .*relu.keras"):
        train(both, tmp_path / "both")


def test_cutting_keeps_every_trial_once_and_balances(cohort: Cohort) -> None:
    many = replace(cohort, trials=tuple(trial(seed) for seed in range(7)))
    few = replace(cohort, batch_size=8, trials=tuple(trial(seed) for seed in range(2)))
    pieces = cut([few, many], workers=2)
    assert [len(piece.trials) for piece in pieces] == [5, 2, 2]
    assert sorted(t.seed for p in pieces if p.batch_size == 16 for t in p.trials) == list(range(7))
