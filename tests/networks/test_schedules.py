"""Schedules of the learning rate and the steps of optimizers, by their formulas."""

from typing import Any

import keras
import numpy as np
import pytest

from warmstart.config.arm import Arm
from warmstart.config.parts import Schedule
from warmstart.networks import choices, schedules

RATE = 0.3


def rates(choice: Schedule, steps: int) -> list[float]:
    made = schedules.schedule(choice, RATE, *schedules.spans(choice, steps)).build()
    return [float(made(step)) for step in range(steps)]


def test_cosine_by_equation_5() -> None:
    expected = [RATE / 2 * (1 + np.cos(np.pi * step / 20)) for step in range(20)]
    assert rates(Schedule(name="cosine"), 20) == pytest.approx(expected, rel=1e-5)


def test_warm_up_rises_in_a_line_and_stays() -> None:
    expected = [RATE * min(1.0, step / 5) for step in range(20)]
    assert rates(Schedule(name="warmup", share=0.25), 20) == pytest.approx(expected, rel=1e-5)


def test_warm_up_and_then_the_cosine() -> None:
    warm = [RATE * step / 5 for step in range(5)]
    after = [RATE / 2 * (1 + np.cos(np.pi * step / 15)) for step in range(15)]
    found = rates(Schedule(name="warmup_cosine", share=0.25), 20)
    assert found == pytest.approx(warm + after, rel=1e-5)


def test_steps_count_the_smaller_last_batch() -> None:
    assert schedules.steps(epochs=3, samples=70, batch_size=16) == 3 * 5
    assert schedules.spans(Schedule(name="constant"), 9) == (9, 0)


def stepped(name: str, gradients: list[np.ndarray], start: np.ndarray) -> np.ndarray:
    optimizer: Any = choices.optimizer(Arm(optimizer=name), RATE).build()
    variable = keras.Variable(start)
    optimizer.build([variable])
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return np.array(variable)


def test_lion_by_hand() -> None:
    """Chen et al. 2023, algorithm 2, without decay: the sign of an interpolation."""
    draw = np.random.default_rng(1)
    start = draw.normal(size=(3, 4)).astype(np.float32)
    gradients = [draw.normal(size=(3, 4)).astype(np.float32) for _ in range(3)]
    expected, momentum = start.astype("float64"), np.zeros((3, 4))
    for gradient in gradients:
        expected = expected - RATE * np.sign(0.9 * momentum + 0.1 * gradient)
        momentum = 0.99 * momentum + 0.01 * gradient
    np.testing.assert_allclose(stepped("lion", gradients, start), expected, rtol=1e-5)


def newton_schulz(x: np.ndarray) -> np.ndarray:
    """Five times x ← a x + (b A + c A²) x with A = x xᵀ, of a flat matrix of length 1 (Jordan)."""
    x = x / np.linalg.norm(x)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return x


def test_muon_by_hand() -> None:
    """Of kernels the momentum, orthogonalized, times 0.2 √(the longer side), as Nesterov has it; of
    the output layer and of biases AdamW's step. Weights decay by 0.004 of the rate."""
    draw = np.random.default_rng(1)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, name="hidden_1")])
    model.add(keras.layers.Dense(3, name="logits"))
    optimizer: Any = choices.optimizer(Arm(optimizer="muon"), RATE).build()
    weights = model.trainable_variables
    expected = [np.array(weight, "float64") for weight in weights]
    first = [np.zeros_like(weight) for weight in expected]
    second = [np.zeros_like(weight) for weight in expected]
    for step in (1, 2, 3):
        gradients = [draw.normal(size=weight.shape) for weight in expected]
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in gradients], weights)
        for place, gradient in enumerate(gradients):
            expected[place] *= 1 - 0.004 * RATE
            if place == 0:  # the kernel of hidden_1, taller than wide
                first[0] = 0.95 * first[0] + gradient
                turned = newton_schulz((gradient + 0.95 * first[0]).T).T
                expected[0] -= RATE * 0.2 * np.sqrt(6) * turned
            else:
                first[place] = 0.9 * first[place] + 0.1 * gradient
                second[place] = 0.999 * second[place] + 0.001 * gradient**2
                rate = RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                expected[place] -= rate * first[place] / (np.sqrt(second[place]) + 1e-7)
    for weight, value in zip(weights, expected, strict=True):
        np.testing.assert_allclose(np.array(weight), value, rtol=2e-3, atol=2e-4)


def test_muon_turns_a_kernels_step_orthogonal() -> None:
    """Jordan 2024: all singular values of the first step are nearly the same, whatever those of the
    gradient (from 1 to 0.2 here)."""
    draw = np.random.default_rng(1)
    left, _ = np.linalg.qr(draw.normal(size=(4, 4)))
    right, _ = np.linalg.qr(draw.normal(size=(4, 4)))
    gradient = (left * np.array([1.0, 0.5, 0.3, 0.2])) @ right
    start = np.zeros((4, 4), np.float32)
    step = stepped("muon", [gradient.astype(np.float32)], start)
    values = np.linalg.svd(step, compute_uv=False)
    assert values.max() / values.min() < 1.7
    np.testing.assert_array_equal(np.sign(np.diag(left.T @ step @ right.T)), -np.ones(4))
