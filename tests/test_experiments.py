"""DVC's tables of experiments: what changed and what it brought, in the width of a terminal; and
the README's commands that undo one. A stage writes made-up headlines, nothing is trained."""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import parameters
from whole_runs import ROOT, commit, run

pytestmark = pytest.mark.slow

UNDO = "git checkout HEAD dvc.lock params.yaml && dvc checkout"
DVC_YAML = """\
stages:
  report:
    cmd: python made_up.py
    deps: [made_up.py]
    params: [seed, compare]
    metrics: [reports/metrics.json]
"""
MADE_UP = """\
import json
from pathlib import Path
from ruamel.yaml import YAML
seeds = YAML(typ="safe").load(Path("params.yaml"))["compare"]["seeds"]
Path("reports").mkdir(exist_ok=True)
Path("reports/metrics.json").write_text(json.dumps({
    "accuracy": 0.95 + seeds / 1000, "low": round(0.94 - 0.01 / seeds, 4),
    "high": round(0.96 + 0.01 / seeds, 4), "gain": round(-0.01 / seeds, 4),
    "b_accuracy": 0.939, "b_gain": round(-0.007 / seeds, 4),
    "decided": round(1 - 1 / seeds, 4), "epochs": 5000 * seeds,
}))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One commit and two experiments on it; the second is in the work tree."""
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "made_up.py").write_text(MADE_UP)
    (tmp_path / ".gitignore").write_text("/reports/\n")
    YAML().dump(parameters.content(), tmp_path / "params.yaml")
    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, "dvc", "init", "--quiet")
    run(tmp_path, "dvc", "repro", "--quiet")
    commit(tmp_path, "five seeds")
    run(tmp_path, "dvc", "exp", "run", "-n", "adam", "-S", "compare.base.optimizer=adam")
    run(tmp_path, "sh", "-c", UNDO)  # the next one would begin with it
    run(tmp_path, "dvc", "exp", "run", "-n", "seeds-3", "-S", "compare.seeds=3")
    return tmp_path


def accuracy(project: Path) -> float:
    return json.loads((project / "reports/metrics.json").read_text())["accuracy"]


def command_of(target: str) -> list[str]:
    """What the Makefile runs for it."""
    recipe = re.search(rf"^{target}:.*\n\t.*\$\(BIN\)/(.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert recipe
    return recipe[1].split()


def test_they_show_in_160_columns_what_changed_and_what_it_brought(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    table = run(project, *command_of("experiments")).splitlines()
    assert max(map(len, table)) <= 160
    (head,) = [line.split() for line in table if "Experiment" in line]
    rows = [line for line in table if re.search(r"\[(adam|seeds-3)\]", line)]
    assert len(rows) == 2
    # the test accuracy of model B is the same in all rows
    assert head == [
        "Experiment", "accuracy", "low", "high", "gain", "b_gain", "decided",
        "epochs", "compare.seeds", "compare.base.optimizer",
    ]  # fmt: skip
    assert {tuple(row.split()[-2:]) for row in rows} == {("3", "sgd"), ("5", "adam")}
    shown = run(project, "dvc", "metrics", "show").splitlines()
    assert max(map(len, shown)) <= 160
    assert len(run(project, "dvc", "metrics", "diff").splitlines()) < 40


def test_what_the_readme_says_undoes_an_experiment_and_takes_it_up_again(project: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    committed, tried = 0.955, 0.953
    assert accuracy(project) == tried
    for said, reached in (
        (UNDO, committed),
        ("dvc exp apply seeds-3", tried),
        ("dvc exp remove seeds-3", tried),
    ):
        assert f"\n{said}  " in readme
        run(project, "sh", "-c", said)
        assert accuracy(project) == reached
    assert "seeds-3" not in run(project, "dvc", "exp", "list")
    status = run(project, "git", "status", "--porcelain")
    assert status.split() == ["M", "dvc.lock", "M", "params.yaml"]
    assert "up to date" in run(project, "dvc", "status")
