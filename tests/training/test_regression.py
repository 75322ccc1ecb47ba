"""A regression is trained as Keras's `fit` trains it, measured in the unit of its target."""

from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from small_task import export, make_numbers
from warmstart.config.arm import Arm
from warmstart.config.parts import Clipping, Optimizer
from warmstart.networks import building, choices
from warmstart.runtime.store import Store
from warmstart.training import race, worker
from warmstart.training.outcomes import Result, Standing
from warmstart.training.probe import Probe, samples
from warmstart.training.program import Data, Numbers, Program
from warmstart.training.trials import Cohort, Phase, Split, Trial

JAX = keras.backend.backend() == "jax"
# the chapter's example of clipping is a regression
NETWORK = Arm(
    hidden=(16, 12),
    batch_norm="after",
    clipping=Clipping(name="norm", threshold=0.5),
    optimizer=Optimizer(name="momentum", momentum=0.875),
).resolve(6)
BATCH, RATE = 16, 0.05


def nothing(epochs: int) -> None:
    pass


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    task = make_numbers()
    return Cohort(
        structure=NETWORK.structure(),
        phases=(Phase(epochs=3),),
        splits=(Split.write(task, tmp_path),),
        batch_size=BATCH,
        root_seed=1,
        metric="rmse",
        trials=tuple(
            Trial(arm="arm", network=NETWORK, seed=seed, learning_rate=RATE) for seed in range(2)
        ),
    )


def test_epochs_equal_kerass_fit() -> None:
    """Three epochs with the batches in the same order, to the last weight."""
    task = make_numbers()
    model = building.build(NETWORK.structure(), task.features, task.outputs, seed=1)
    program = Program(model, choices.optimizer(NETWORK.structure()).build(), Data.of(task), BATCH)
    plain = building.build(NETWORK, task.features, task.outputs, seed=1)
    building.compile_for_use(plain, choices.optimizer(NETWORK, RATE).build())
    plain.jit_compile = JAX
    start = [np.array(weight) for weight in plain.weights]
    program.start([start], [Numbers(
        learning_rate=RATE, momentum=0.875, clip_threshold=0.5, negative_slope=0.2
    )])  # fmt: skip
    for epoch in range(3):
        order = np.random.default_rng(epoch).permutation(70).astype("int32")
        history = plain.fit(
            task.x_train[order],
            task.y_train[order],
            batch_size=BATCH,
            shuffle=False,
            validation_data=(task.x_validation, task.y_validation),
            verbose=0,
        ).history
        ours = program.epoch(order[None])[0]
        names = ("loss", "mae", "val_loss", "val_mae")
        assert ours[:4] == pytest.approx([history[name][0] for name in names], rel=1e-5)
        assert ours[4] == 1
    for mine, keras_s in zip(program.weights()[0], plain.weights, strict=True):
        np.testing.assert_allclose(mine, np.array(keras_s), rtol=1e-4, atol=1e-5)


def test_a_line_is_found() -> None:
    """Without noise and hidden non-linearity, gradient descent ends at the least squares."""
    task = make_numbers(samples=256, noise=0.0, bend=0.0)
    network = Arm(hidden=(8,), activation="linear", optimizer="adam").resolve(6)
    model = building.build(network, task.features, 1, seed=1)
    program = Program(model, choices.optimizer(network).build(), Data.of(task), 32)
    start = [np.array(weight) for weight in model.weights]
    program.start([start], [Numbers(
        learning_rate=0.01, momentum=0.0, clip_threshold=1.0, negative_slope=0.2
    )])  # fmt: skip
    order = np.arange(256, dtype="int32")
    rows = [program.epoch(order[None])[0] for _ in range(40)]
    exact = LinearRegression().fit(task.x_train, task.y_train)
    assert exact.score(task.x_validation, task.y_validation) > 0.999999
    assert rows[-1][2] < 1e-4 * rows[0][2]


