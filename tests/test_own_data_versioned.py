"""Own data in DVC, as data/raw/README.md says: pushed, pulled, in the DAG, in other folders."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import parameters
from foreign_project import git
from prefect_dvc.place import worktree
from whole_runs import COPIED, ROOT, YAML_FILE, commit, run


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose data are a .npz and a folder of pictures, added, committed and pushed."""
    folder = tmp_path_factory.mktemp("own") / "project"
    for name in (*COPIED, "data/raw/README.md"):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name == "src" or not source.is_dir():
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, target)
    generator = np.random.default_rng(1)
    y = np.arange(60) % 5
    x = generator.normal(size=(60, 4)) + y[:, None]
    np.savez(folder / "data/raw/trees.npz", x=x, y=np.array(list("abcde"))[y])
    for name in ("ash", "beech"):
        (folder / "data/raw/leaves" / name).mkdir(parents=True)
        for number in range(3):
            pixels = generator.integers(0, 256, (4, 4), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"data/raw/leaves/{name}/{number}.png")
    params = parameters.content()
    params["data"] |= {"name": "trees", "path": "data/raw/trees.npz"}
    params["transfer"] |= {"task_b": ["a", "b"], "train_size": 10, "label_counts": ["all"]}
    YAML_FILE.dump(params, folder / "params.yaml")
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "remote", "add", "--default", "shelf", str(folder.parent / "shelf"))
    run(folder, "dvc", "add", "--quiet", "data/raw/trees.npz", "data/raw/leaves")
    commit(folder, "data")
    run(folder, "dvc", "push", "--quiet")
    return folder


@pytest.fixture
def colleague(owner: Path, tmp_path: Path) -> Path:
    """A clone, without any data."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(owner), str(clone))
    return clone


def raw(folder: Path) -> set[str]:
    return {path.name for path in (folder / "data/raw").iterdir()}


def test_git_has_the_addresses_and_not_the_data(owner: Path) -> None:
    names = {"README.md", "trees.npz.dvc", "leaves.dvc"}
    assert {Path(p).name for p in git(owner, "ls-files", "data").splitlines()} == names


def test_a_colleague_pulls_them(owner: Path, colleague: Path) -> None:
    assert raw(colleague) == {"README.md", "trees.npz.dvc", "leaves.dvc"}
    run(colleague, "dvc", "pull", "--quiet", "--allow-missing")
    for path in (path for path in (owner / "data/raw").rglob("*") if path.is_file()):
        assert (colleague / path.relative_to(owner)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("data/raw/trees.npz", {"data/raw/trees.npz.dvc"}),
        ("data/raw/leaves", {"data/raw/leaves.dvc"}),
        ("data/raw", {"data/raw/trees.npz.dvc", "data/raw/leaves.dvc"}),
    ],
)
def test_the_dag_leads_from_them_to_prepare(colleague: Path, data: str, expected: set[str]) -> None:
    params = YAML_FILE.load(colleague / "params.yaml")
    params["data"]["path"] = data
    YAML_FILE.dump(params, colleague / "params.yaml")
    edges = run(colleague, "dvc", "dag", "--dot", "prepare").splitlines()
    assert {
        e.split('"')[1] for e in edges if "->" in e and e.split('"')[3] == "prepare"
    } == expected


def test_an_experiment_elsewhere_has_them(owner: Path) -> None:
    run(owner, "dvc", "exp", "run", "--temp", "--quiet", "--name", "elsewhere", "prepare")
    (kept,) = git(owner, "for-each-ref", "--format=%(objectname)", "refs/exps/[0-9a-f]*/**").split()
    prepared = YAML_FILE.load(git(owner, "show", f"{kept}:dvc.lock"))["stages"]["prepare"]
    added = YAML_FILE.load(owner / "data/raw/trees.npz.dvc")
    assert prepared["deps"][0]["md5"] == added["outs"][0]["md5"]


def test_a_scheduled_run_has_them(colleague: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a worktree, out of the cache or, as here, from the remote."""
    monkeypatch.chdir(colleague)
    with worktree("HEAD", "nightly", "000000000001"):
        assert raw(Path.cwd()) > {"trees.npz", "leaves"}
        assert np.load("data/raw/trees.npz")["x"].shape == (60, 4)
        assert len(list(Path("data/raw/leaves").glob("*/*.png"))) == 6
