"""A name in `params.yaml` -> data: some that everybody has, or the user's own."""

import ctypes
from pathlib import Path

from warmstart.config.data import KNOWN_CLASSES, Data
from warmstart.data import fashion_mnist, place
from warmstart.data.dataset import Dataset, from_arrays
from warmstart.data.incoming import Told
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

DIGITS = (
    "Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998), UCI Machine Learning "
    "Repository; its test set as scikit-learn bundles it"
)


def read(data: Data) -> Raw:
    """The data called `data.name` as they came: `digits`, `fashion_mnist`, or what is at
    `data.path`.

    Raises:
        InputError: one line per problem with the files, or with keys of `data` that do not fit.
    """
    if data.name == "digits":
        _check_keys("arrays", data, data.name)
        return _digits()
    if data.name == "fashion_mnist":
        _check_keys("arrays", data, data.name)
        return fashion_mnist.read(Path(data.path))
    found = place.find(data)
    _check_keys(found.kind, data, str(found.path))
    return found.read(found.path, data)


def load(data: Data) -> Dataset:
    """What `read` gives, checked.

    Raises:
        InputError: as `read`; as `from_arrays`.
    """
    raw = read(data)
    _give_back()
    told = Told(
        task=data.task,
        columns=data.columns,
        group=data.group,
        order=data.order,
        test_fraction=data.test_fraction,
    )
    dataset = from_arrays(
        raw.x,
        raw.y,
        raw.class_names,
        name=data.name,
        where=raw.where,
        source=raw.source,
        licence=raw.licence,
        n_test=raw.n_test,
        called=data.target or "y",
        told=told,
    )
    del raw
    _give_back()
    return dataset


def _give_back() -> None:
    """Memory that was freed, to the system: columns of a large table are pieces that glibc keeps,
    as much as the table once more."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _digits() -> Raw:
    # scikit-learn takes a second to import, and only these data need it
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Raw(
        x=x.reshape(-1, 8, 8),
        y=y,
        class_names=KNOWN_CLASSES["digits"],
        where="digits",
        source=DIGITS,
        licence="CC BY 4.0",
    )


_NOTHING = {"drop": "[]", "columns": "{}"}


def _check_keys(kind: place.Kind, data: Data, where: str) -> None:
    """Refuse keys of `data` that say nothing about data of this kind."""
    given = {
        "target": ("table", data.target),
        "drop": ("table", list(data.drop)),
        "columns": ("table", dict(data.columns)),
        "group": ("table", data.group),
        "order": ("table", data.order),
        "image_size": ("images", data.image_size and list(data.image_size)),
    }
    if problems := [
        f"data.{key}: expected {_NOTHING.get(key, 'null')}, since {where} holds {kind}"
        f", not {'a table' if right == 'table' else right}, received {value}; change it"
        for key, (right, value) in given.items()
        if value and kind != right
    ]:
        raise InputError(*problems)
