"""A name in `params.yaml` -> a dataset."""

from pathlib import Path

from warmstart.config.params import KNOWN_CLASSES, Data
from warmstart.data import fashion_mnist, own
from warmstart.data.dataset import Dataset, from_arrays

__all__ = ["Dataset", "load"]


def load(data: Data) -> Dataset:
    """The dataset called `data.name`: `digits`, `fashion_mnist`, or the files at `data.path`.

    Raises:
        InputError: one line per problem with the files.
    """
    if data.name == "digits":
        # scikit-learn takes a second to import, and only this branch needs it
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        return from_arrays(
            x.reshape(-1, 8, 8),
            y,
            KNOWN_CLASSES["digits"],
            name=data.name,
            where="digits",
            source="Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998), "
            "UCI Machine Learning Repository; its test set as scikit-learn bundles it",
            licence="CC BY 4.0",
        )
    if data.name == "fashion_mnist":
        images, labels = fashion_mnist.read(Path(data.path))
        return from_arrays(
            images,
            labels,
            KNOWN_CLASSES["fashion_mnist"],
            name=data.name,
            where="fashion_mnist",
            source="Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), Zalando Research",
            licence="MIT, copyright 2017 Zalando SE",
        )
    arrays = own.read(data)
    return from_arrays(
        arrays.x,
        arrays.y,
        arrays.class_names,
        name=data.name,
        where=str(arrays.where),
        source=f"the user's files at {data.path}",
        licence="not stated: the user's",
    )
