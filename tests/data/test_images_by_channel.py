"""The shape of samples, and images standardized by channel, against NumPy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from parameters import params
from warmstart.config.data import Data
from warmstart.data.images import channels, sample_shape
from warmstart.data.sources import load
from warmstart.data.split import resplit, split_full
from warmstart.data.task import Task
from warmstart.data.view import View
from warmstart.errors import InputError


@pytest.fixture
def data(tmp_path: Path) -> Data:
    draw, y = np.random.default_rng(0), np.arange(90) % 3
    x = draw.normal([[[[1.0, -4.0]]]], [[[[2.0, 0.5]]]], (90, 16, 17, 2)) + y[:, None, None, None]
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    own = {"name": "mine", "path": str(tmp_path / "mine.npz"), "splits": "resampled"}
    return params().data.model_copy(update=own)


def test_pixels_share_the_statistics_of_their_channel(data: Data) -> None:
    whole = split_full(load(data), data, seed=1)
    raw = whole.dataset.x.reshape(-1, 16, 17, 2).astype("float64")
    train = raw[whole.parts["train"]]
    mean, scale = train.mean((0, 1, 2)), train.std((0, 1, 2))
    for part in ("train", "test"):
        expected = ((raw[whole.parts[part]] - mean) / scale).reshape(-1, 16 * 17 * 2)
        found = getattr(whole.task, f"x_{part}")
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert whole.task.shape == (16, 17, 2)


def test_other_splits_and_the_file_know_it(data: Data, tmp_path: Path) -> None:
    whole = split_full(load(data), data, seed=1)
    whole.write(tmp_path)
    again = View.read(tmp_path, "full")
    assert (again.channels, again.task.shape) == (2, (16, 17, 2))
    other = resplit(again, 1, 1, "resampled")
    by_channel = other.standardization.mean.reshape(-1, 2)
    np.testing.assert_array_equal(by_channel, np.broadcast_to(by_channel[0], by_channel.shape))
    assert other.task.shape == other.task.only("b", [0, 2]).shape == (16, 17, 2)
    assert Task.read(tmp_path / "full.npz").shape == (16, 17, 2)


def test_by_feature_where_that_is_asked_for(data: Data) -> None:
    data = data.model_copy(update={"standardize": "feature"})
    whole = split_full(load(data), data, seed=1)
    train = whole.dataset.x[whole.parts["train"]]
    np.testing.assert_allclose(whole.standardization.mean, train.mean(0), rtol=1e-5, atol=1e-6)
    assert whole.channels is None
    assert replace(whole, channels=2).task is whole.task


def test_what_is_an_image() -> None:
    assert sample_shape((8, 8), 64) == (8, 8, 1)
    assert sample_shape((16, 16, 3), 768) == (16, 16, 3)
    assert sample_shape((64,), 64) == (64,)
    assert sample_shape((2, 3, 4, 5), 120) == (120,)
    assert sample_shape((), 7) == (7,)
    assert channels((8, 8, 1), "auto") is None
    assert channels((8, 8, 1), "channel") == 1
    assert channels((32, 32, 3), "auto") == 3
    with pytest.raises(InputError, match=r"^data\.standardize: expected auto or feature, since"):
        channels((64,), "channel")
