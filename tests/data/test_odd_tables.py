"""Tables as people have them: each is read for what it is, or refused in one line."""

import datetime
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import parameters
from warmstart.config.params import Params
from warmstart.data.dataset import Dataset
from warmstart.data.incoming import Told
from warmstart.data.memory import from_memory
from warmstart.data.sources import load
from warmstart.data.split import split_full
from warmstart.errors import InputError
from warmstart.stages.describe import describe

N = 60
DRAW = np.random.default_rng(0)
A = DRAW.normal(size=(N, 2)).round(4)
Y = np.where(A[:, 0] > 0, "ill", "well")
NUMBERS = DRAW.integers(1_000, 9_999_999, N)


def frame(**more: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": A[:, 0], "b": A[:, 1], "y": Y} | more)


def asked(path: Path, **data: Any) -> Params:
    params = parameters.params()
    own = {"name": "odd", "path": str(path), "target": "y"} | data
    return params.model_copy(
        update={
            "data": params.data.model_copy(update=own),
            "transfer": params.transfer.model_copy(update={"task_b": ("auto",)}),
        }
    )


def from_file(table: pd.DataFrame, folder: Path, **data: Any) -> Dataset:
    table.to_csv(folder / "odd.csv", index=False)
    return load(asked(folder / "odd.csv", **data).data)


def test_blanks_around_texts_are_nothing(tmp_path: Path) -> None:
    towns = ["Ulm", "Ulm ", " Ulm", "Rom"] * 15
    table = frame(town=towns, y=[each + " " * (place % 2) for place, each in enumerate(Y)])
    read = from_file(table, tmp_path)
    assert read.class_names == ("ill", "well")
    assert read.columns[-1].values == ("Rom", "Ulm")
    held = from_memory(table.drop(columns="y"), Y, where="here")
    assert held.columns == read.columns
    np.testing.assert_array_equal(held.x, read.x)


def test_an_empty_text_is_missing_in_memory_as_in_a_file(tmp_path: Path) -> None:
    table = frame(town=["Ulm", "", "  ", "Rom"] * 15)
    read, held = from_file(table, tmp_path), from_memory(table, target="y", where="here")
    for dataset in (read, held):
        assert dataset.columns[-1].missing
        assert dataset.columns[-1].values == ("Rom", "Ulm")
        assert dataset.x[:4, 2].tolist() == [1, 3, 3, 0]
    with pytest.raises(InputError, match="label for every sample, received 30 missing"):
        from_memory(table[["a", "b"]], ["", "x", " ", "z"] * 15, where="here")


def test_dates_that_nanoseconds_cannot_count() -> None:
    days = ["9999-12-31", "0001-01-01", "2024-01-02"] * 20
    dataset = from_memory(frame(day=days).drop(columns="y"), Y, where="here")
    last = dict(zip([c.title for c in dataset.columns], dataset.x[:3].T, strict=True))
    assert last["day (year)"].tolist() == [9999, 1, 2024]
    first = [datetime.date.fromisoformat(day).toordinal() - 719_163 for day in days[:3]]
    assert last["day (days)"].tolist() == first


def test_numbers_of_text_columns_are_found_again() -> None:
    held = from_memory(frame(code=["1", "2", "three", "x"] * 15), target="y", where="here")
    rows = frame(code=[1, 2, "three", 7] * 15)
    from warmstart.data.columns import encode

    assert encode(rows, held.columns)[:4, 2].tolist() == [0, 1, 2, 4]


def test_columns_that_are_numbers_or_pairs() -> None:
    plain = pd.DataFrame(A).assign(**{"2": Y}).rename(columns={"2": 2})
    for target in (2, "2"):
        dataset = from_memory(plain, target=target, where="here")
        assert [column.name for column in dataset.columns] == ["0", "1"]
    deep = pd.DataFrame(A, columns=pd.MultiIndex.from_product([["v"], ["a", "b"]]))
    dataset = from_memory(deep, Y, where="here")
    assert [column.name for column in dataset.columns] == ["('v', 'a')", "('v', 'b')"]
    bytes_ = from_memory(A, Y.astype("S"), where="here")
    assert (bytes_.class_names, bytes_.labels[0]) == (("ill", "well"), b"ill")


def test_an_array_may_have_a_gap_in_every_column() -> None:
    dataset = from_memory(np.where(A > 1, np.nan, A), Y, where="here")
    assert [column.missing for column in dataset.columns] == [True, True]
    params = parameters.params()
    assert np.isfinite(split_full(dataset, params.data, 42).task.x_train).all()


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"c": [f"{n:,}" for n in NUMBERS]}, "expected plain numbers, received 60.* '.*,.*'; remo"),
        ({"c": [f"{n} kg" for n in NUMBERS]}, "expected plain numbers, .*remove units"),
        ({"c": [f"€{n}" for n in NUMBERS]}, "expected plain numbers, .*remove units"),
        ({"c": ["unknown", *map(str, NUMBERS[1:])]}, "1 of which are none, the first 'unknown'"),
        ({"c": [f"visit {n}" for n in NUMBERS]}, "look like an identifier or free text"),
        ({"c": [f"{1 + n % 28}.{1 + n % 12}.2{n % 999:03}" for n in NUMBERS]}, "say what it is in"),
        (
            {"c": np.where(np.arange(N) % 9, A[:, 0], 1e300)},
            "column 'c': .* 7 that are infinite or",
        ),
        ({"c": ["2024-02-30", *["2024-02-28"] * 59]}, "column 'c': expected dates, received .*; m"),
        ({"y": np.arange(N) // 2, "c": 1}, None),  # a regression
        ({"y": [f"k{n}" for n in np.arange(N) // 2]}, "at least 3 samples of every class"),
        ({"y": [f"{n:,}" for n in NUMBERS]}, "y: expected plain numbers, received 60"),
        ({"y": 7.0}, "at least 2 classes, received '7' only"),
    ],
)
def test_files_are_read_or_refused_in_one_line(
    tmp_path: Path, more: dict[str, Any], line: str | None
) -> None:
    if line is None:
        assert from_file(frame(**more), tmp_path).kind == "regression"
        return
    with pytest.raises(InputError) as error:
        from_file(frame(**more), tmp_path)
    (problem,) = error.value.problems
    assert re.search(line, problem), problem
    assert problem.startswith(str(tmp_path / "odd.csv"))
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("x", "y", "line"),
    [
        (pd.DataFrame(A, columns=["a", "a"]), Y, "x: expected columns with different names"),
        (pd.DataFrame(A, columns=[1, "1"]), Y, "x: expected columns with different names"),  # type: ignore[list-item]
        ([[1, 2], [3]] * 30, Y, "x: expected samples of one shape, received others"),
        ({"a": A[:, 0]}, Y, "x: expected an array or a frame, received dict"),
        (A, ["a", "a ", "b", "b"] * 15, "y: expected labels that differ in more than the blanks"),
        (A, A[:, 0] * 1e300, "y: expected finite numbers, received 60 that are infinite or beyond"),
        (A[:9], A[:9, 0], "y: expected 10 samples or more to predict a number, received 9"),
    ],
)
def test_what_is_in_memory_is_refused_in_one_line(x: Any, y: Any, line: str) -> None:
    with pytest.raises(InputError) as error:
        from_memory(x, y, where="here")
    (problem,) = error.value.problems
    assert problem.startswith(f"here: {line}"), problem


def test_groups_and_order_that_cannot_be() -> None:
    lists = frame(g=[[1]] * N).drop(columns="y")
    with pytest.raises(InputError, match=r"data.group: expected numbers or text, .*'g'; convert"):
        from_memory(lists, Y, told=Told(group="g"), where="here")
    later = frame(o=np.where(Y == "ill", 0, 1))
    told = Told(order="o")
    dataset = from_memory(later, target="y", told=told, where="here")
    data = parameters.params().data.model_copy(update={"order": "o"})
    with pytest.raises(InputError, match=r"^data.order: expected in the order of 'o' 1 sample of"):
        split_full(dataset, data, 42)
    told = Told(order="i", group="g")  # every group has a row among the newest
    rows = from_memory(frame(i=range(N), g=["u", "v"] * 30), target="y", told=told, where="here")
    with pytest.raises(InputError, match=r"2 groups .* outside the test part, .* received 0 of 0"):
        split_full(rows, data, 42)
    text = from_memory(A, [f"{n:.3f}" for n in A[:, 0]], told=Told(task="regression"), where="here")
    np.testing.assert_allclose(text.y, A[:, 0], atol=5e-4)


def test_description_of_few_rows_and_of_names_that_are_alike(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    frame(y=["Yes", "yes", "no", "NO"] * 15)[:12].to_csv(path, index=False)
    lines = describe(asked(path)).splitlines()
    assert "  NO, Yes, no, yes differ in small and capital letters alone" in lines
    # 3 of each class: one each to train, validate and test
    left_out = (
        "transfer: left out with pretrain and autoencode, since task B, NO and Yes, has 2 samples "
        "to train on, where transfer.train_size and label_counts ask for up to "
    )
    assert any(line.startswith(left_out) for line in lines), lines
    pd.DataFrame({"a": A[:10, 0], "y": A[:10, 1]}).to_csv(path, index=False)
    lines = describe(asked(path)).splitlines()
    assert lines[0].startswith("odd: 10 samples of 1 column, ")
    assert "metric: RMSE" in lines
