"""Kinds of columns, and their values as numbers."""

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from warmstart.data.columns import Column, ColumnError, encode
from warmstart.data.kinds import understand

FRAME = pd.DataFrame(
    {
        "age": [31, 40, None, 28],
        "smokes": [True, None, False, True],
        "town": ["Rom", None, "Ulm", "Rom"],
        "size": pd.Categorical(["S", "L", "M", None], ["S", "M", "L"], ordered=True),
        "seen": ["2024-02-29", "2025-01-06 12:00", None, "2024-03-01"],
        "count": pd.array([1, 2, None, 4], dtype="Int64"),
        "flag": pd.array([True, False, None, True], dtype="boolean"),
        "small": np.array([1, 2, 3, 4], np.uint8),
    }
)


def test_kinds_follow_from_what_the_values_are() -> None:
    kinds = {column.name: column.kind for column in understand(FRAME)}
    assert kinds == {
        "age": "number",
        "smokes": "boolean",
        "town": "category",
        "size": "ordered",
        "seen": "date",
        "count": "number",
        "flag": "boolean",
        "small": "number",
    }


def test_values_become_numbers_and_gaps_stay() -> None:
    columns = understand(FRAME)
    table = dict(zip([c.title for c in columns], encode(FRAME, columns).T, strict=True))
    gap = np.nan
    np.testing.assert_array_equal(table["age"], [31, 40, gap, 28])
    np.testing.assert_array_equal(table["smokes"], [1, gap, 0, 1])
    np.testing.assert_array_equal(table["town"], [0, 3, 1, 0])  # a gap is a number of its own
    np.testing.assert_array_equal(table["size"], [0, 2, 1, gap])
    np.testing.assert_array_equal(table["count"], [1, 2, gap, 4])
    np.testing.assert_array_equal(table["flag"], [1, 0, gap, 1])
    np.testing.assert_array_equal(table["seen (year)"], [2024, 2025, gap, 2024])
    np.testing.assert_array_equal(table["seen (month)"], [2, 1, gap, 3])
    np.testing.assert_array_equal(table["seen (weekday)"], [3, 0, gap, 4])
    np.testing.assert_array_equal(table["seen (hour)"], [0, 12, gap, 0])
    np.testing.assert_array_equal(table["seen (days)"], [19782, 20094.5, gap, 19783])
    missing = [column.title for column in columns if column.missing]
    assert missing == ["age", "smokes", "town", "size", "seen (days)", "count", "flag"]


def test_the_same_rows_in_another_form_are_the_same_numbers() -> None:
    columns = understand(FRAME)
    again = tuple(Column.from_json(json.loads(json.dumps(c.to_json()))) for c in columns)
    assert again == columns
    other = FRAME[FRAME.columns[::-1]].astype({"age": "Float64", "town": "category"})
    other["seen"] = pd.to_datetime(FRAME["seen"], format="ISO8601").dt.tz_localize("UTC")
    other["more"] = "is ignored"
    np.testing.assert_array_equal(encode(other, columns), encode(FRAME, columns))


def test_unknown_categories_are_told_from_gaps() -> None:
    columns = understand(pd.DataFrame({"town": ["Rom", "Ulm", None]}))
    rows = pd.DataFrame({"town": ["Ulm", "Oslo", None, 7]})
    assert encode(rows, columns)[:, 0].tolist() == [1, 2, 3, 2]


def test_whole_numbers_are_one_category_as_floats_and_as_integers() -> None:
    columns = understand(pd.DataFrame({"code": [7, 3, 3]}), {"code": "category"})
    assert columns[0].values == (3, 7)
    assert encode(pd.DataFrame({"code": [7.0, None, 3.0]}), columns)[:, 0].tolist() == [1, 3, 0]


def test_overrides() -> None:
    frame = pd.DataFrame(
        {"mark": ["good", "bad", "fair"], "day": ["31.12.2025", "01.02.2024", None], "z": [0, 1, 1]}
    )
    columns = understand(
        frame,
        {"mark": {"ordered": ["bad", "fair", "good"]}, "day": {"date": "%d.%m.%Y"}, "z": "boolean"},
    )
    table = dict(zip([c.title for c in columns], encode(frame, columns).T, strict=True))
    assert table["mark"].tolist() == [2, 0, 1]
    np.testing.assert_array_equal(table["day (month)"], [12, 2, np.nan])
    assert {c.kind for c in columns} == {"ordered", "date", "boolean"}


@pytest.mark.parametrize(
    ("values", "override", "line"),
    [
        ([f"was {i} ill" for i in range(60)], None, "identifier or free text; leave it out with"),
        (["a b"] + [f"w {i // 2}" for i in range(80)], None, "41 different texts in 81 rows.*free"),
        ([[1]] * 3, None, "column 'c': expected numbers, truth values.*received list"),
        ([1, "two"], None, "received int, str; convert it"),
        (["x"], "number", "column 'c': expected numbers, received"),
        (["x"], "boolean", "column 'c': expected truth values, received 'x'"),
        (["31/12/2025"], "date", "column 'c': expected dates, received"),
        (["x"], "text", "data.columns.c: expected number, .*received 'text'"),
        (["x", "y"], {"ordered": ["x"]}, "expected one of its ordered values, received 'y'"),
        ([1.0, np.inf], None, "1 that are infinite or beyond .*, the first in sample 1; "),
        ([1j], None, "expected numbers, truth values, dates or text, received complex"),
    ],
)
def test_what_cannot_be_read_is_one_line(values: list[Any], override: Any, line: str) -> None:
    with pytest.raises(ColumnError) as error:
        understand(pd.DataFrame({"c": values}), {"c": override} if override else None)
    (problem,) = error.value.problems
    assert re.search(line, problem), problem
    assert "\n" not in problem


def test_columns_that_are_not_there_are_named_at_once() -> None:
    columns = understand(pd.DataFrame({"a": [1], "b": [2], "c": [3]}))
    with pytest.raises(ColumnError, match="expected the columns 'a', 'c', received none of them"):
        encode(pd.DataFrame({"b": [2]}), columns)
