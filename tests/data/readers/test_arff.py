"""ARFF: attributes as they are declared, rows as they stand."""

import gzip
from pathlib import Path

import pytest

from warmstart.config.data import Data
from warmstart.data.readers import arff
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError

HEADER = """% a comment
@RELATION trees
@attribute height NUMERIC
@ATTRIBUTE 'age in years' integer
@attribute kind {ash, 'silver birch', Ölweide}
@attribute seen date "yyyy-MM-dd"
@attribute class {yes,no}
@DATA
"""
ROWS = """% another
1.5,3,ash,2026-01-02,yes
?,4,'silver birch',?,no

2e1,5,Ölweide,2026-01-03,yes
"""


def read(path: Path, content: str | bytes, target: str = "class", **more: object) -> Raw:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    parts = {"validation_fraction": 0.2, "test_fraction": 0.2}
    return arff.read(path, Data(name="m", path=str(path), target=target, **parts, **more))


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_attributes_of_every_kind(tmp_path: Path, encoding: str, pack: type) -> None:
    raw = read(tmp_path / "mine.arff", pack((HEADER + ROWS).encode(encoding)))
    assert raw.x.columns.tolist() == ["height", "age in years", "kind", "seen"]
    assert raw.x["height"].tolist()[::2] == [1.5, 20]
    assert raw.x["height"].isna().tolist() == [False, True, False]
    assert raw.x["age in years"].tolist() == [3, 4, 5]
    assert raw.x["kind"].tolist() == ["ash", "silver birch", "Ölweide"]
    assert raw.x["seen"].tolist()[::2] == ["2026-01-02", "2026-01-03"]
    assert raw.y.tolist() == ["yes", "no", "yes"]


def test_nominal_numbers_and_double_quotes(tmp_path: Path) -> None:
    header = '@relation r\n@attribute "a b" real\n@attribute class {1,2}\n@attribute c {"x y",z}\n'
    raw = read(tmp_path / "mine.arff", header + '@data\n1,2,"x y"\n3,1,z\n')
    assert raw.x["a b"].tolist() == [1, 3]
    assert raw.x["c"].tolist() == ["x y", "z"]
    assert [str(label) for label in raw.y] == ["2", "1"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HEADER.replace("NUMERIC", "string") + ROWS,
         "which SciPy reads, received 'height' (string); declare the values"),
        (HEADER.replace("integer", "STRING") + ROWS, "received 'age in years' (STRING); declare"),
        (HEADER + "{0 1.5, 4 yes}\n", "received sparse rows ({…}), which SciPy does not read"),
        (HEADER, "expected rows below the names of the columns, received none"),
        (HEADER[:-7], "expected a line @data, received none; the file may be truncated"),
        (HEADER.replace("NUMERIC", "") + ROWS, "expected @attribute lines that SciPy reads"),
        (HEADER.replace("class", "height") + ROWS, "expected @attribute lines that SciPy reads"),
        (HEADER + ROWS.replace("1.5", "tall"), "'height': expected numbers, received 'tall' in "
         "row 1"),
        (HEADER + ROWS.replace("'silver birch'", "oak"), "'kind': expected the values that "
         "@attribute declares ('ash', 'silver birch', 'Ölweide'), received 'oak' in row 2"),
        (HEADER + ROWS + "1,2,ash\n", "line 14: expected 5 fields, received 3"),
        (HEADER + ROWS + "1,2,ash,?,no,1\n", "line 14: expected 5 fields, received 6"),
        (HEADER + ROWS + "1,2,ash,?,?\n", "received 1 of 4 without one, the first in row 4"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "mine.arff"
    with pytest.raises(InputError) as caught:
        read(path, content)
    (line,) = caught.value.problems
    assert line.startswith(f"{path}: ")
    assert words in line
    assert "\n" not in line
