"""What a look finds is what NumPy computes, and looking changes nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from small_task import make_cohort, make_task
from warmstart import records
from warmstart.config.arm import Arm
from warmstart.config.parts import Activation, Clipping, Initializer
from warmstart.networks import building, choices
from warmstart.runtime.store import Checkpoint, Store
from warmstart.training import trainer, worker
from warmstart.training.layers import FIELDS, LayerProbe, pack, unpack
from warmstart.training.measures import effect
from warmstart.training.outcomes import Result
from warmstart.training.probe import Probe, is_due
from warmstart.training.program import Data, assign
from warmstart.training.trials import Trial

TASK = make_task()
X, Y = TASK.x_train, TASK.y_train


def look(
    network: Arm, change: Callable[[keras.Sequential], None] = lambda model: None
) -> tuple[LayerProbe, ...]:
    network = network.resolve(TASK.features)
    model = building.build(network, TASK.features, TASK.classes, seed=2)
    change(model)
    return Probe(model, model.variables, X, Y).look(0)


def biased(model: keras.Sequential) -> None:
    """Biases that are not 0, so that a forgotten one is seen."""
    draw = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense) and layer.use_bias:
            layer.bias.assign(draw.normal(size=layer.bias.shape) * 0.3)


FUNCTIONS = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "sigmoid": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_number_against_numpy(name: str) -> None:
    """A 7-5 network, forward and backward by hand."""
    f, slope = FUNCTIONS[name]
    weights: list[np.ndarray] = []

    def keep(model: keras.Sequential) -> None:
        biased(model)
        weights.extend(np.array(v).astype(float) for v in model.trainable_variables)

    wide = Initializer(name="normal", stddev=1.5)
    network = Arm(hidden=(7, 5), activation=Activation(name=name), initializer=wide)
    found = look(network, keep)
    w1, b1, w2, b2, w3, b3 = weights
    z1 = X @ w1 + b1
    z2 = f(z1) @ w2 + b2
    logits = f(z2) @ w3 + b3
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    d3 = odds / odds.sum(axis=1, keepdims=True) - np.eye(TASK.classes)[Y]  # of one sample's loss
    d2 = (d3 @ w3.T) * slope(z2)
    d1 = (d2 @ w2.T) * slope(z1)
    expected = [
        (z1, f(z1), d1, X.T @ d1 / len(X), w1),
        (z2, f(z2), d2, f(z1).T @ d2 / len(X), w2),
        (logits, logits, d3, f(z2).T @ d3 / len(X), w3),
    ]
    assert [(p.epoch, p.layer, p.name) for p in found] == [
        (0, 1, "hidden_1"),
        (0, 2, "hidden_2"),
        (0, 3, "logits"),
    ]
    for probe, (z, out, delta, gradient, weight) in zip(found, expected, strict=True):
        norm = np.sqrt((gradient**2).sum())
        assert probe.activation_mean == pytest.approx(out.mean(), rel=1e-5, abs=1e-6)
        assert probe.activation_deviation == pytest.approx(out.std(), rel=1e-5)
        assert probe.output_gradient == pytest.approx(np.sqrt((delta**2).mean()), rel=1e-4)
        assert probe.gradient_norm == pytest.approx(norm, rel=1e-4)
        assert probe.gradient_rms == pytest.approx(norm / np.sqrt(gradient.size), rel=1e-4)
        assert probe.gradient_to_weight == pytest.approx(
            norm / np.sqrt((weight**2).sum()), rel=1e-4
        )
        loss = -np.log(odds[np.arange(len(Y)), Y] / odds.sum(axis=1)).mean()
        assert probe.training_loss == pytest.approx(loss, rel=1e-5)
        if out is logits:
            assert np.isnan(probe.dead)
            assert np.isnan(probe.one_sided)
        else:
            assert probe.one_sided == (out <= 0).all(axis=0).mean()
            assert probe.dead == ((out == 0) & (slope(z) == 0)).all(axis=0).mean()
        if name == "relu" or out is logits:
            assert np.isnan(probe.saturated)
        else:
            # |z| beyond 1.818 for tanh, 3.637 for sigmoid: less than a tenth of the largest slope
            far = np.abs(z) > {"tanh": np.arccosh(10**0.5), "sigmoid": 3.6369}[name]
            assert probe.saturated == pytest.approx(far.mean(), abs=1e-6)
            assert 0.05 < probe.saturated < 0.95


def test_skip_connections_against_numpy() -> None:
    """A 6-5-5-5 ReLU network whose third and fourth layers add their input: their activations are
    the sums, dead units those of the layer itself, and gradients come back both ways."""
    weights: list[np.ndarray] = []

    def keep(model: keras.Sequential) -> None:
        biased(model)
        model.get_layer("hidden_3").bias.assign([-1e3, -1e3, 0.1, 0.2, 0.3])  # two of five die
        weights.extend(np.array(v).astype(float) for v in model.trainable_variables)

    found = look(Arm(hidden=(6, 5, 5, 5), skip_connections=True), keep)
    kernels, biases = weights[::2], weights[1::2]
    x, skipped = X.astype(float), (2, 3)
    inputs, before, after = [], [], []
    for n, (w, b) in enumerate(zip(kernels, biases, strict=True)):
        inputs.append(x)
        before.append(x @ w + b)
        x = before[-1] if n == 4 else np.maximum(before[-1], 0) + (x if n in skipped else 0)
        after.append(x)
    odds = np.exp(x - x.max(axis=1, keepdims=True))
    back = odds / odds.sum(axis=1, keepdims=True) - np.eye(TASK.classes)[Y]
    for n in (4, 3, 2, 1, 0):
        delta = back * (1 if n == 4 else before[n] > 0)
        gradient = inputs[n].T @ delta / len(X)
        assert found[n].activation_mean == pytest.approx(after[n].mean(), rel=1e-5)
        assert found[n].activation_deviation == pytest.approx(after[n].std(), rel=1e-5)
        assert found[n].output_gradient == pytest.approx(np.sqrt((delta**2).mean()), rel=1e-4)
        assert found[n].gradient_norm == pytest.approx(np.sqrt((gradient**2).sum()), rel=1e-4)
        back = delta @ kernels[n].T + (back if n in skipped else 0)
    assert found[2].dead == found[2].one_sided == 2 / 5
    assert found[3].activation_deviation > 1.2 * np.maximum(before[3], 0).std()


@pytest.mark.parametrize("batch_norm", ["input+before", "after"])
def test_a_look_at_skip_connections_passes_through_all_layers(batch_norm: str) -> None:
    """Batch norm on its way to the sum: the last layer puts out what the model does."""
    network = Arm(hidden=(5, 5, 5), batch_norm=batch_norm, skip_connections=True)
    model = building.build(network.resolve(TASK.features), TASK.features, TASK.classes, seed=2)
    expected = np.array(model(X, training=True)).std()
    head = Probe(model, model.variables, X, Y).look(0)[-1]
    assert head.activation_deviation == pytest.approx(expected, rel=1e-5)


def test_dead_units_are_counted() -> None:
    def kill(model: keras.Sequential) -> None:
        bias = np.zeros(8, "float32")
        bias[:5] = -1e3
        model.get_layer("hidden_1").bias.assign(bias)

    network = Arm(hidden=(8, 4), initializer=Initializer(name="normal", stddev=0.5))
    assert look(network, kill)[0].dead == look(network, kill)[0].one_sided == 5 / 8
    leaky = network.changed_by(Arm(activation=Activation(name="leaky_relu")))
    assert (look(leaky, kill)[0].dead, look(leaky, kill)[0].one_sided) == (0, 5 / 8)
    # not dead: flat, but it puts something out; and zero weights, whose slope is not 0
    assert look(network.changed_by(Arm(activation=Activation(name="elu"))), kill)[0].dead == 0
    zeros = Arm(
        hidden=(4,), activation=Activation(name="tanh"), initializer=Initializer(name="zeros")
    )
    assert look(zeros)[0].dead == 0
    assert np.isnan(look(zeros)[0].gradient_to_weight)


def test_the_training_loss_is_that_of_inference() -> None:
    """Batch norm with moving statistics as they were before the look, dropout at rest."""
    network = Arm(hidden=(6,), batch_norm="before", dropout=0.5, clipping=Clipping(name="norm"))
    model = building.build(network.resolve(TASK.features), TASK.features, TASK.classes, seed=2)
    compiled = building.compile_for_use(model)
    expected, _ = compiled.evaluate(X, Y, batch_size=len(Y), verbose=0)
    optimizer = choices.optimizer(network).build()
    for probe in Probe(model, model.variables, X, Y, optimizer=optimizer).look(0):
        assert probe.training_loss == pytest.approx(expected, rel=1e-5)


def test_batch_norm_is_read_as_it_was_before_the_look() -> None:
    def learn(model: keras.Sequential) -> None:
        values = [[1, 3, 2], [0, 0, 3], [1, 1, 4], [2, 2, 8]]
        for variable, value in zip(model.get_layer("batch_norm_2").weights, values, strict=True):
            variable.assign(value)

    network = Arm(hidden=(4, 3), batch_norm="input+before")
    first, _, second, head = look(network, learn)
    assert (first.layer, first.name) == (0, "batch_norm_input")
    normalized = (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + 1e-3)
    assert first.activation_deviation == pytest.approx(normalized.std(), rel=1e-4)
    assert np.isnan(first.gradient_norm)
    values = [
        second.gamma_mean,
        second.gamma_deviation,
        second.beta_mean,
        second.beta_deviation,
        second.moving_mean_mean,
        second.moving_mean_deviation,
        second.moving_variance_mean,
        second.moving_variance_deviation,
    ]
    assert values == pytest.approx([2, (2 / 3) ** 0.5, 1, 2**0.5, 2, 2**0.5, 4, 8**0.5], rel=1e-6)
    # γ and β are at work in the activations: z has mean β and deviation γ per unit
    assert second.activation_mean > 0.5
    assert np.isnan(head.gamma_mean)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX stacks trials")
def test_looks_together_are_looks_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within rounding, two at a time: of the third, the second place is filled up."""
    network = Arm(
        hidden=(6, 6, 6),
        batch_norm="input+before",
        dropout=0.3,
        skip_connections=True,
        clipping=Clipping(name="norm", threshold=0.2),
    ).resolve(TASK.features)
    model = building.build(network, TASK.features, TASK.classes, seed=2)
    optimizer = choices.optimizer(network).build()
    probe = Probe(model, model.variables, X, Y, optimizer=optimizer, batch_size=16)
    start = [np.array(variable) for variable in model.variables]
    draw = np.random.default_rng(1)
    noise = [[draw.uniform(0.5, 2, v.shape).astype(v.dtype) for v in start] for _ in range(4)]
    trials = [[v * n for v, n in zip(start, own, strict=True)] for own in noise]

    monkeypatch.setattr("warmstart.training.probe.TOGETHER", 2)
    found = probe.looks(
        lambda places: [
            np.stack(values) for values in zip(*(trials[i] for i in places), strict=True)
        ],
        {3: 0, 0: 5, 2: 7},
    )
    assert list(found) == [3, 0, 2]
    for place, looks in found.items():
        assign(model.variables, trials[place])
        for ours, theirs in zip(looks, probe.look({3: 0, 0: 5, 2: 7}[place]), strict=True):
            assert ours.name == theirs.name
            for field in set(FIELDS) - {"name"}:
                assert getattr(ours, field) == pytest.approx(
                    getattr(theirs, field), rel=1e-4, abs=1e-6, nan_ok=True
                ), field
    assert len({looks[1].gradient_norm for looks in found.values()}) == 3


