"""What names data by their content."""

import hashlib
import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def content_digest(arrays: Mapping[str, NDArray], class_names: tuple[str, ...]) -> str:
    """SHA-256 over name, dtype, shape and bytes of each array, and over the class names."""
    sha = hashlib.sha256(json.dumps(class_names).encode())
    for name, values in arrays.items():
        little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        sha.update(f"\n{name} {little.dtype.str} {little.shape}\n".encode())
        sha.update(little.data)
    return sha.hexdigest()
