"""Runs that somebody asks for through Prefect's API to reach beyond them; see hostile.py."""

from pathlib import Path

import pytest
from hostile import NAMED, NAMES, REFUSED, SECRET, Asked, attempts, harm, prepared, tree

from foreign_project import Server, dvc

pytestmark = pytest.mark.slow

# Most of REFUSED is cheap, since the server refuses it; of what takes a run a few, and a word of
# each kind. `make chaos` tries all.
RUNS = ("seed=${oc.env:SECRET}", "path=../x/saved.txt", "word='; touch pwned'")
HERE = [{"set": [change]} for change in RUNS]
CALLED = ("../../../../x", "x" * 10_000)


def test_no_run_changes_anything_but_its_own(project: Path, tmp_path: Path, server: Server) -> None:
    around = prepared(project)
    before = tree(around, project)
    by_server = [each for each in REFUSED if set(each) & {"width", "push"}]
    refused = [*by_server, *HERE, {"revision": "HEAD..main"}, {"revision": "--lock"}]
    asked = [Asked(parameters=each) for each in refused]
    asked += [Asked(parameters={"push": "--force"}, enforce_parameter_schema=False)]
    named = [Asked(name, NAMED) for name in CALLED]
    became = attempts(project, server.url, [*asked, *named])
    assert harm(before, tree(around, project)) == set()
    for each in became[: len(asked)]:
        assert each.state in ("409", "Refused", "Failed"), each
        assert SECRET not in each.message
        assert each.state == "409" or len(each.message) < 700
    for each in became[len(asked) :]:
        assert (each.state, each.message.splitlines()) == ("Completed", [each.message])
    assert dvc(project, "exp", "list").count("\n") == 1 + len(named)


def test_each_of_the_few_is_one_of_the_many() -> None:
    assert {*CALLED} <= {*NAMES}
    assert all(each in REFUSED for each in HERE)