# |(3, 4)| = 5, |(12,)| = 12, together 13
@pytest.mark.parametrize(
    ("clipping", "share", "cosine"),
    [
        (Clipping(name="value", threshold=3.5), 1, (9 + 14 + 42) / 13 / (9 + 2 * 3.5**2) ** 0.5),
        (Clipping(name="norm", threshold=6.0), 1, (25 + 72) / 13 / (25 + 36) ** 0.5),
        (Clipping(name="global_norm", threshold=6.5), 1, 1),
        (Clipping(name="global_norm", threshold=20.0), 0, 1),
        (Clipping(name="value", threshold=12.5), 0, 1),
    ],
)
def test_clipping_by_hand(
    clipping: Clipping, share: float, cosine: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Arm(hidden=(4,), clipping=clipping).resolve(TASK.features)
    model = building.build(network, TASK.features, TASK.classes, seed=2)
    probe = Probe(
        model, model.variables, X, Y, optimizer=choices.optimizer(network).build(), batch_size=16
    )
    gradients = [keras.ops.convert_to_tensor(g) for g in ([3.0, 4.0], [12.0])]
    monkeypatch.setattr(probe._tape, "value_and_gradients", lambda loss, weights: (0, gradients))
    assert effect(probe._clips(probe._clip)) == {
        "clipped": share,
        "clip_cosine": pytest.approx(cosine, rel=1e-6),
    }


def test_how_often_clipping_acts_is_a_share_of_mini_batches() -> None:
    """70 samples are four batches of 16; the threshold lies between their gradients' norms."""
    base = Arm(hidden=(4,)).resolve(TASK.features)
    model = building.build(base, TASK.features, TASK.classes, seed=2)
    norms = []
    for start in range(0, 64, 16):
        rows = slice(start, start + 16)
        part = Probe(model, model.variables, X[rows], Y[rows]).look(0)
        _, biases = _gradients(model, X[rows], Y[rows])
        norms.append(np.sqrt(sum(p.gradient_norm**2 for p in part) + (biases**2).sum()))
    threshold = float(np.mean(sorted(norms)[2:]))
    network = base.changed_by(Arm(clipping=Clipping(name="global_norm", threshold=threshold)))
    probe = Probe(
        model, model.variables, X, Y, optimizer=choices.optimizer(network).build(), batch_size=16
    )
    first = probe.look(0)[0]
    assert first.clipped == 0.25
    assert first.clip_cosine == pytest.approx(1, abs=1e-6)


def _gradients(model: keras.Sequential, x: np.ndarray, y: np.ndarray) -> tuple[int, np.ndarray]:
    """Of the biases of a ReLU network with one hidden layer."""
    w1, b1, w2, b2 = (np.array(v).astype(float) for v in model.trainable_variables)
    z = x @ w1 + b1
    odds = np.exp(np.maximum(z, 0) @ w2 + b2)
    d2 = (odds / odds.sum(axis=1, keepdims=True) - np.eye(len(b2))[y]) / len(x)
    d1 = (d2 @ w2.T) * (z > 0)
    return len(x), np.concatenate([d1.sum(axis=0), d2.sum(axis=0)])


def nothing(epochs: int) -> None: ...


# every kind of state that a look moves: seed generators, moving statistics, fed thresholds
MOVING = Arm(
    hidden=(6,),
    activation=Activation(name="rrelu"),
    batch_norm="input+after",
    clipping=Clipping(name="norm", threshold=0.3),
)


def test_looking_changes_nothing_and_a_killed_trial_sees_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make_cohort(tmp_path, MOVING, trials=2, epochs=6)
    probed, (one, other) = replace(plain, probed=True), plain.trials
    assert probed.key(one) != plain.key(one)
    training = trainer.Trainer(probed, Data.of(TASK))

    def trained(trial: Trial) -> tuple[Result, list[np.ndarray]]:
        (standing,) = training.train([trial], Store(tmp_path), nothing)
        return training.finished(trial, standing)

    (seen, weights), (second, _) = trained(one), trained(other)
    assert sorted({probe.epoch for probe in seen.probes}) == [0, 1, 2, 4, 6]
    assert len(seen.probes) == 5 * (1 + 1 + 1)
    assert sorted({probe.epoch for probe in second.probes}) == [0, 6]
    assert second.probes[1].activation_deviation != seen.probes[1].activation_deviation
    slower, _ = trained(replace(one, learning_rate=0.01))
    assert repr(slower.probes[:3]) == repr(seen.probes[:3])  # the start knows no rate
    assert repr(slower.probes[-3:]) != repr(seen.probes[-3:])

    probe, training._probe, training.cohort = training._probe, None, plain  # the same program
    without, same = trained(one)
    assert without.epochs == seen.epochs
    for ours, theirs in zip(weights, same, strict=True):
        np.testing.assert_array_equal(ours, theirs)

    training._probe, training.cohort = probe, probed
    monkeypatch.setattr(Checkpoint, "SECONDS", 0.0)
    passed: list[int] = []

    def die(epochs: int) -> None:
        passed.append(epochs)
        if sum(passed) >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train([one], Store(tmp_path), die)
    looks: list[int] = []
    real = Probe.look
    monkeypatch.setattr(Probe, "look", lambda self, n: looks.append(n) or real(self, n))
    resumed, _ = trained(one)
    assert looks == [4, 6]  # what was seen before is kept
    kept = pack(resumed.probes).tobytes()
    assert kept == pack(seen.probes).tobytes()
    Store(tmp_path).write(resumed, weights)
    read = Store(tmp_path).read(resumed.key)
    assert read is not None
    assert pack(read.probes).tobytes() == kept


def test_the_last_look_at_a_diverged_trial_is_at_its_last_finite_weights(tmp_path: Path) -> None:
    cohort = replace(make_cohort(tmp_path, Arm(hidden=(4,)), trials=1, epochs=9), probed=True)
    wild = replace(cohort.trials[0], learning_rate=1e5)
    (result,) = worker.train(replace(cohort, trials=(wild,)), Store(tmp_path), nothing)
    assert result.outcome == "diverged"
    last = len(result.epochs["loss"]) - 1
    assert max(probe.epoch for probe in result.probes) == last
    model = building.build(wild.network, TASK.features, TASK.classes, seed=0)
    assign(model.variables, Store(tmp_path).weights(result.key))
    again = Probe(model, model.variables, X, Y).look(last)
    wild_alone = replace(cohort, trials=(wild,))
    start = worker.profile(wild_alone, Store(tmp_path), nothing)  # without training
    assert [p.gradient_norm for p in result.probes[:2]] == pytest.approx(
        [p.gradient_norm for p in start], rel=1e-4
    )
    ours = [p.activation_deviation for p in result.probes if p.epoch == last]
    assert ours == pytest.approx([p.activation_deviation for p in again], rel=1e-4)


def test_looks_become_rarer() -> None:
    assert [epoch for epoch in range(40) if is_due(epoch)] == [0, 1, 2, 4, 8, 16, 32]


def test_the_file_gives_back_what_was_seen(tmp_path: Path) -> None:
    probes = look(Arm(hidden=(4,), batch_norm="after"))
    again = unpack(pack(probes))
    assert repr(again) == repr(probes)
    rows = records.looks(probes, study="s", arm="a", seed=0, learning_rate=0.1)
    records.write_looks(tmp_path / "d.parquet", rows)
    frame = records.read_looks(tmp_path / "d.parquet")
    assert tuple(frame.columns) == ("study", "arm", "seed", "learning_rate", *FIELDS)
    assert frame["gradient_norm"].tolist() == [p.gradient_norm for p in probes]
    assert frame["name"].tolist() == ["hidden_1", "logits"]
