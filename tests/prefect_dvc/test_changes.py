"""What a run of a deployment may make of params.yaml."""

from typing import Any

import pytest

from prefect_dvc.changes import Changed, Reach
from prefect_dvc.errors import ProjectError

BEFORE = {
    "data": {"path": "data/raw", "columns": {}},
    "executor": {"address": None, "resources": {"GPU": 1}},
    "rates": [0.1, 0.3],
    "own": "/srv/own.csv",
}
REACH = Reach(fixed=["executor", "rates.0"])


def check(commands: frozenset[str] = frozenset(), **after: Any) -> None:
    REACH.check(Changed(BEFORE, BEFORE | after), commands)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x.csv",
        "a/../../x.csv",
        "a\\..\\x.csv",
        "~/x.csv",
        ".git/config",
        "data/.env",
        "C:\\x.csv",
        "file:///etc/passwd",
        "s3://bucket/x",
    ],
)
def test_no_value_leads_out_of_the_project(path: str) -> None:
    for after in ({"path": path}, {"path": [path]}, {"path": "x", "columns": {path: 1}}):
        with pytest.raises(ProjectError, match=r"^set: expected a path within the project"):
            check(data=after)


def test_what_was_there_already_and_what_stays_within_may_be() -> None:
    check()
    for path in ("data/raw/a b.csv", "./x.csv", "x..y.csv", "price / m²", "-1", "%d.%m.%Y", "a:b"):
        check(data={"path": path, "columns": {}})
    check(rates=[0.1, float("nan")])


@pytest.mark.parametrize(
    ("after", "name"),
    [
        ({"executor": {"address": "host:8786", "resources": {"GPU": 1}}}, "executor.address"),
        ({"executor": {"address": None, "resources": {}}}, "executor.resources"),
        ({"executor": 1}, "executor"),
        ({"rates": [0.2, 0.3]}, "rates.0"),
    ],
)
def test_what_belongs_to_the_machine_stays(after: dict[str, Any], name: str) -> None:
    with pytest.raises(ProjectError, match=rf"^set: .*received another '{name}"):
        check(**after)


def test_a_command_gets_words() -> None:
    commands = frozenset({"python train.py a|b --x", "python train.py word-1.csv"})
    check(commands, data="word-1.csv")
    check(commands, data="c d")
    for word in ("a|b", "--x", "a|"):
        with pytest.raises(ProjectError, match="becomes part of a command"):
            check(commands, data=word)


def test_what_is_refused_is_one_short_line() -> None:
    with pytest.raises(ProjectError) as caught:
        check(data="/\x1b[2J\n\u202e" + "x" * 100_000)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
