"""What black and white are in images, as raw values."""

import numpy as np
from numpy.typing import NDArray

_WHITE = (1.0, 16.0, 255.0, 65535.0)
"""Of shares, of scikit-learn's digits, of 8 and of 16 bits a pixel."""


def span(x: NDArray[np.floating]) -> tuple[float, float]:
    """Black and white of raw images `x (n, …)`: 0, and the smallest of 1, 16, 255 and 65535 that no
    pixel exceeds; where some are negative, or exceed them all, the least and the largest."""
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > _WHITE[-1]:
        return low, high
    return 0.0, next(white for white in _WHITE if high <= white)
