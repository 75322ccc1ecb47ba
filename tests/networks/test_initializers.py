"""The chapter's variances: Glorot 1/fan_avg, He 2/fan_in, LeCun 1/fan_in."""

import numpy as np
import pytest
from scipy.stats import norm

from warmstart.config.arm import Arm
from warmstart.config.parts import PAIRING, Initializer
from warmstart.networks import building, choices

FAN_IN, FAN_OUT = 400, 100
VARIANCE = {
    "glorot": 1 / ((FAN_IN + FAN_OUT) / 2),
    "he": 2 / FAN_IN,
    "lecun": 1 / FAN_IN,
}


def draw(name: str, seed: int = 7, **settings: float | str) -> np.ndarray:
    made = choices.initializer(Initializer(name=name, **settings), seed).build()
    return np.asarray(made((FAN_IN, FAN_OUT)))


def off_by(values: np.ndarray, variance: float) -> float:
    """Distance of the sample variance from `variance`, in standard errors of the sample variance
    (fourth-moment formula, so it holds for uniform and truncated draws alike)."""
    fourth = np.mean((values - values.mean()) ** 4)
    error = np.sqrt((fourth - values.var() ** 2) / values.size)
    return abs(values.var() - variance) / error


@pytest.mark.parametrize("family", VARIANCE)
@pytest.mark.parametrize("shape", ["normal", "uniform"])
def test_variance_is_the_chapters_within_the_sampling_error(family: str, shape: str) -> None:
    values = draw(f"{family}_{shape}")
    assert off_by(values, VARIANCE[family]) < 4
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(values.size)
    for other, variance in VARIANCE.items():  # a wrong fan or a lost factor 2 would show
        assert other == family or off_by(values, variance) > 20


def test_uniform_and_normal_differ_in_shape() -> None:
    bound = np.sqrt(3 * VARIANCE["he"])
    assert np.abs(draw("he_uniform")).max() <= bound
    assert np.abs(draw("he_normal")).max() > bound


def test_plain_normal_has_its_stddev_whatever_the_fans() -> None:
    assert off_by(draw("normal", stddev=1.0), 1.0) < 4
    assert off_by(draw("normal", stddev=0.05), 0.0025) < 4


def test_truncated_normal_and_uniform_keep_their_bounds() -> None:
    """Truncated at two deviations, a normal keeps 1 - 4 φ(2) / (2 Φ(2) - 1) of its variance."""
    truncated, uniform = draw("truncated_normal", stddev=0.5), draw("uniform", bound=0.3)
    assert off_by(truncated, 0.25 * (1 - 4 * norm.pdf(2) / (2 * norm.cdf(2) - 1))) < 4
    assert 0.99 < np.abs(truncated).max() <= 1
    assert off_by(uniform, 0.3**2 / 3) < 4
    assert 0.299 < np.abs(uniform).max() <= 0.3


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
def test_variance_scaling_divides_by_the_fan_of_its_mode(mode: str) -> None:
    fan = {"fan_in": FAN_IN, "fan_out": FAN_OUT, "fan_avg": (FAN_IN + FAN_OUT) / 2}[mode]
    for distribution in ("truncated_normal", "untruncated_normal", "uniform"):
        values = draw("variance_scaling", scale=3.0, mode=mode, distribution=distribution)
        assert off_by(values, 3 / fan) < 4


def test_orthogonal_columns_are_orthonormal() -> None:
    values = draw("orthogonal")
    np.testing.assert_allclose(values.T @ values, np.eye(FAN_OUT), atol=1e-5)


def test_zeros_are_zero() -> None:
    assert not draw("zeros").any()
    assert (draw("ones") == 1).all()


def test_same_seed_same_kernel_other_seed_other_kernel() -> None:
    np.testing.assert_array_equal(draw("he_normal", 1), draw("he_normal", 1))
    assert not np.array_equal(draw("he_normal", 1), draw("he_normal", 2))


def test_layers_of_equal_shape_start_with_different_kernels() -> None:
    """Keras gives them identical ones when they share an integer seed."""
    network = Arm(hidden=(30, 30, 30)).resolve(30)
    model = building.build(network, features=30, outputs=30, seed=0)
    kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
    for i, one in enumerate(kernels):
        for other in kernels[:i]:
            assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [
        ("linear", "glorot_normal"),
        ("tanh", "glorot_normal"),
        ("sigmoid", "glorot_normal"),
        ("relu", "he_normal"),
        ("leaky_relu", "he_normal"),
        ("elu", "he_normal"),
        ("gelu", "he_normal"),
        ("silu", "he_normal"),
        ("selu", "lecun_normal"),
    ],
)
def test_auto_pairs_by_the_chapters_table(activation: str, initializer: str) -> None:
    assert PAIRING[activation] == initializer
