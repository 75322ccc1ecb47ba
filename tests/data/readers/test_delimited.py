"""Text files: how they are written is seen, what they say stays as it is."""

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from warmstart.config import limits
from warmstart.config.data import Data
from warmstart.data.readers import delimited
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

ROWS = [("7", "1.5", "café", "yes"), ("-8", "2", "", "no"), ("9", "3e2", "a b", "yes")]


def options(path: Path, target: str | None = "y", **more: object) -> Data:
    parts = {"validation_fraction": 0.2, "test_fraction": 0.2}
    return Data(name="mine", path=str(path), target=target, **parts, **more)


def read(path: Path, content: str | bytes, target: str | None = "y", **more: object) -> Raw:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return delimited.read(path, options(path, target, **more))


def refused(path: Path, content: str | bytes, target: str | None = "y", **more: object) -> str:
    with pytest.raises(InputError) as caught:
        read(path, content, target, **more)
    assert all("\n" not in line and line.startswith(f"{path}: ") for line in caught.value.problems)
    return "\n".join(line.removeprefix(f"{path}: ") for line in caught.value.problems)


def text(delimiter: str, end: str = "\n") -> str:
    return "".join(delimiter.join(row) + end for row in [("i", "f", "t", "y"), *ROWS])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_same_table_however_it_is_written(
    tmp_path: Path, delimiter: str, end: str, encoding: str, pack: type
) -> None:
    raw = read(tmp_path / "mine.csv", pack(text(delimiter, end).encode(encoding)))

    assert {name: str(kind) for name, kind in raw.x.dtypes.items()} == {
        "i": "int64",
        "f": "float64",
        "t": "str",
    }
    assert raw.x["i"].tolist() == [7, -8, 9]
    assert raw.x["f"].tolist() == [1.5, 2, 300]
    assert raw.x["t"].tolist()[::2] == ["café", "a b"]
    assert raw.x["t"].isna().tolist() == [False, True, False]
    assert raw.y.tolist() == ["yes", "no", "yes"]
    assert raw.x.index.tolist() == raw.y.index.tolist() == [0, 1, 2]
    assert (raw.y.name, raw.class_names, raw.n_test) == ("y", None, 0)


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("größe weiß Zürich", "cp1252"),
        ("18°C 5m² it’s 10€", "cp1252"),
        ("Москва Казань", "cp1251"),
        ("北京 上海 男 女", "gb18030"),
        ("臺灣 高雄 男性 女性 國家", "big5"),
        ("서울 부산 초기화", "cp949"),
        ("東京 大阪 カタカナ", "cp932"),
        ("Αθήνα Θεσσαλονίκη", "cp1253"),
    ],
)
def test_other_encodings_are_guessed_and_said(tmp_path: Path, words: str, encoding: str) -> None:
    rows = "".join(f"{i},{word}\n" for i in range(20) for word in words.split())
    raw = read(tmp_path / "mine.csv", f"x,y\n{rows}".encode(encoding))
    assert set(raw.y) == set(words.split())
    assert f"({encoding}, comma-separated)" in raw.source


def test_what_pandas_keeps_is_kept(tmp_path: Path) -> None:
    content = (
        "id,big,huge,flag,gap,day,odd,y\n"
        "007,9007199254740993,123456789012345678901,True,?,2026-01-02,1,1\n"
        "010,-9007199254740993,1,False,2,2026-01-03,a,0\n"
    )
    x = read(tmp_path / "mine.csv", content).x
    assert x["id"].tolist() == [7, 10]
    assert x["big"].tolist() == [9007199254740993, -9007199254740993]
    assert [int(value) for value in x["huge"]] == [123456789012345678901, 1]
    assert x["flag"].tolist() == [True, False]
    assert x["flag"].dtype == bool
    assert x["gap"].isna().tolist() == [True, False]
    assert x["day"].tolist() == ["2026-01-02", "2026-01-03"]
    assert x["odd"].tolist() == ["1", "a"]


