"""What a notebook holds, as a dataset: labels of any kind keep their meaning."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from warmstart.data.memory import from_memory
from warmstart.errors import InputError

X = np.arange(18.0).reshape(6, 3)
PLACES = [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    "labels",
    [
        ["ape", "bee"],
        [-1, 7],
        [0.5, 2.5],
        [False, True],
        [("a", 1), ("b", 0)],
        [date(2026, 1, 1), date(2026, 1, 2)],
    ],
)
@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_labels_of_any_kind_are_numbered_in_order(labels: list[Any], kind: Any) -> None:
    values = [labels[place] for place in PLACES]
    if isinstance(labels[0], tuple) and kind is np.array:
        pytest.skip("an array of tuples has two axes")
    dataset = from_memory(X, kind(values), where="here")
    assert dataset.y.tolist() == PLACES
    assert [dataset.labels[number] for number in dataset.y] == values
    assert dataset.class_names == tuple(map(str, labels))


def test_categories_and_labels_without_an_order() -> None:
    categories = pd.Series(["low", "high"] * 3, dtype="category")
    dataset = from_memory(X, categories, where="here")
    assert dataset.labels[dataset.y].tolist() == categories.tolist()
    mixed = ["one", 2] * 3  # not sorted: as they appear
    dataset = from_memory(X, mixed, where="here")
    assert dataset.labels.tolist() == ["one", 2]
    assert dataset.y.tolist() == [0, 1] * 3


def test_a_frame_gives_its_columns() -> None:
    frame = pd.DataFrame(
        {
            "a": pd.array([1, 2, 3, 4, 5, 6], dtype="Int64"),
            "b": [True, False] * 3,
            "c": np.linspace(0, 1, 6),
        },
        index=list("uvwxyz"),
    )
    y = pd.Series(PLACES, index=frame.index)
    dataset = from_memory(frame, y, where="here")
    expected = np.column_stack([np.arange(1, 7), [1, 0] * 3, np.linspace(0, 1, 6)])
    np.testing.assert_array_equal(dataset.x, expected)
    assert dataset.feature_shape == (3,)
    assert [column.kind for column in dataset.columns] == ["number", "boolean", "number"]
    assert from_memory(X.reshape(6, 3, 1), y, where="here").feature_shape == (3, 1)


def test_a_column_of_the_frame_is_the_target() -> None:
    frame = pd.DataFrame({"size": X[:, 0], "kind": ["ape", "bee"] * 3})
    dataset = from_memory(frame, target="kind", where="here")
    assert (dataset.target, dataset.class_names) == ("kind", ("ape", "bee"))
    assert [column.name for column in dataset.columns] == ["size"]
    assert dataset.y.tolist() == [0, 1] * 3


def test_masked_values_are_missing_ones() -> None:
    x = np.ma.masked_greater(X, 15)
    dataset = from_memory(x, PLACES, where="here")
    assert np.isnan(dataset.x).tolist() == (X > 15).tolist()
    assert [column.missing for column in dataset.columns] == [False, True, True]
    every = from_memory(np.where(np.eye(6, 3) > 0, np.nan, X), PLACES, where="here")
    assert [column.missing for column in every.columns] == [True] * 3
    with pytest.raises(InputError, match="y: expected a label for every sample, received 3"):
        from_memory(X, np.ma.masked_equal(PLACES, 1), where="here")


@pytest.mark.parametrize("order", [">", "<"])
def test_byte_order_is_no_matter(order: str) -> None:
    y = np.array(PLACES, f"{order}i4")
    dataset = from_memory(X.astype(f"{order}f8"), y, where="here")
    assert dataset.digest == from_memory(X, PLACES, where="here").digest
    assert dataset.labels.dtype.isnative


@pytest.mark.parametrize(
    ("x", "y", "line"),
    [
        (
            pd.DataFrame({"size": [1, np.inf, 3, 4, 5, 6]}),
            PLACES,
            "here: column 'size': expected numbers, received 1 that are infinite",
        ),
        (pd.DataFrame({"size": X[:, 0]}), None, "here: y: expected either y or the name of a"),
        (
            X,
            [1, None, 1, 0, 1, 0],
            "here: y: expected a label for every sample, received 1 missing",
        ),
        (X, np.eye(6), "here: y: expected one label per sample, shape (samples,), received (6, 6)"),
        (
            X,
            pd.DataFrame({"y": PLACES}),
            "here: y: expected one label per sample, shape (samples,)",
        ),
        (X, [[1], [0]] * 3, "here: y: expected hashable labels"),
        (X, PLACES[:4], "here: x and y: expected one label per sample, received 6 samples and 4"),
        (
            pd.DataFrame(X),
            pd.Series(PLACES, index=[5, 4, 3, 2, 1, 0]),
            "here: x and y: expected the same index",
        ),
        (X, [1, "1"] * 3, "here: y: expected labels with different names, received '1'"),
    ],
)
def test_bad_input_gets_one_line(x: Any, y: Any, line: str) -> None:
    with pytest.raises(InputError) as error:
        from_memory(x, y, where="here")
    assert any(problem.startswith(line) for problem in error.value.problems), error.value


def test_x_and_y_are_both_looked_at() -> None:
    with pytest.raises(InputError) as error:
        from_memory(pd.DataFrame({"a": [[1]] * 6}), np.eye(6), where="here")
    assert len(error.value.problems) == 2
