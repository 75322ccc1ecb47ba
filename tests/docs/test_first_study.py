"""docs/first_study.ipynb, run from top to bottom as a learner does."""

import json
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs/first_study.ipynb"
SOURCE = Path(__file__).parents[2] / "src"


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_kept_without_outputs_and_links_to_what_there_is() -> None:
    notebook = read()
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            compile(cell.source, str(NOTEBOOK), "exec")
    text = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    links = [part.split(")")[0] for part in text.split("](")[1:]]
    assert len(links) == 4
    assert all((NOTEBOOK.parent / link).exists() for link in links)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """First line of a code cell -> what it put out, in a folder that holds nothing."""
    kernels, here = tmp_path_factory.mktemp("jupyter"), tmp_path_factory.mktemp("here")
    kernel = kernels / "kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": command, "display_name": "Python 3", "language": "python"}
    kernel.write_text(json.dumps(about | {"env": {"PYTHONPATH": str(SOURCE)}}))
    notebook = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(kernels))
        patch.setenv("IPYTHONDIR", str(kernels / "ipython"))
        client = NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": here}}
        )
        client.execute()
    assert not list(here.iterdir())
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {cell.source.splitlines()[0]: cell.outputs for cell in cells}


def shown(outputs: list[Any]) -> dict[str, Any]:
    """What the last line of a cell is shown as, by kind."""
    (result,) = [one.data for one in outputs if one.output_type == "execute_result"]
    return result


@pytest.mark.slow
def test_every_arm_has_a_row_and_a_verdict(outputs: dict[str, list[Any]]) -> None:
    table = shown(next(out for line, out in outputs.items() if line.startswith("columns = ")))
    rows = table["text/html"].split("<tbody>")[1].split("<tr>")[1:]
    assert len(rows) == 4
    arms = ("relu", "tanh", "relu, LeCun", "relu, σ = 1")
    assert all(sum(f"<td>{arm}</td>" in row for row in rows) == 1 for arm in arms)
    assert sum("<td>chosen</td>" in row for row in rows) == 1
    (wide,) = [row for row in rows if "<td>relu, σ = 1</td>" in row]
    assert "<td>worse</td>" in wide  # of what the text calls easy


@pytest.mark.slow
def test_the_advice_names_a_network_and_how_sure_it_is(outputs: dict[str, list[Any]]) -> None:
    (said,) = outputs["print(comparison.advice())"]
    assert "hidden layers 3 × 50" in said.text
    assert "validation chooses" in said.text
    assert "Worse: arm relu, σ = 1." in said.text


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["comparison.plot()", 'comparison.plot("curves")'])
def test_pictures_are_interactive(outputs: dict[str, list[Any]], cell: str) -> None:
    pictures = shown(outputs[cell])
    (kind,) = [kind for kind in pictures if kind.startswith("application/vnd.vegalite.")]
    assert "relu, LeCun" in json.dumps(pictures[kind], ensure_ascii=False)


@pytest.mark.slow
def test_single_seeds_name_different_winners(outputs: dict[str, list[Any]]) -> None:
    """What the text says of them."""
    table = shown(outputs["import pandas as pd"])["text/plain"].splitlines()
    winners = {line.rsplit("  ", 1)[1].strip() for line in table[2:]}
    assert len(table) == 2 + 4
    assert len(winners) >= 2


@pytest.mark.slow
def test_the_best_model_knows_its_digits(outputs: dict[str, list[Any]]) -> None:
    lines = shown(outputs["model = comparison.best_model()"])["text/plain"].splitlines()
    pairs = [line.split()[1:] for line in lines[1:]]
    assert len(pairs) == 5
    assert sum(predicted == label for predicted, label in pairs) >= 4
