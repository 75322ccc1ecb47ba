"""What a parameter file may hold, and that no more is made of it before it is refused."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nasty_values import LAUGHS

from warmstart.config import composing
from warmstart.errors import InputError


def read(folder: Path, content: str | bytes) -> Any:
    path = folder / "params.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return composing.read(path)


def refused(folder: Path, content: str | bytes) -> str:
    with pytest.raises(InputError) as error:
        read(folder, content)
    (problem,) = error.value.problems
    return problem.removeprefix(f"{folder}/params.yaml")


def test_keys_and_dates_are_text_as_written(tmp_path: Path) -> None:
    text = "2001-01-01: 2002-02-02\n1.50: 1.50\nnull: null\n<<: {b: 0x10, 1.50: no}\n"
    assert read(tmp_path, text) == {"2001-01-01": "2002-02-02", "1.50": 1.5, "null": None, "b": 16}
    assert read(tmp_path, "{a: &a [1, 2], b: *a}") == {"a": [1, 2], "b": [1, 2]}
    assert read(tmp_path, b"\xef\xbb\xbfa: 1e-3") == {"a": 0.001}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: &a [*a]", "line 1: expected YAML, received *a, which holds itself"),
        ("{? [1] : 2}", "a list or a mapping as a key"),
        ("a: !!set {b}", "the tag !!set"),
        ("a: !!binary aGk=", "the tag !!binary"),
        ("a: 1\na: 2", "found duplicate key"),
        ('a: "\\0"', "a character that no text has"),
        ('a: "\\ud800"', "a character that no text has"),
        (f"a: {'9' * 5_000}", "a key or a value of more than 4,096 characters"),
        (f"a: {'9' * 4_000}", "a number of more than 100 characters"),
        ("[" * 2_000, "more than 20 lists and mappings within each other"),
        ("{a: " * 2_000, "more than 20 lists and mappings within each other"),
        (f"[{'1,' * 10_000}]", "more than 10,000 keys and values"),
        ("#" * 256_001, "at most 256,000 bytes"),
        ("a: 1".encode("utf-16"), "'utf-8' codec can't decode"),
        ("a:\n\t- 1", "found character '\\t'"),
        ("a: -_", "invalid literal for int()"),
    ],
)
def test_what_is_refused(content: str | bytes, words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, content)


def test_few_bytes_that_stand_for_gigabytes(tmp_path: Path) -> None:
    assert len(LAUGHS) < 400
    words = "those that aliases repeat counted each time"
    assert words in refused(tmp_path, LAUGHS)
    merged = "a: &a {x: 1, y: 2}\n" + "".join(f"b{n}: {{<<: *a}}\n" for n in range(1_000))
    assert read(tmp_path, merged)["b7"] == {"x": 1, "y": 2}
    assert words in refused(tmp_path, merged + "".join(f"c{n}: {{<<: *a}}\n" for n in range(1_000)))


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, what in (("pipe", "a pipe"), (".", "a folder"), ("/dev/zero", "a pipe, a device")):
        with pytest.raises(InputError, match=f"expected a parameter file, received {what}"):
            composing.read(tmp_path / name)
    with pytest.raises(InputError, match="received: File name too long"):
        composing.read(tmp_path / ("x" * 300))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=30,
)


@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200), PLAIN.map(repr)))
def test_any_text_is_read_or_refused_in_a_line(tmp_path: Path, content: str | bytes) -> None:
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    problems: tuple[str, ...] = ()
    try:
        read(tmp_path, content)
    except InputError as error:
        problems = error.problems
    assert all(map(str.isprintable, problems))
