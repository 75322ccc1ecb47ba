"""Parquet and Feather: the frame that was written, without what is not wanted."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from warmstart.config import limits
from warmstart.config.data import Data
from warmstart.data.readers import arrow
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

FRAME = pd.DataFrame(
    {
        "int": pd.array([1, 2, 2**62 + 1], dtype="int64"),
        "small": pd.array([1, 255, 3], dtype="uint8"),
        "half": np.array([0.5, np.nan, 3], np.float32),
        "whole": pd.array([1, None, 2**53 + 1], dtype="Int64"),
        "flag": [True, False, True],
        "text": ["a", None, "서울"],
        "level": pd.Categorical(["low", "high", "low"], ["low", "high"], ordered=True),
        "time": pd.to_datetime(["2026-01-01", "2026-02-03", None]),
        "class": ["x", "y", "x"],
    }
)
FORMATS: dict[str, tuple[Callable, Callable]] = {
    "parquet": (lambda frame, path: frame.to_parquet(path), arrow.read_parquet),
    "feather": (lambda frame, path: frame.to_feather(path), arrow.read_feather),
}
both = pytest.mark.parametrize("kind", FORMATS)


def read(kind: str, path: Path, frame: pd.DataFrame | pa.Table, **more: object) -> Raw:
    if isinstance(frame, pa.Table):
        (parquet.write_table if kind == "parquet" else feather.write_feather)(frame, path)
    else:
        FORMATS[kind][0](frame, path)
    return again(kind, path, **more)


def again(kind: str, path: Path, target: str = "class", **more: object) -> Raw:
    parts = {"validation_fraction": 0.2, "test_fraction": 0.2}
    data = Data(name="mine", path=str(path), target=target, **parts, **more)
    return FORMATS[kind][1](path, data)


@both
def test_a_frame_comes_back(tmp_path: Path, kind: str) -> None:
    raw = read(kind, tmp_path / "mine", FRAME, drop=("small",))
    pd.testing.assert_frame_equal(raw.x, FRAME.drop(columns=["small", "class"]))
    assert raw.y.tolist() == ["x", "y", "x"]
    assert raw.x["whole"][2] == 2**53 + 1
    assert raw.x["level"].cat.ordered


def test_the_index_is_no_feature_unless_it_has_a_name(tmp_path: Path) -> None:
    nameless = FRAME[["int", "class"]].set_axis([5, 3, 9])
    raw = read("parquet", tmp_path / "a", nameless)
    assert (raw.x.columns.tolist(), raw.x.index.tolist()) == (["int"], [0, 1, 2])
    named = FRAME[["int", "flag", "class"]].set_index("int")
    raw = read("parquet", tmp_path / "b", named)
    assert raw.x["int"].tolist() == FRAME["int"].tolist()
    raw = read("parquet", tmp_path / "b", named, target="int", drop=("class",))
    assert (raw.x.columns.tolist(), raw.y.tolist()) == (["flag"], FRAME["int"].tolist())


@both
def test_columns_of_a_table_without_pandas(tmp_path: Path, kind: str) -> None:
    table = pa.table(
        {
            "price": [Decimal("1.25"), None, Decimal("3")],
            "day": [date(2026, 1, 2), None, date(2026, 1, 3)],
            "word": pa.array(["a", "b", "a"]).dictionary_encode(),
            "class": [1, 2, 1],
        }
    )
    raw = read(kind, tmp_path / "mine", table)
    assert raw.x["price"].dtype == np.float64
    assert raw.x["price"].tolist()[::2] == [1.25, 3]
    assert raw.x["word"].dtype == "category"
    assert raw.x["day"].isna().tolist() == [False, True, False]
    assert (raw.y.dtype, raw.y.tolist()) == (np.int64, [1, 2, 1])


def test_names_that_are_numbers_are_text(tmp_path: Path) -> None:
    raw = read("parquet", tmp_path / "mine", pd.DataFrame({0: [1, 2], 1: [3, 4]}), target="1")
    assert (raw.x.columns.tolist(), raw.y.tolist()) == (["0"], [3, 4])


def refused(kind: str, path: Path, **more: object) -> str:
    with pytest.raises(InputError) as caught:
        again(kind, path, **more)
    assert not any("\n" in line for line in caught.value.problems)
    return "\n".join(caught.value.problems)


@both
def test_a_truncated_or_foreign_file_is_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine"
    FORMATS[kind][0](FRAME, path)
    whole = path.read_bytes()
    for content in (whole[:-20], whole[:8], whole[: len(whole) // 2], b"a,b\n1,2\n"):
        path.write_bytes(content)
        line = refused(kind, path)
        assert line.startswith(f"{path}: expected a whole {kind.capitalize()} file, received a ")


@both
def test_columns_are_looked_at_before_rows_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine"
    FORMATS[kind][0](FRAME, path)
    assert "received 'clas'; did you mean 'class'?" in refused(kind, path, target="clas")
    FORMATS[kind][0](FRAME[:0], path)
    assert "expected rows below the names of the columns, received none" in refused(kind, path)
    FORMATS[kind][0](FRAME.assign(**{"class": ["x", None, None]}), path)
    assert "received 2 of 3 without one, the first in row 2" in refused(kind, path)
    nested = pa.table({"a": [[1, 2], [3]], "b": [b"1", b"2"], "class": [1, 2]})
    with pytest.raises(InputError, match=r"'b' \(binary\); name these columns in data.drop"):
        read(kind, path, nested)
    assert read(kind, path, nested.append_column("c", [[1, 2]]), drop=("a", "b")).x.shape == (2, 1)


def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"a": np.zeros(1_000_000), "class": np.zeros(1_000_000, np.int8)})
    frame.to_parquet(tmp_path / "a.parquet")  # a value that repeats is there once
    frame.to_feather(tmp_path / "a.feather", chunksize=1000)
    assert max((tmp_path / f"a.{kind}").stat().st_size for kind in FORMATS) < 600_000
    monkeypatch.setattr(limits, "GIGABYTES", 0.008)
    words = "expected at most 0.008 GB once it is unpacked, received 0.0"
    for kind in FORMATS:
        assert words in refused(kind, tmp_path / f"a.{kind}")
