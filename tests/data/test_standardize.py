"""Standardization against NumPy in float64."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from warmstart.data.standardization import Standardization

X = np.random.default_rng(0).normal([5, -300, 0.01], [2, 40, 1e-4], (500, 3)).astype(np.float32)


def test_statistics_are_numpys() -> None:
    standardization = Standardization.of([X])
    exact = X.astype(np.float64)

    np.testing.assert_allclose(standardization.mean, exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(standardization.scale, exact.std(axis=0), rtol=1e-9)


def test_what_is_standardized_has_mean_0_and_deviation_1() -> None:
    standardized = Standardization.of([X]).apply(X)

    assert standardized.dtype == np.float32
    # float32 carries each value to 2**-24 of its size, at most 5 here
    np.testing.assert_allclose(standardized.mean(axis=0, dtype=np.float64), 0, atol=5 * 2**-24)
    np.testing.assert_allclose(standardized.std(axis=0, dtype=np.float64), 1, atol=5 * 2**-24)


@pytest.mark.parametrize("constant", [0, 7, 0.1, 255, -3e7])
def test_a_constant_feature_keeps_scale_1(constant: float) -> None:
    x = np.concatenate([X, np.full((500, 1), constant, np.float32)], axis=1)
    standardization = Standardization.of([x])

    assert standardization.scale[3] == 1
    np.testing.assert_allclose(standardization.apply(x)[:, 3], 0, atol=abs(constant) * 1e-12)
    other = np.full((1, 4), constant + 2, np.float32)
    assert standardization.apply(other)[0, 3] == other[0, 3] - np.float32(constant)


def test_apply_uses_the_statistics_it_was_made_with() -> None:
    standardization = Standardization(mean=np.array([1.0, 2.0]), scale=np.array([2.0, 4.0]))

    applied = standardization.apply(np.array([[3, 0], [1, 10]], np.float32))

    assert applied.tolist() == [[1, -0.5], [0, 2]]


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    standardization = Standardization.of([X])
    standardization.write(tmp_path / "standardize.npz")
    read = Standardization.read(tmp_path / "standardize.npz")

    assert read.mean.tolist() == standardization.mean.tolist()
    assert read.scale.tolist() == standardization.scale.tolist()


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("pieces", [1, 4])
def test_statistics_are_those_of_scikit_learn_to_the_last_bit(
    kind: type[np.generic], pieces: int
) -> None:
    numbers = np.random.default_rng(1)
    x = numbers.normal([5, 100, 60], [2, 40, 1e-3], (1_000, 3)).clip(0).astype(kind)
    x = np.concatenate([x, np.full((1_000, 2), [7, 0]).astype(kind)], axis=1)
    parts, scaler = np.array_split(x, [1, 300, 777][: pieces - 1]), StandardScaler()
    for part in parts:
        scaler.partial_fit(part)
    found = Standardization.of(parts)
    assert found.mean.tolist() == scaler.mean_.tolist()
    assert found.scale.tolist() == scaler.scale_.tolist()
