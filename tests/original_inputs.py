"""Small inputs as they should be, of every kind that is read: what mutations begin with."""

import gzip
import io
from functools import cache

import numpy as np
import pandas as pd
from PIL import Image

import parameters

ROWS = 60
_DRAW = np.random.default_rng(0)
X = _DRAW.integers(0, 256, (ROWS, 4, 4)).astype(np.uint8)
Y = np.tile(np.arange(3, dtype=np.uint8), ROWS // 3)
FRAME = pd.DataFrame(
    {
        "age": _DRAW.integers(20, 90, ROWS),
        "dose": _DRAW.normal(size=ROWS).round(3),
        "town": np.array(["Ulm", "São Paulo", "서울", 'a,"b"'])[_DRAW.integers(0, 4, ROWS)],
        "seen": pd.date_range("2024-01-01", periods=ROWS).strftime("%Y-%m-%d"),
        "y": np.array(["ill", "well", "unsure"])[Y],
    }
)
_ARFF = "@relation r\n@attribute a numeric\n@attribute t {'u v',w}\n@attribute y {p,q}\n@data\n"


def npz(compressed: bool, x: np.ndarray = X, y: np.ndarray = Y) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, x=x, y=y, class_names=["a", "b", "c"])
    return buffer.getvalue()


def idx(array: np.ndarray) -> bytes:
    lengths = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def image(pixels: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def _buffer(write: object) -> bytes:
    buffer = io.BytesIO()
    write(buffer)  # type: ignore[operator]
    return buffer.getvalue()


def _images(kind: str) -> dict[str, bytes]:
    return {
        f"mine/class {y}/{place}.{kind}": image(X[place], kind)
        for place, y in enumerate(Y[:12].tolist())
    }


@cache
def originals() -> dict[str, dict[str, bytes]]:
    """Kind -> its files, by their paths, the one to mutate first; data are called `mine…`."""
    text = FRAME.to_csv(index=False)
    return {
        "params": {"params.yaml": parameters.PATH.read_bytes()},
        "csv": {"mine.csv": text.encode()},
        "csv.gz": {"mine.csv.gz": gzip.compress(text.encode(), mtime=0)},
        "tsv": {"mine.tsv": FRAME.to_csv(index=False, sep="\t").encode("utf-16")},
        "arff": {"mine.arff": (_ARFF + "1,'u v',p\n?,w,q\n2.5,w,p\n" * (ROWS // 3)).encode()},
        "parquet": {"mine.parquet": _buffer(FRAME.to_parquet)},
        "feather": {"mine.feather": _buffer(FRAME.to_feather)},
        "npz": {"mine.npz": npz(compressed=False)},
        "npz, compressed": {"mine.npz": npz(compressed=True)},
        "idx": {
            "mine/train-images-idx3-ubyte": idx(X),
            "mine/train-labels-idx1-ubyte": idx(Y),
        },
        "idx.gz": {
            "mine/train-labels-idx1-ubyte.gz": gzip.compress(idx(Y), mtime=0),
            "mine/train-images-idx3-ubyte.gz": gzip.compress(idx(X), mtime=0),
        },
        "png": _images("png"),
        "jpeg": _images("jpeg"),
    }
