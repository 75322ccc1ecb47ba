"""The examples of docs/data.md, run as they are written, and what they show."""

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import workers
from ruamel.yaml import YAML

import parameters
from warmstart.__main__ import main
from warmstart.data.task import Task
from warmstart.files import read_sealed

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text(encoding="utf-8")
OWN = PAGE[PAGE.index("## Five examples") : PAGE.index("## What is read")]
EXAMPLES = dict(re.findall(r"(?ms)^### ([^\n]+)\n(.*?)(?=^###? |\Z)", OWN))
"""Title -> the text of its section."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/raw").mkdir(parents=True)  # as in a clone
    write({})
    return tmp_path


def write(changes: dict[str, dict[str, Any]]) -> None:
    """A parameter file, as `make run DATA=…` leaves it but for `changes`."""
    content = parameters.content()
    content["transfer"] |= {"task_b": "auto", "label_counts": ["all"]}
    for section, own in changes.items():
        content[section] |= own
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(content, file)


def blocks(title: str, kind: str) -> list[str]:
    found = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", EXAMPLES[title])
    return [text for its_kind, text in found if its_kind == kind]


def run(title: str) -> None:
    for code in blocks(title, "python"):
        exec(compile(code, title, "exec"), {"__name__": "__main__"})


def settings(title: str) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(blocks(title, "yaml")[0])


def prepared(changes: dict[str, Any]) -> tuple[Task, dict[str, Any]]:
    write(changes)
    assert main(["check"]) == main(["prepare"]) == 0
    return Task.read(Path("data/prepared/full.npz")), read_sealed(Path("data/prepared/card.json"))


@pytest.mark.parametrize("title", [t for t in EXAMPLES if "$ python" in EXAMPLES[t]])
def test_the_page_shows_what_is_printed(
    here: Path, capsys: pytest.CaptureFixture[str], title: str
) -> None:
    run(title)
    (shown,) = (block for block in blocks(title, "") if block.startswith("$ python -m warmstart "))
    command, _, expected = shown.partition("\n")
    capsys.readouterr()
    assert main(command.removeprefix("$ python -m warmstart ").split()) == 0
    assert capsys.readouterr().out == expected


def test_there_is_an_example_of_every_kind() -> None:
    assert list(EXAMPLES) == [
        "A medical table",
        "Pictures in folders",
        "A number to predict",
        "Classes of unequal size",
        "Arrays in a notebook",
    ]


def test_a_medical_table(here: Path) -> None:
    run("A medical table")
    task, card = prepared(settings("A medical table"))
    # four parts of a date and days, age, pressure and its gaps, pain; two answers and a gap
    assert task.features == card["features"] == 12
    assert f"networks on {task.features} features" in " ".join(OWN.split())
    assert card["transfer"]["left_out"].startswith("the data have 2 classes")
    kinds = {column["name"]: column["kind"] for column in card["columns"]}
    assert kinds == {
        "admitted": "date",
        "age": "number",
        "pressure": "number",
        "smoker": "category",
        "pain": "ordered",
    }
    assert np.isfinite(task.x_train).all()


def test_pictures(here: Path) -> None:
    run("Pictures in folders")
    task, card = prepared(settings("Pictures in folders"))
    assert (task.features, card["feature_shape"]) == (100, [10, 10])
    assert task.class_names == tuple(f"digit_{number}" for number in range(5))
    assert [len(Task.read(Path(f"data/prepared/{x}.npz")).class_names) for x in "ab"] == [3, 2]


def test_a_number(here: Path) -> None:
    run("A number to predict")
    data = {"name": "diabetes", "path": "data/raw/diabetes.parquet", "target": "progression"}
    task, card = prepared({"data": data})
    assert (task.kind, task.features, card["n"]) == ("regression", 6, 442)
    assert abs(task.target[0] - 152) < 10  # as scikit-learn's page of the data has it


def test_classes_of_unequal_size(here: Path) -> None:
    run("Classes of unequal size")
    data = {"name": "payments", "path": "data/raw/payments.csv", "target": "fraud"}
    task, card = prepared({"data": data} | settings("Classes of unequal size"))
    share = 100 * card["classes"]["False"] / card["n"]
    assert f"{share:.1f} times of 100" in " ".join(OWN.split())
    assert task.class_names == ("False", "True")


def test_arrays_in_a_notebook(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def in_this_process(options: object, folder: Path) -> Any:
        yield workers(folder)

    monkeypatch.setattr("warmstart.runtime.pool.start", in_this_process)
    run("Arrays in a notebook")
    (expected,) = blocks("Arrays in a notebook", "")
    assert capsys.readouterr().out == expected
    assert not list((here / "results").glob("*"))


def test_the_readmes_own_data(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    code, describe, run_line = (
        readme.partition("## Your own data")[2].split("```")[1].splitlines()[1:]
    )
    exec(code.removeprefix('.venv/bin/python -c "').removesuffix('"'), {})
    command = describe.partition("#")[0].removeprefix(".venv/bin/python -m warmstart ").split()
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "identifier: Unnamed: 0 numbers the rows" in shown
    assert run_line.split()[:4] == ["make", "run", f"DATA={command[1]}", f"TARGET={command[3]}"]
