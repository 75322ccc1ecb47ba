"""Black and white in raw images."""

import numpy as np
import pytest

from warmstart.data.pixels import span


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (0.1, 1, (0, 1)),
        (0, 16, (0, 16)),  # scikit-learn's digits
        (0, 17, (0, 255)),
        (3, 255, (0, 255)),
        (0, 256, (0, 65535)),
        (-1, 1, (-1, 1)),
        (0, 1e5, (0, 1e5)),
    ],
)
def test_the_span_of_pixels(least: float, most: float, expected: tuple[float, float]) -> None:
    assert span(np.array([[least, most], [least, least]], np.float32)) == expected
