"""The house as it is meant: arrows point one way, heavy packages have one door, and DVC knows
what each stage depends on."""

import ast
import shutil
import subprocess
import sys
from contextlib import chdir
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

import parameters
from warmstart.records import times_of

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "warmstart"
DVC = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = parameters.content()
MODULES = sorted(PACKAGE.rglob("*.py"))

NO_DEPENDENCY = ("deadlines.py", "login.py", "progress.py", "runtime")
"""What a stage imports and what decides no byte of what it writes: how long servers may take, and
where and how trials run.
tests/runtime holds that one worker, two workers and Dask give the same bytes."""

LAYERS = ("config", "data", "networks", "training", "records", "analysis", "tracking")
"""A module imports from its own layer and from those before it; LEAVES from nothing, and everybody
from them. `runtime` and `stages`, which have a place beside the arrow, are in BESIDE."""
LEAVES = (
    "contrasts",
    "deadlines",
    "door",
    "errors",
    "files",
    "login",
    "metrics",
    "predictor",
    "progress",
    "seeds",
)
BESIDE = {
    "runtime": {"config", "data", "training", "runtime"},
    "stages": {"config", "data", "networks", "training", "records", "runtime", "stages"},
    "stages.report": {"config", "analysis"},
    "tracking": {*LAYERS, "runtime"},
    "library": {*LAYERS, "stages", "comparison"},
    "comparison": {*LAYERS},
    "places": {"config"},
    "own_data": {"config"},
    "stage_commands": {*LAYERS, "runtime", "stages", "places"},
    "commands": {*LAYERS, "runtime", "stages", "places", "own_data", "stage_commands", "login"},
    "faults": {"places"},
    "terminal": set(),
    "__main__": {"commands", "faults", "runtime", "terminal"},
    "__init__": {"library"},
}


def imported(path: Path) -> set[str]:
    """Full names of all that `path` imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def file_of(name: str) -> Path | None:
    """The file of a module of the package, None for anything else."""
    if name.split(".")[0] != "warmstart":
        return None
    place = PACKAGE.joinpath(*name.split(".")[1:])
    if place.with_suffix(".py").exists():
        return place.with_suffix(".py")
    return place / "__init__.py" if (place / "__init__.py").exists() else None


def closure(path: Path) -> set[Path]:
    """`path` and every module of the package that it reaches and that decides bytes, packages'
    empty doors left out."""
    found, todo = set(), [path]
    while todo:
        here = todo.pop()
        if here not in found and here != PACKAGE / "__init__.py":  # it names the library, lazily
            found.add(here)
            todo += [file for name in imported(here) if (file := file_of(name))]
    return {file for file in found if file.name != "__init__.py" and _decides(file)}


def _decides(file: Path) -> bool:
    return file.relative_to(PACKAGE).parts[0] not in NO_DEPENDENCY


@pytest.mark.parametrize("stage", DVC)
def test_deps_are_exactly_what_the_stage_imports(stage: str) -> None:
    needed = {str(f.relative_to(ROOT)) for f in closure(PACKAGE / "stages" / f"{stage}.py")}
    given = {dep for dep in DVC[stage]["deps"] if dep.startswith("src/")}
    covered = {f for f in needed if any(f == dep or f.startswith(f"{dep}/") for dep in given)}
    assert needed == covered
    unused = {dep for dep in given if not any(f == dep or f.startswith(f"{dep}/") for f in needed)}
    assert not unused


@pytest.mark.parametrize(
    ("package", "door"),
    [
        ("mlflow", ["tracking"]),
        (
            "tensorflow",
            [
                "training/backends/tensorflow.py",
                "training/setup.py",
                "networks/activations.py",
            ],
        ),
        ("jax", ["training/backends/jax.py"]),
        ("distributed", ["runtime/dask_client.py", "runtime/dask_worker.py"]),
        # what is served elsewhere
        ("keras", ["networks", "training", "tracking/served.py"]),
        ("prefect", []),
        ("dvc", []),
    ],
)
def test_heavy_packages_have_one_door(package: str, door: list[str]) -> None:
    for path in MODULES:
        if any(name.split(".")[0] == package for name in imported(path)):
            place = str(path.relative_to(PACKAGE))
            assert any(place == d or place.startswith(f"{d}/") for d in door), place


def layer_of(path: Path) -> str:
    """The layer, or the module outside of all, that a file of the package belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_import_follows_the_arrow(path: Path) -> None:
    layer, name = layer_of(path), ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    allowed = set(LEAVES) | BESIDE.get(name, BESIDE.get(layer, set()))
    if layer in LAYERS:
        allowed |= set(LAYERS[: LAYERS.index(layer) + 1])
    targets = {layer_of(file) for imp in imported(path) if (file := file_of(imp))} - {"__init__"}
    assert targets <= allowed | ({layer} if layer in LAYERS else set()), name


