"""Commands under limits of the system: each ends with 0, or with 2 and one line, and in time."""

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import parameters

pytestmark = pytest.mark.slow

GB = 1 << 30


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("limited")
    shutil.copy(parameters.PATH, folder / "params.yaml")
    return folder


def under(limit: int, value: int, folder: Path, *command: str) -> tuple[int, str]:
    """The exit code, and what is said on standard error."""

    def limited() -> None:
        resource.setrlimit(limit, (value, value))

    done = subprocess.run(
        [sys.executable, "-m", "warmstart", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        preexec_fn=limited,
        timeout=120,
    )
    return done.returncode, done.stderr


def held(code: int, said: str) -> int:
    """`code`, if it and what is said are as promised; packages may warn before they give in."""
    lines = said.splitlines()
    ours = [line for line in lines if line.startswith("error: ")]
    assert code in (0, 2), said
    assert "Traceback" not in said
    assert len(ours) == code // 2, said
    assert not ours or (lines[-1] == ours[0] and len(lines) < 6), said
    return code


def test_small_files_alone_are_a_line(project: Path) -> None:
    limits = 0, 1 << 17, GB
    made = ("prepare", "--output", "x")
    codes = [held(*under(resource.RLIMIT_FSIZE, size, project, *made)) for size in limits]
    assert codes == [2, 2, 0]


def test_few_open_files_are_a_line(project: Path) -> None:
    assert held(*under(resource.RLIMIT_NOFILE, 64, project, "prepare")) == 0
    for number in (8, 12):  # with fewer Python itself does not start
        assert held(*under(resource.RLIMIT_NOFILE, number, project, "compare", "clipping")) == 2


def test_little_memory_is_a_line(project: Path) -> None:
    values = (GB // 5, GB // 2, GB, 5 * GB // 4, 8 * GB)
    codes = [held(*under(resource.RLIMIT_AS, value, project, "describe")) for value in values]
    assert (codes[0], codes[-1]) == (2, 0)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a disk of 100 KB at a folder."""
    made: list[Path] = []

    def make(name: str) -> Path:
        place = tmp_path / name
        place.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(place)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("needs root, and leave to mount a tmpfs")
        made.append(place)
        return place

    yield make
    for place in made:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_a_line_and_leaves_nothing_half_written(
    project: Path, small: Callable[[str], Path]
) -> None:
    place = small("disk")
    code, said = under(
        resource.RLIMIT_CORE, 0, project, "prepare", "--output", str(place / "prepared")
    )
    assert held(code, said) == 2
    assert f"{place}/prepared/" in said
    assert "expected room on the disk" in said
    assert not list(place.rglob(".unfinished*"))


def test_a_full_cache_of_dvc_fails(small: Callable[[str], Path], tmp_path: Path) -> None:
    """DVC alone would say that all is well, though nothing could be fetched or pushed."""
    from foreign_project import ROOT, dvc

    cache = small("project/.cache")
    folder = cache.parent
    dvc(folder, "init", "--no-scm", "--quiet")
    dvc(folder, "cache", "dir", str(cache))
    (folder / "dvc.yaml").write_text(
        "stages:\n  big:\n    cmd: head -c 400000 /dev/urandom > big\n    outs: [big]\n"
    )
    process = str(ROOT / "src/prefect_dvc/dvc_process.py")
    done = subprocess.run(
        [sys.executable, "-P", process, "dvc", "repro"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode
    lines = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert [line for line in lines if "No space left on device" in line]
    assert [line for line in lines if "DVC's cache: expected room for all outputs" in line]
