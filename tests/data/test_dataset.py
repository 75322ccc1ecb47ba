"""What makes a dataset, and what is said of arrays that do not."""

import re
from typing import Any

import numpy as np
import pytest

from warmstart.data.dataset import Dataset, from_arrays
from warmstart.data.digest import content_digest
from warmstart.errors import InputError

X = np.arange(48.0).reshape(12, 2, 2)
Y = np.repeat([0, 1, 2], 4)


def dataset(x: Any = X, y: Any = Y, class_names: Any = None) -> Dataset:
    return from_arrays(
        x, y, class_names, name="mine", where="mine.npz", source="here", licence="none"
    )


def problems(**arrays: Any) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        dataset(**arrays)
    return caught.value.problems


def test_flattens_samples_and_remembers_their_shape() -> None:
    made = dataset()

    assert made.x.dtype == np.float32
    assert made.x.shape == (12, 4)
    assert made.x[1].tolist() == [4, 5, 6, 7]
    assert made.feature_shape == (2, 2)
    assert made.y.dtype == np.int32
    assert made.y.tolist() == Y.tolist()
    assert made.class_names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("labels", "names", "first"),
    [
        ([9, 3, 7], ("3", "7", "9"), 2),
        ([10, 9, 1], ("1", "9", "10"), 2),
        (["dog", "cat", "eel"], ("cat", "dog", "eel"), 1),
    ],
)
def test_numbers_labels_in_sorted_order(labels: list, names: tuple, first: int) -> None:
    made = dataset(y=np.repeat(labels, 4))

    assert made.class_names == names
    assert made.y[0] == first
    assert [names[label] for label in made.y] == [str(label) for label in np.repeat(labels, 4)]


def test_class_names_fix_the_order_for_numbers_and_for_text() -> None:
    names = ["eel", "cat", "dog"]
    by_text = dataset(y=np.repeat(["cat", "dog", "eel"], 4), class_names=names)
    by_number = dataset(y=np.repeat([1, 2, 0], 4), class_names=names)

    assert by_text.class_names == by_number.class_names == ("eel", "cat", "dog")
    assert by_text.y.tolist() == by_number.y.tolist() == [1] * 4 + [2] * 4 + [0] * 4
    assert by_text.digest == by_number.digest


def test_digest_is_of_the_content_and_of_nothing_else() -> None:
    digest = dataset().digest

    assert dataset(x=X.astype(">f8"), y=Y.astype(np.uint8)).digest == digest
    assert dataset(x=np.asfortranarray(X)).digest == digest
    changed = X.copy()
    changed[11, 1, 1] += 1
    assert dataset(x=changed).digest != digest
    assert dataset(y=Y[::-1]).digest != digest
    assert dataset(class_names=["a", "b", "c"]).digest != digest
    assert dataset(x=X[:, :, :1]).digest != digest


def test_digest_tells_equal_bytes_of_other_shape_type_or_name_apart() -> None:
    zeros = np.zeros((4, 2), np.float32)
    contents = [
        {"x": zeros},
        {"x": zeros.T},
        {"x": zeros.astype(np.int32)},
        {"y": zeros},
        {"x": zeros[:2], "y": zeros[2:]},
    ]

    assert len({content_digest(arrays, ("a", "b")) for arrays in contents}) == len(contents)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X.astype(str)}, "x: expected numbers, received dtype <U"),
        ({"x": X.astype(complex)}, "x: expected numbers, received dtype complex128"),
        ({"x": X[:, 0, 0]}, r"x: expected shape \(samples, features, …\).*received \(12,\)"),
        ({"x": X[:, :0]}, r"x: expected shape.*received \(12, 0, 2\)"),
        ({"x": X * 1e38}, "x: .*fit float32, received 44 values.*first in sample 1"),
        ({"x": X[:-1]}, "x and y: .*received 11 samples and 12 labels"),
        ({"y": Y[:, None]}, r"y: expected one label per sample.*received \(12, 1\).*ravel"),
        ({"y": Y * 0}, "y: expected at least 2 classes, received '0' only"),
        (
            {"y": np.array([0] * 5 + [1] * 5 + [2] * 2)},
            "y: expected at least 3 samples of every class.*received 2 of '2'; add samples",
        ),
        (
            {"y": np.arange(12).astype(str)},
            "1 of '0', 1 of '1', .* and 7 more; add samples",
        ),
        ({"class_names": ["a", "b"]}, "y: expected labels from 0 to 1 .*received 2; name every"),
        ({"class_names": ["a", "b", "c", "d"]}, "received 0 of 'd'"),
        ({"class_names": ["a", "b", "a"]}, "class_names: .*received 'a' more than once"),
        ({"class_names": 3.5}, "class_names: expected text, .*received dtype float64"),
        ({"y": np.repeat(["a", "b", "z"], 4), "class_names": ["a", "b", "c"]}, "received 'z'"),
    ],
)
def test_each_wrong_input_is_one_line(arrays: dict[str, Any], words: str) -> None:
    (problem,) = problems(**arrays)

    assert problem.startswith("mine.npz: ")
    assert re.search(words, problem)
    assert "\n" not in problem


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_and_located(value: float) -> None:
    x = X.copy()
    x[5, 0, 1] = x[7, 1, 1] = value

    (problem,) = problems(x=x)
    assert re.search("received 2 values that are NaN, infinite .*first in sample 5", problem)


def test_all_problems_are_said_at_once() -> None:
    x = X[:-1].copy()
    x[0] = np.nan

    said = problems(x=x, y=Y[:, None], class_names=["a", "a"])
    assert [re.sub("mine.npz: | expected.*", "", problem) for problem in said] == [
        "x:",
        "class_names:",
        "y:",
    ]


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (Y - 1, ("-1", "0", "1")),
        (Y.astype(float), ("0", "1", "2")),
        (Y.astype(object), ("0", "1", "2")),
        (Y == 1, ("False", "True")),
        (np.where(Y == 1, 1, -1), ("-1", "1")),
        (Y.astype(">i2"), ("0", "1", "2")),
    ],
)
def test_labels_of_any_kind_are_classes(y: Any, names: tuple[str, ...]) -> None:
    made = dataset(y=y)
    assert made.class_names == names
    assert [names[label] for label in made.y] == [
        str(int(each)) if isinstance(each, float) else str(each) for each in y.tolist()
    ]