def test_no_modules_import_each_other() -> None:
    arrows = {
        path: {file for name in imported(path) if (file := file_of(name)) and file != path}
        for path in MODULES
        if path != PACKAGE / "__init__.py"  # it names the library, which is loaded when asked for
    }
    for ends in arrows.values():
        ends.discard(PACKAGE / "__init__.py")
    TopologicalSorter(arrows).prepare()  # raises CycleError, which names the cycle


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which every stage is up to date: DVC is told so, nothing is run."""
    folder = tmp_path_factory.mktemp("clean")
    for name in ("src", "dvc.yaml", ".dvcignore", "data/raw"):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, target)
    shutil.copy(parameters.PATH, folder / "params.yaml")
    dvc(folder, "init", "--no-scm", "--quiet")
    with chdir(folder), Repo(str(folder)) as repo:
        for out in [out for stage in repo.index.stages for out in stage.outs]:
            Path(out.fs_path).parent.mkdir(parents=True, exist_ok=True)
            Path(out.fs_path).write_text("made")
    dvc(folder, "commit", "--force", "--quiet")
    assert changed(folder) == set()
    return folder


def dvc(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def changed(folder: Path) -> set[str]:
    """Stages that `dvc status` names, of a matrix the name."""
    return {name.partition("@")[0] for name in status(folder)}


def status(folder: Path) -> dict[str, list[Any]]:
    """What `dvc status` says, by stage."""
    with chdir(folder), Repo(str(folder)) as repo:
        return repo.status()


@pytest.mark.parametrize("layer", ["analysis", "tracking", "runtime"])
def test_a_comment_in_what_judges_looks_or_runs_trains_nothing(clean: Path, layer: str) -> None:
    for path in (clean / "src/warmstart" / layer).rglob("*.py"):
        path.write_text(f"{path.read_text()}# a comment\n")
    assert changed(clean) <= {"report"}


def test_a_comment_in_what_trains_is_seen(clean: Path) -> None:
    path = clean / "src/warmstart/training/trainer.py"
    before = path.read_text()
    path.write_text(f"{before}# a comment\n")
    named = changed(clean)
    path.write_text(before)
    trained = {
        stage
        for stage in DVC
        if any(layer_of(file) == "training" for file in closure(PACKAGE / f"stages/{stage}.py"))
    }
    assert named == trained
    assert trained >= {"pretrain", "autoencode", "transfer", "compare"}


def test_no_stage_depends_on_times(clean: Path) -> None:
    """What differs from run to run decides no hash but its own."""
    with chdir(clean), Repo(str(clean)) as repo:
        outs = {str(out) for stage in repo.index.stages for out in stage.outs}
    trained = (
        "pretrain",
        "autoencode",
        "transfer",
        *(f"compare/{s}" for s in PARAMS["compare"]["studies"]),
    )
    times = {times_of(Path("results") / stage).as_posix() for stage in trained}
    assert times == {out for out in outs if "times" in Path(out).parts}
    for path in times:
        (clean / path).write_text("of another run")
    told = [one for stage in status(clean).values() for one in stage]
    for path in times:
        (clean / path).write_text("made")
    assert {path for one in told for path in one.get("changed outs", {})} == times
    deps = {path for one in told for path in one.get("changed deps", {})}
    assert not {path for path in deps if not path.startswith("src/")}


def test_dvc_runs_every_study_of_the_parameters(clean: Path) -> None:
    with chdir(clean), Repo(str(clean)) as repo:
        stages = {stage.addressing for stage in repo.index.stages}
    assert {name for name in stages if name.startswith("compare@")} == {
        f"compare@{study}" for study in PARAMS["compare"]["studies"]
    }
    assert "results/compare" in DVC["report"]["deps"]


def test_the_studies_have_the_arms_of_the_chapter() -> None:
    arms = {n: set(study.get("arms", ())) for n, study in PARAMS["compare"]["studies"].items()}
    assert arms["initializer"] >= {
        f"{family}_{shape}"
        for family in ("glorot", "he", "lecun")
        for shape in ("normal", "uniform")
    } | {"orthogonal", "normal_1", "zeros"}
    assert arms["activation"] >= {
        "sigmoid", "tanh", "relu", "leaky_relu", "rrelu", "prelu", "elu", "selu", "gelu", "silu",
    }  # fmt: skip
    assert arms["batch_norm"] >= {"none", "before", "after", "input", "raw", "raw_normalized"}
    assert arms["clipping"] >= {"none", "value", "norm", "global_norm"}


def test_the_tree_names_no_path_of_a_machine() -> None:
    for path in [*MODULES, *(ROOT / "flows").glob("*.py"), ROOT / "Makefile", ROOT / "dvc.yaml"]:
        text = path.read_text()
        assert "/home/" not in text, path
        assert "/root/" not in text, path


def test_locks_name_no_registry() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        lines = lock.read_text().splitlines()
        assert not [line for line in lines if "://" in line or line.startswith("-")], lock
        pins = [line for line in lines if line and not line.startswith((" ", "#"))]
        assert all("==" in line for line in pins)
        assert len(pins) <= sum("--hash=sha256:" in line for line in lines)
