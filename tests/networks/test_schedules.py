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
