"""One root seed, any number of independent named seeds."""

import hashlib

import numpy as np


def derive(root: int, *names: str | int) -> int:
    """Seed of the stream called `names` under `root`: an integer in [0, 2**31).

    Streams with different names are independent for every practical purpose (SHA-256 of the
    name), and adding a stream never changes another one. Keras gives two layers of equal shape
    identical kernels when they share an integer seed, so every layer asks for its own.
    """
    name = "/".join([str(root), *(f"{type(n).__name__}:{n}" for n in names)])
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1


def generator(root: int, *names: str | int) -> np.random.Generator:
    """NumPy generator of the stream called `names` under `root`."""
    return np.random.default_rng(derive(root, *names))