def test_trials_are_recorded_in_units_of_the_standardized_target_and_tested_in_its_own(
    cohort: Cohort, tmp_path: Path
) -> None:
    task, store = make_numbers(), Store(tmp_path / "store")
    results = worker.train(cohort, store, nothing)
    tested = worker.evaluate(cohort, store, nothing)
    errors = export(cohort, cohort.trials[1], tmp_path / "store", tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(model.loss, keras.losses.MeanSquaredError)
    result = results[1]
    assert list(result.epochs) == ["loss", "mae", "val_loss", "val_mae"]
    assert [result.epochs[m][-1] for m in ("val_loss", "val_mae")] == pytest.approx(
        model.evaluate(task.x_validation, task.y_validation, verbose=0), rel=1e-5
    )
    mean, deviation = task.target
    assert (mean, deviation) == (300.0, 40.0)

    def by_hand(part: str) -> dict[str, float]:
        x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}").astype(float)
        raw, guess = (v * 40 + 300 for v in (y, model.predict(x, verbose=0)[:, 0].astype(float)))
        return {
            "rmse": np.sqrt(np.mean((raw - guess) ** 2)),
            "mae": np.mean(np.abs(raw - guess)),
            "r2": 1 - np.mean((raw - guess) ** 2) / np.var(raw),
        }

    guess = model.predict(task.x_validation, verbose=0)[:, 0].astype(float)
    assert errors == pytest.approx(40 * np.abs(guess - task.y_validation), rel=1e-4)
    for name, value in by_hand("validation").items():
        assert result.validation[f"val_{name}"] == pytest.approx(value, rel=1e-4)
    for name, value in by_hand("test").items():
        assert tested[1][f"test_{name}"] == pytest.approx(value, rel=1e-4)
    assert tested[1].keys() == {"test_loss", "test_rmse", "test_mae", "test_r2"}
    assert tested[1]["test_loss"] == pytest.approx((tested[1]["test_rmse"] / 40) ** 2, rel=1e-5)
    assert store.read(result.key) == result


def test_a_regression_that_diverges_has_no_numbers(cohort: Cohort, tmp_path: Path) -> None:
    network = Arm(hidden=(16,)).resolve(6)
    wild = Trial(arm="arm", network=network, seed=0, learning_rate=1e12)
    one = Cohort(**vars(cohort) | {"structure": network.structure(), "trials": (wild,)})
    (result,) = worker.train(one, Store(tmp_path / "store"), nothing)
    assert result.outcome == "diverged"
    assert np.isnan([*result.validation.values()]).all()
    assert result.validation.keys() == {"val_rmse", "val_mae", "val_r2"}


def test_the_probe_sees_the_gradient_of_the_squared_error() -> None:
    """Of a network without hidden non-linearity, by hand."""
    task = make_numbers()
    network = Arm(hidden=(4,), activation="linear").resolve(6)
    model = building.build(network, task.features, 1, seed=2)
    head = Probe(model, model.variables, *samples(task)).look(0)[-1]
    hidden, (kernel, bias) = model.layers[0], model.layers[-1].get_weights()
    codes = task.x_train @ hidden.get_weights()[0] + hidden.get_weights()[1]
    rest = codes @ kernel[:, 0] + bias - task.y_train
    gradient = 2 * codes.T @ rest / len(rest)
    assert head.gradient_norm == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
    assert head.output_gradient == pytest.approx(np.sqrt(np.mean((2 * rest) ** 2)), rel=1e-4)
    assert head.training_loss == pytest.approx(np.mean(rest**2), rel=1e-4)


def test_a_race_is_decided_by_the_validation_loss(cohort: Cohort) -> None:
    """Whatever the second column says, and against a trial that was finished before."""
    rates = (0.01, 0.02, 0.03, 0.04)
    trials = tuple(
        Trial(arm="a", network=NETWORK, seed=0, learning_rate=rate, rivals=rates) for rate in rates
    )
    racing = Cohort(**vars(cohort) | {"trials": trials, "phases": (Phase(epochs=6),)})
    losses, absolute = (0.4, 0.1, 0.3), (0.1, 0.4, 0.2)
    early = {
        trial: Standing([np.array([[0.0, 0.0, loss, mae, 1.0]])], [[]], 0.0, [()])
        for trial, loss, mae in zip(trials, losses, absolute, strict=False)
    }
    curves = {"loss": (0.0,) * 6, "mae": (0.0,) * 6, "val_mae": (0.0,) * 6}
    done = Result(
        key="", outcome="completed", samples=1, train_seconds=0.0,
        epochs=curves | {"val_loss": (0.2,) + (9.0,) * 5},
    )  # fmt: skip
    results = dict.fromkeys(trials[:3]) | {trials[3]: done}
    assert race.losers(racing, "regression", early, results) == {trials[0], trials[2]}
    early[trials[1]].rows[0][0, 4] = 0
    assert race.losers(racing, "regression", early, results) == {trials[0], trials[1]}
