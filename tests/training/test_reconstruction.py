"""Autoencoders in the compiled program, against NumPy, against principal components, and layer upon
layer."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from small_task import export, make_task
from warmstart.config.arm import Arm
from warmstart.config.parts import Activation, Optimizer
from warmstart.networks import autoencoder, choices, transfer
from warmstart.runtime.store import Store
from warmstart.training import worker
from warmstart.training.program import Data, Numbers, Program
from warmstart.training.trials import Autoencoder, Cohort, Phase, Pretrained, Split, Trial

LINEAR = Arm(hidden=(2,), activation=Activation(name="linear"), optimizer=Optimizer(name="sgd"))
X = make_task(samples=40).x_train
X_VALIDATION = make_task().x_validation


def program(tied: bool) -> Program:
    network = LINEAR.resolve(X.shape[1])
    model = autoencoder.build(network, X.shape[1], 3, noise=0.0, tied=tied)
    data = Data.reconstructed(make_task(samples=40), X, X_VALIDATION)
    return Program(model, choices.optimizer(network).build(), data, 16, reconstruct=True)


def start(made: Program, rate: float) -> list[np.ndarray]:
    weights = [np.array(variable) for variable in made.model.variables]
    numbers = Numbers(learning_rate=rate, momentum=0.9, clip_threshold=1.0, negative_slope=0.2)
    made.start([weights], [numbers])
    return weights


def numpy_epoch(weights: list[np.ndarray], rate: float, tied: bool) -> tuple[list, float]:
    """Stochastic gradient descent on the mean squared error, derived by hand: batches of 16 in
    order; the weights after it, and the loss that the batches had, averaged over samples."""
    w, b, *rest = (value.astype(np.float64) for value in weights)
    v, c = (w.T, rest[0]) if tied else rest
    total = 0.0
    for first in range(0, len(X), 16):
        x = X[first : first + 16].astype(np.float64)
        codes = x @ w + b
        off = codes @ v + c - x
        total += np.sum(off**2) / x.shape[1]
        down = 2 * off / off.size
        gradient_v, gradient_c = codes.T @ down, down.sum(axis=0)
        back = down @ v.T
        gradient_w, gradient_b = x.T @ back, back.sum(axis=0)
        if tied:
            gradient_w = gradient_w + gradient_v.T
        w, b, c = w - rate * gradient_w, b - rate * gradient_b, c - rate * gradient_c
        v = w.T if tied else v - rate * gradient_v
    return ([w, b, c] if tied else [w, b, v, c]), total / len(X)


@pytest.mark.parametrize("tied", [False, True])
def test_an_epoch_is_gradient_descent_on_the_squared_error(tied: bool) -> None:
    made = program(tied)
    weights = start(made, 0.3)
    found = made.epoch(np.arange(len(X), dtype=np.int32)[None])[0]
    expected, loss = numpy_epoch(weights[: 3 if tied else 4], 0.3, tied)
    for ours, theirs in zip(made.weights()[0], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)
    assert found[0] == pytest.approx(loss, rel=1e-5)
    w, b, v, c = [*expected[:2], expected[0].T, expected[2]] if tied else expected
    validation = np.mean(((X_VALIDATION @ w + b) @ v + c - X_VALIDATION) ** 2)
    assert found[2] == pytest.approx(validation, rel=1e-5)
    assert np.isnan(found[[1, 3]]).all()  # a reconstruction has no accuracy
    assert found[4] == 1

    # two linear units can do what two principal components do, and no better (Baldi & Hornik 1989)
    start(made, 0.3)
    order = np.random.default_rng(0)
    for _ in range(300):
        loss = made.epoch(order.permutation(len(X)).astype(np.int32)[None])[0, 0]
    centred = (X - X.mean(axis=0)).astype(np.float64)
    residual = np.sum(np.linalg.svd(centred, compute_uv=False)[2:] ** 2) / X.size
    w, b, *rest = made.weights()[0]
    v, c = (w.T, rest[0]) if tied else rest
    trained = np.mean(((X @ w + b) @ v + c - X) ** 2)
    assert residual <= trained < 1.05 * residual

    start(made, 1e3)
    assert made.epoch(np.arange(len(X), dtype=np.int32)[None])[0, 4] == 0  # diverged is seen


def cohort(folder: Path, hidden: int, how: Autoencoder, source: Path | None = None) -> Cohort:
    task = make_task()
    task.write(folder / "task.npz")
    network = Arm(hidden=(hidden,), activation=Activation(name="selu")).resolve(6)
    return Cohort(
        structure=network.structure(),
        phases=(Phase(epochs=2),),
        splits=(Split(folder / "task.npz", task.digest),),
        batch_size=16,
        root_seed=1,
        sources=(Pretrained.of(source),) if source else (),
        autoencoder=how,
        trials=(Trial(arm="arm", network=network, seed=0, learning_rate=0.1),),
    )


def test_a_layer_learns_the_codes_of_the_layers_below(tmp_path: Path) -> None:
    task, low = make_task(), tmp_path / "low.keras"
    first = cohort(tmp_path, 5, Autoencoder(noise=0.0, tied=False))
    (below,) = worker.train(first, Store(tmp_path), lambda _: None)
    export(first, first.trials[0], tmp_path, low)
    second = cohort(tmp_path, 3, Autoencoder(noise=0.0, tied=True, first=2), low)
    (above,) = worker.train(second, Store(tmp_path), lambda _: None)
    export(second, second.trials[0], tmp_path, tmp_path / "high.keras")

    lower, whole = transfer.load(low), transfer.load(tmp_path / "high.keras")
    off = np.array(lower(task.x_validation)) - task.x_validation
    assert below.epochs["val_loss"][-1] == pytest.approx(np.mean(off**2), rel=1e-5)
    codes = np.array(autoencoder.codes(lower)(task.x_validation))
    inner = keras.Sequential(
        [whole.get_layer(n) for n in ("hidden_2", "activation_2", "decoder_2")]
    )
    loss = np.mean((np.array(inner(codes)) - codes) ** 2)
    assert above.epochs["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    for name in ("hidden_1", "decoder_1"):  # what lies below has not moved
        for ours, theirs in zip(
            whole.get_layer(name).get_weights(), lower.get_layer(name).get_weights(), strict=True
        ):
            assert np.array(ours).tobytes() == np.array(theirs).tobytes()
    moved = Store(tmp_path).weights(second.key(second.trials[0]))[0]
    fresh = autoencoder.build(second.structure, 5, 1, noise=0.0, tied=True, first=2)
    assert not np.array_equal(moved, np.array(fresh.get_layer("hidden_2").kernel))


def test_each_seed_learns_the_codes_of_its_own_source(tmp_path: Path) -> None:
    """As if it were alone, in one piece of work with the others."""
    first = cohort(tmp_path, 5, Autoencoder(noise=0.0, tied=False))
    trials = tuple(replace(first.trials[0], seed=seed) for seed in (0, 1))
    first = replace(first, trials=trials)
    worker.train(first, Store(tmp_path), lambda _: None)
    below = []
    for trial in trials:
        below.append(tmp_path / f"{trial.seed}.keras")
        export(first, trial, tmp_path, below[-1])
    how = Autoencoder(noise=0.0, tied=False, first=2)
    second = replace(cohort(tmp_path, 3, how, below[0]), sources=tuple(map(Pretrained.of, below)))
    second = replace(
        second,
        trials=tuple(
            replace(second.trials[0], seed=seed, learning_rate=rate)
            for rate in (0.1, 0.05)
            for seed in (0, 1)
        ),
    )
    together = worker.train(second, Store(tmp_path / "together"), lambda _: None)
    for trial, found in zip(second.trials, together, strict=True):
        only = replace(second, sources=(second.sources[trial.seed],), trials=(trial,))
        (alone,) = worker.train(only, Store(tmp_path / "alone"), lambda _: None)
        assert repr(alone.epochs) == repr(found.epochs)
        export(second, trial, tmp_path / "together", tmp_path / "whole.keras")
        lower, whole = (transfer.load(p) for p in (below[trial.seed], tmp_path / "whole.keras"))
        kernels = [model.get_layer("hidden_1").get_weights()[0] for model in (lower, whole)]
        assert np.array_equal(*kernels)
    assert len({result.epochs["val_loss"] for result in together}) == 4


def test_what_kind_of_autoencoder_it_is_belongs_to_a_trials_name(tmp_path: Path) -> None:
    kinds = [
        Autoencoder(noise=0.0, tied=False),
        Autoencoder(noise=0.1, tied=False),
        Autoencoder(noise=0.0, tied=True),
        Autoencoder(noise=0.0, tied=False, first=2),
    ]
    cohorts = [cohort(tmp_path, 5, kind) for kind in kinds]
    cohorts.append(replace(cohorts[0], autoencoder=None))
    assert len({c.key(c.trials[0]) for c in cohorts}) == 5
