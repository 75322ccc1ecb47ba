"""The embedded dataset."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from warmstart.config.data import KNOWN_CLASSES, Data
from warmstart.data.sources import load

DIGITS = Data(name="digits", path="nowhere", validation_fraction=0.2, test_fraction=0.2)


def test_digits_are_the_ones_everybody_knows() -> None:
    dataset = load(DIGITS)

    assert dataset.x.shape == (1797, 64)
    assert dataset.feature_shape == (8, 8)
    assert (dataset.x.min(), dataset.x.max()) == (0, 16)
    # counts of the documentation of the UCI repository, for its test set
    assert np.bincount(dataset.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert dataset.class_names == KNOWN_CLASSES["digits"]
    assert dataset.x[0, :8].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]  # the upper edge of a zero
    assert dataset.y[0] == 0


def test_loading_digits_needs_no_tensorflow() -> None:
    code = (
        "import sys\n"
        "from warmstart.config.params import Data\n"
        "from warmstart.data.sources import load\n"
        "load(Data(name='digits', path='p', validation_fraction=0.2, test_fraction=0.2))\n"
        "assert not {'tensorflow', 'keras', 'pooch'} & set(sys.modules)"
    )
    source = Path(__file__).parents[2] / "src"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(source)},
        stderr=subprocess.PIPE,
        text=True,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