def test_names_and_text_with_quotes_and_delimiters(tmp_path: Path) -> None:
    content = '\n"a, b" , c, y\n1, "x, ""y""\nz", 2\n\n3, "q", 4\n'
    raw = read(tmp_path / "mine.csv", content)
    assert raw.x.columns.tolist() == ["a, b", "c"]
    assert raw.x["c"].tolist() == ['x, "y"\nz', "q"]
    assert raw.y.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        (["1,5", "20", "-3,25"], [1.5, 20, -3.25]),
        (["1,5e3", "1,000", "7"], [1500, 1, 7]),
        (["1,500", "20,250", "3"], ["1,500", "20,250", "3"]),  # or thousands
        (["1,5", "2.5", "3"], ["1,5", "2.5", "3"]),  # or a mark of a list
    ],
)
def test_decimal_commas_only_where_they_can_be_nothing_else(
    tmp_path: Path, fields: list[str], values: list[object]
) -> None:
    content = "a;y\n" + "".join(f"{field};1\n" for field in fields)
    assert read(tmp_path / "mine.csv", content).x["a"].tolist() == values


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "_ROWS", 2)


COLUMNS = {
    "int": ["1", "2", "3", "4", "5"],
    "float": ["1", "2", "3", "4.5", "5"],
    "gap": ["", "", "", "4", "5"],
    "text": ["", "", "a", "b", "c"],
    "mixed": ["1", "2", "3", "4", "b"],
    "late": ["x", "y", "3.0", "04", ""],
    "flag": ["True", "False", "", "", "True"],
    "flags": ["True", "False", "1", "0", "True"],
    "all": ["", "", "", "", ""],
    "big": ["1", "2", "3", "18446744073709551615", "5"],
    "y": ["0", "1", "0", "1", "0"],
}


