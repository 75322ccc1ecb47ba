"""The house as it is meant: arrows point one way, heavy packages have one door, and DVC knows
what each stage depends on."""

import ast
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "warmstart"
DVC = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
MODULES = sorted(PACKAGE.rglob("*.py"))


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
    """`path` and every module of the package that it reaches, packages' empty doors left out."""
    found, todo = set(), [path]
    while todo:
        here = todo.pop()
        if here not in found and here != PACKAGE / "__init__.py":  # it names the library, lazily
            found.add(here)
            todo += [file for name in imported(here) if (file := file_of(name))]
    return {file for file in found if file.name != "__init__.py"}


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
                "training/environment.py",
                "networks/activations.py",
            ],
        ),
        ("jax", ["training/backends/jax.py"]),
        ("distributed", ["training/cluster.py", "training/remote.py"]),
        ("keras", ["networks", "training", "data/fashion_mnist.py", "tracking/champion.py"]),
        ("prefect", []),
        ("dvc", []),
    ],
)
def test_heavy_packages_have_one_door(package: str, door: list[str]) -> None:
    for path in MODULES:
        if any(name.split(".")[0] == package for name in imported(path)):
            place = str(path.relative_to(PACKAGE))
            assert any(place == d or place.startswith(f"{d}/") for d in door), place


LAYERS = ["data", "networks", "training", "analysis", "tracking", "stages"]


@pytest.mark.parametrize("layer", LAYERS)
def test_arrows_point_backwards(layer: str) -> None:
    allowed = {
        "data": set(),
        "networks": set(),
        "training": {"data", "networks"},
        "analysis": set(),
        "tracking": {"data", "networks", "training", "analysis"},
        "stages": {"data", "training", "analysis"},
    }[layer]
    for path in (PACKAGE / layer).rglob("*.py"):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "warmstart" and len(parts) > 1 and parts[1] in LAYERS:
                assert parts[1] in allowed | {layer}, f"{path.name} imports {name}"


def test_dvc_runs_every_study_of_the_parameters() -> None:
    with Repo(str(ROOT)) as repo:
        stages = {stage.addressing for stage in repo.index.stages}
    assert {name for name in stages if name.startswith("compare@")} == {
        f"compare@{study}" for study in PARAMS["compare"]["studies"]
    }
    assert "results/compare" in DVC["report"]["deps"]


def test_the_studies_have_the_arms_of_the_chapter() -> None:
    arms = {name: set(study["arms"]) for name, study in PARAMS["compare"]["studies"].items()}
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
