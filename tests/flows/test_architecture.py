"""Who may import what, and how large the whole may get."""

import ast
from pathlib import Path

FLOWS = Path(__file__).resolve().parents[2] / "flows"


def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in the file it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def importers(package: str) -> list[str]:
    return sorted(path.name for path in FLOWS.glob("*.py") if package in imports(path))


def test_only_the_graph_and_the_lock_files_import_dvc() -> None:
    assert importers("dvc") == ["graph.py", "lockfiles.py"]


def test_only_the_flow_and_its_pages_import_prefect() -> None:
    assert importers("prefect") == ["__main__.py", "pipeline.py", "shown.py"]


def test_nothing_imports_warmstart() -> None:
    assert importers("warmstart") == []


def test_stages_run_without_prefect_and_the_watcher_needs_only_python() -> None:
    """The watcher is a script of its own, without site-packages and without this package."""
    assert imports(FLOWS / "stage.py").isdisjoint({"dvc", "prefect"})
    assert imports(FLOWS / "processes.py").isdisjoint({"dvc", "prefect", "flows"})


def test_it_stays_small_enough_to_be_read_at_one_go() -> None:
    """Lines of code: neither blank, nor comment, nor docstring. docs/decisions/0005 says why."""
    lines = {path.name: code_lines(path) for path in FLOWS.glob("*.py")}
    assert sum(lines.values()) < 790, lines
    assert max(lines.values()) < 130, lines


def code_lines(path: Path) -> int:
    tree = ast.parse(path.read_text())
    prose: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(path.read_text().splitlines(), start=1)
    return sum(
        bool(text.strip()) and not text.strip().startswith("#") and number not in prose
        for number, text in lines
    )