@pytest.mark.usefixtures("few")
def test_pieces_of_a_column_are_what_the_column_is_as_a_whole(tmp_path: Path) -> None:
    whole = pd.DataFrame(COLUMNS).to_csv(index=False)
    expected = pd.read_csv(io.StringIO(whole))
    raw = read(tmp_path / "mine.csv", whole)
    for name in expected.columns.drop(["y", "big"]):
        pd.testing.assert_series_equal(raw.x[name], expected[name])
    assert [str(value) for value in raw.x["big"]] == COLUMNS["big"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "expected a table, received an empty file; fetch it again"),
        ("\n \n", "expected a table, received an empty file; fetch it again"),
        ("a,y\n", "expected rows below the names of the columns, received none"),
        (",,\n1,2,3\n", "expected the names of the columns in the first line, received"),
        ("1.5,2,a\n1,2,3\n", "data.target: expected a column of the table, received 'y'; choose "),
        ("1.5,-2\n1,2\n", "expected the names of the columns in the first line, received '1.5', "),
        ("a,a,y\n1,2,3\n", "expected different names of columns, received 'a' more than once"),
        ("a,y\n1,2\n3,4,5\n6\n", "line 3: expected 2 fields, received 3 (and 1 more such lines)"),
        ("a,y\n1,2,3\n3,4\n", "line 2: expected 2 fields, received 3; mend the file, or quote"),
        ("a,y\n1,2\n\n3\n", "line 4: expected 2 fields, received 1; mend the file, or quote"),
        ('a,b,y\n1,"\n",3\n"2\n",3\n', "line 4: expected 3 fields, received 2"),
        ('a,y\n1,2\n3,"4\n', "EOF inside string starting at row"),
        (b"a,y\n\0\1\2,3\n", "expected text, received bytes that are none"),
        (b"a,y\ncaf\xe9,2\nx\x81,3\n", "expected text in one encoding, which seemed to be cp1252, "
         "received the bytes 81, which are none in it; save it in UTF-8"),
        ("a,y\nmüde,2\ngrün,3\nweiß,4\n".encode() + b"caf\xe9,5\n", "expected text in UTF-8, which "
         "most of it is, received bytes that are none (e9); save it in UTF-8 throughout"),
        (gzip.compress(b"a,y\n1,2\n" * 99, mtime=0)[:-9], "received a truncated or corrupt one"),
        ("a,y\n1,2\n3,\n5,NA\n", "'y': expected a target in every row, received 2 of 3 without "
         "one, the first in row 2; drop these rows"),
        ("a b y\n1 2 3\n", "expected the names of two columns or more in the first line, with "
         "comma, semicolon, tab, bar between them, received 'a b y'; mend it"),
        (b"a,y\n" + b"1,2\n" * 300_000 + b"\0,3\n", "expected text, received bytes that are none"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("few")
def test_a_damaged_or_odd_file_is_one_line(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    line = refused(tmp_path / "mine.csv", content)
    assert words in line
    assert "\n" not in line


def test_a_field_that_never_ends_is_one_line(tmp_path: Path) -> None:
    limit = csv.field_size_limit(1000)
    try:
        line = refused(tmp_path / "mine.csv", "a,y\nz,1\n" + "x" * 2000 + ",\n")
    finally:
        csv.field_size_limit(limit)
    assert "expected fields of a table, received field larger than field limit" in line


@pytest.mark.parametrize(
    ("target", "drop", "words"),
    [
        (None, [], ["data.target: expected the name of the column to predict, received null; "
                    "choose one of 'age', 'height', 'class'"]),
        ("clas", [], ["data.target: expected a column of the table, received 'clas'; did you mean "
                      "'class'?"]),
        ("class", ["hight", "q"], [
            "data.drop: expected columns of the table, received 'hight'; did you mean 'height'?",
            "data.drop: expected columns of the table, received 'q'; choose among 'age', "
            "'height', 'class'"]),
        ("class", ["class"], ["data.drop: expected other columns than data.target, received "
                              "'class'; remove it from one of them"]),
        ("class", ["age", "height"], ["expected a column beside 'class' to predict it from, "
                                      "received none; add one, or drop fewer"]),
    ],
)  # fmt: skip
def test_unknown_columns_are_named_with_the_nearest(
    tmp_path: Path, target: str | None, drop: list[str], words: list[str]
) -> None:
    line = refused(tmp_path / "a.csv", "age,height,class\n1,2,3\n", target, drop=tuple(drop))
    assert line.split("\n") == words


def test_columns_are_left_out_and_numbers_name_them_too(tmp_path: Path) -> None:
    content = "0,1,2\n5,6,7\n8,9,0\n"  # as pandas writes a frame without names
    raw = read(tmp_path / "mine.csv", content, target=2, drop=(0,))
    assert raw.x.columns.tolist() == ["1"]
    assert (raw.x["1"].tolist(), raw.y.tolist()) == ([6, 9], [7, 0])


@pytest.mark.parametrize("header", ["a,y,", "a,y"])
def test_a_delimiter_at_the_end_of_each_line_is_no_column(tmp_path: Path, header: str) -> None:
    raw = read(tmp_path / "mine.csv", f"{header}\n1,2,\n3,4,\n")
    assert (raw.x.columns.tolist(), raw.x["a"].tolist()) == (["a"], [1, 3])


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_lines_longer_than_what_is_looked_at(tmp_path: Path, end: str) -> None:
    names = [f"column_{place}" for place in range(30_000)]
    lines = [";".join([*names, "y"]), *[";".join(["1,5"] * 30_000 + [str(n)]) for n in range(3)]]
    raw = read(tmp_path / "mine.csv", end.join(lines))
    assert raw.x.shape == (3, 30_000)
    assert (raw.x.to_numpy() == 1.5).all()
    assert raw.y.tolist() == [0, 1, 2]


def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GIGABYTES", 0.002)
    monkeypatch.setattr(pd, "read_csv", None)  # would be called
    content = gzip.compress(b"a,y\n" + b"1,2\n" * 1_000_000)
    assert len(content) < 10_000
    words = "expected at most 0.002 GB once it is unpacked, received 0.00"
    assert words in refused(tmp_path / "mine.csv.gz", content)


def test_values_are_those_that_were_written(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(-20, 20).repeat(25)
    buffer = io.StringIO()
    csv.writer(buffer).writerows([("a", "y"), *((repr(float(v)), 1) for v in values)])
    assert read(tmp_path / "mine.csv", buffer.getvalue()).x["a"].tolist() == values.tolist()
