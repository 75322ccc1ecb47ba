"""Who may import what, and how large the whole may get."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOWS, PACKAGE = ROOT / "flows", ROOT / "src/prefect_dvc"


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
    return sorted(path.name for path in PACKAGE.glob("*.py") if package in imports(path))


def test_only_the_graph_and_what_is_dvc_itself_import_dvc() -> None:
    assert importers("dvc") == ["dvc_changes.py", "dvc_process.py", "graph.py"]


def test_only_the_flow_its_tasks_and_its_pages_import_prefect() -> None:
    """The watcher does where a flow was killed."""
    assert importers("prefect") == [
        *("orchestrate.py", "pages.py", "tasks.py", "temporary.py", "watcher.py")
    ]


def test_nothing_imports_the_project_that_brings_it() -> None:
    assert importers("warmstart") == []
    assert importers("flows") == []


def test_stages_run_without_prefect_and_dvcs_process_needs_only_dvc() -> None:
    assert imports(PACKAGE / "execute.py").isdisjoint({"dvc", "prefect"})
    for name in ("dvc_process.py", "dvc_changes.py", "at_work.py"):
        assert imports(PACKAGE / name).isdisjoint({"prefect", "prefect_dvc"})


def test_a_process_that_only_waits_imports_neither_package() -> None:
    """Each takes seconds to import, in every flow."""
    code = (
        f"import sys, runpy; runpy.run_path({str(PACKAGE / 'watcher.py')!r}); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"dvc", "prefect", "prefect_dvc"}.isdisjoint(done.stdout.split())


def test_it_stays_small_enough_to_be_read_at_one_go() -> None:
    """Lines of code: neither blank, nor comment, nor docstring. docs/decisions/0005 says why."""
    assert sum(code_lines(path) for path in PACKAGE.glob("*.py")) <= 1250  # decisions 0023 to 0027
    assert sum(len(path.read_text().splitlines()) for path in FLOWS.glob("*.py")) <= 330
    for path in PACKAGE.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}: {node.name}"


def code_lines(path: Path) -> int:
    prose: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(path.read_text().splitlines(), start=1)
    return sum(
        bool(text.strip()) and not text.strip().startswith("#") and number not in prose
        for number, text in lines
    )
