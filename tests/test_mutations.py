"""The list of mutations fits the code that it breaks and the tests that must see it."""

import ast
from pathlib import Path

import mutations
import pytest
from mutations import ROOT, Mutation

MUTATIONS = mutations.mutations()


def functions(path: Path) -> set[str]:
    """The tests that a file defines."""
    return {
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_what_is_broken_is_there_once_and_its_test_exists(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1
    ast.parse(text.replace(mutation.old, mutation.new))  # broken, but not in its syntax
    file, _, test = mutation.test.partition("::")
    assert test in functions(ROOT / file)


def test_a_mutation_lasts_as_long_as_its_block(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text("a = 1\nb = 2\n")
    given = {"name": "n", "file": "one.py", "test": "t"}
    with Mutation(old="= 2", new="= 3", **given).made_in(tmp_path):
        assert file.read_text() == "a = 1\nb = 3\n"
    assert file.read_text() == "a = 1\nb = 2\n"
    for old, count in (("= ", 2), ("c", 0)):
        with (
            pytest.raises(ValueError, match=f"^n: expected '{old}' once in .*, found {count}$"),
            Mutation(old=old, new="", **given).made_in(tmp_path),
        ):
            pass
