"""A file takes its place whole and stays, and a damaged one is one line."""

import fcntl
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damages import flipped
from ruamel.yaml import YAML

import warmstart.files
from warmstart.errors import InputError
from warmstart.files import (
    check_zip,
    intact,
    read_arrays,
    read_json,
    read_sealed,
    replacing,
    stage_of,
    write_json,
    write_sealed,
)

CONTENT = {"a": 0.1, "b": [1, None, "ü"], "c": {"d": True}}
DVC = YAML(typ="safe", pure=True).load(
    (Path(__file__).parents[1] / "dvc.yaml").read_text(encoding="utf-8")
)["stages"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """What was synchronized and put in its place, in order."""
    found: list[tuple[str, Path]] = []

    def fsync(file: int) -> None:
        found.append(("sync", Path(f"/proc/self/fd/{file}").readlink()))

    def replace(source: Path, target: Path, real: Any = os.replace) -> None:
        real(source, target)
        found.append(("replace", Path(target)))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return found


def test_the_content_is_on_the_disk_before_the_name_and_then_the_name(
    tmp_path: Path, calls: list[tuple[str, Path]]
) -> None:
    path = tmp_path / "new" / "deeper" / "a.txt"
    with replacing(path) as unfinished:
        unfinished.write_text("whole")
        assert calls == []
    assert calls == [
        ("sync", unfinished),
        ("replace", path),
        ("sync", path.parent),
        ("sync", tmp_path / "new"),  # which has a new folder, as the next one
        ("sync", tmp_path),
    ]
    assert path.read_text() == "whole"


def test_what_can_be_made_again_does_not_wait_for_the_disk(
    tmp_path: Path, calls: list[tuple[str, Path]]
) -> None:
    with replacing(tmp_path / "a.txt", lasting=False) as unfinished:
        unfinished.write_text("whole")
    assert calls == [("replace", tmp_path / "a.txt")]


def fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("where", ["block", "fsync", "replace"])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    if where != "block":
        monkeypatch.setattr(os, where, fail)
    with pytest.raises(OSError, match="No space"):
        _write(path, fail if where == "block" else str)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "before")]


def _write(path: Path, then: Callable[[], object]) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text("half")
        then()


def test_leftovers_of_the_dead_go_and_what_the_living_write_stays(tmp_path: Path) -> None:
    dead, living = tmp_path / ".unfinished-1-a.txt", tmp_path / ".unfinished-2-b.txt"
    dead.touch()
    with living.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        write_json(tmp_path / "c.json", 1)
        assert sorted(tmp_path.iterdir()) == [living, tmp_path / "c.json"]
    warmstart.files._remove_unfinished.cache_clear()  # as another process would
    with replacing(tmp_path / "d.json") as mine:
        mine.touch()
        write_json(tmp_path / "c.json", 2)
        assert mine.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.json", "d.json"]


def test_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    (tmp_path / ".unfinished-1-a.txt").touch()
    write_json(tmp_path / "c.json", 1)
    assert len(list(tmp_path.iterdir())) == 2


def bits(content: bytes) -> Iterator[bytes]:
    """`content` with a bit of each of its bytes another one, and cut off after every fifth."""
    yield from (content[:length] for length in range(0, len(content), 5))
    # of the bits of a byte all have their turn as bytes follow each other
    yield from (flipped(content, place, place % 8) for place in range(len(content)))


def problem(error: InputError) -> str:
    """Its one line."""
    (line,) = error.problems
    assert "\n" not in line
    return line


def test_no_bit_of_sealed_content_changes_unseen(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_sealed(path, CONTENT)
    assert read_sealed(path) == CONTENT
    assert json.loads(path.read_text()).keys() == {*CONTENT, "sha256"}
    said = []
    for content in bits(path.read_bytes()):
        path.write_bytes(content)
        try:
            assert read_sealed(path) == CONTENT  # a blank, or the line's end
        except InputError as error:
            said.append(problem(error))
    assert all(line.startswith(f"{path}: expected what was written there") for line in said)
    assert len(said) > 100


def test_no_bit_of_an_archive_changes_unseen(tmp_path: Path) -> None:
    path, members = tmp_path / "a.zip", {"config.json": b"{}", "weights.h5": bytes(range(64))}
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), member)
    for content in bits(path.read_bytes()):
        path.write_bytes(content)
        try:
            with intact(path):
                check_zip(path)
        except InputError as error:
            problem(error)
        else:
            with zipfile.ZipFile(path) as archive:
                assert {n: archive.read(n) for n in archive.namelist()} == members


def test_no_bit_of_an_array_changes_unseen(tmp_path: Path) -> None:
    path, arrays = tmp_path / "a.npz", {"x": np.arange(3.0), "name": np.array("ü")}
    np.savez(path, **arrays)
    for content in bits(path.read_bytes()):
        path.write_bytes(content)
        try:
            with intact(path):
                received = read_arrays(path)
        except InputError as error:
            problem(error)
        else:
            assert {k: v.tolist() for k, v in received.items()} == {
                k: v.tolist() for k, v in arrays.items()
            }


def test_what_to_do_is_to_run_the_stage_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("results/times/compare/clipping.json")
    with pytest.raises(InputError) as missing:
        read_sealed(path)
    assert problem(missing.value) == (
        f"{path}: expected what the stage compare@clipping writes, received no such file; "
        "run `dvc repro compare@clipping`"
    )
    write_json(path, {})
    with pytest.raises(InputError) as damaged:
        read_sealed(path)
    assert problem(damaged.value) == (
        f"{path}: expected what the stage compare@clipping writes, received a damaged file "
        "(KeyError: 'sha256'); run `dvc repro --force --single-item compare@clipping`"
    )


def test_permissions_and_limits_of_the_system_are_no_damage(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Too many open files"), intact(tmp_path / "a"):
        raise OSError(24, "Too many open files")
    with pytest.raises(InputError, match="damaged"), intact(tmp_path / "a"):
        raise OSError("Couldn't deserialize thrift")  # as Arrow says


def test_every_output_of_dvc_knows_its_stage() -> None:
    for name, stage in DVC.items():
        kinds = (stage.get(kind, []) for kind in ("outs", "metrics", "plots"))
        for out in (out for outs in kinds for out in outs):
            path = next(iter(out)) if isinstance(out, dict) else out
            wanted = f"{name}@clipping" if "${item.study}" in path else name
            path = path.replace("${item.study}", "clipping")
            if not Path(path).suffix:
                path += "/stacked/0.keras"
            assert stage_of(Path(path)) == stage_of(Path("/some/project", path)) == wanted
    for own in ("mine.keras", "models/autoencode/mine.keras", "models/mine.keras", "a/card.json"):
        assert stage_of(Path(own)) == ""


def test_json_that_others_read_has_no_seal(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", CONTENT)
    assert read_json(tmp_path / "a.json") == CONTENT
    assert json.loads((tmp_path / "a.json").read_text()) == CONTENT
