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
    dataset, found = from_memory(X, kind(values), where="here")
    assert dataset.y.tolist() == PLACES
    assert [found[number] for number in dataset.y] == values
    assert dataset.class_names == tuple(map(str, labels))


def test_categories_and_labels_without_an_order() -> None:
    categories = pd.Series(["low", "high"] * 3, dtype="category")
    dataset, labels = from_memory(X, categories, where="here")
    assert labels[dataset.y].tolist() == categories.tolist()
    mixed = ["one", 2] * 3  # not sorted: as they appear
    dataset, labels = from_memory(X, mixed, where="here")
    assert labels.tolist() == ["one", 2]
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
    dataset, _ = from_memory(frame, y, where="here")
    expected = np.column_stack([np.arange(1, 7), [1, 0] * 3, np.linspace(0, 1, 6)])
    np.testing.assert_array_equal(dataset.x, expected.astype(np.float32))
    assert dataset.feature_shape == (3,)
    assert from_memory(X.reshape(6, 3, 1), y, where="here")[0].feature_shape == (3, 1)


@pytest.mark.parametrize(
    ("x", "y", "line"),
    [
        (
            pd.DataFrame({"city": list("abcdef"), "size": range(6)}),
            PLACES,
            "here: x: expected numeric columns, received 'city' (",
        ),
        (
            pd.DataFrame({"size": pd.array([1, None, 3, 4, 5, 6], dtype="Int64")}),
            PLACES,
            "here: x: expected finite numbers that fit float32, received 1 values",
        ),
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
        (X, [1, "1"] * 3, "here: class_names: expected different names, received '1'"),
    ],
)
def test_bad_input_gets_one_line(x: Any, y: Any, line: str) -> None:
    with pytest.raises(InputError) as error:
        from_memory(x, y, where="here")
    assert any(problem.startswith(line) for problem in error.value.problems), error.value


def test_x_and_y_are_both_looked_at() -> None:
    with pytest.raises(InputError) as error:
        from_memory(pd.DataFrame({"a": list("abcdef")}), np.eye(6), where="here")
    assert len(error.value.problems) == 2
