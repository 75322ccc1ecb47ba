"""Targets of the Makefile that take something from the command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.utils.hydra import to_hydra_overrides
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import OmegaConf

from warmstart.own_data import settings
from whole_runs import MAKE_RUN

ROOT = Path(__file__).parents[1]
PROGRAM = f"""#!{sys.executable}
import json, os, sys
if sys.argv[1:3] == ["-m", "warmstart"]:
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps(sys.argv[3:]) + "\\n")
    if "--during" in sys.argv:
        during = sys.argv[sys.argv.index("--during") + 1 :]
        os.execv(during[0], during)
elif sys.argv[1:3] == ["-m", "warmstart.own_data"]:
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
else:
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps(sys.argv[3:]) + "\\n")
"""
"""Stands for the environment's Python: notes what it is to do, and does what matters here."""


def asked(folder: Path, *arguments: str, **environment: str) -> list[list[str]]:
    """What `make run` asks of `check`, of `track`, and of DVC."""
    if not shutil.which("make"):
        pytest.skip("needs make")
    folder.joinpath("bin").mkdir()
    folder.joinpath("bin/python").write_text(PROGRAM)
    folder.joinpath("bin/python").chmod(0o755)
    folder.joinpath("ready").touch()
    seen = folder / "seen"
    environment |= {"SEEN": str(seen), "PYTHONPATH": str(ROOT / "src"), "CANARY": str(folder)}
    command = ["make", "-s", "run", f"BIN={folder}/bin", f"READY={folder}/ready", *arguments]
    subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)
    return [json.loads(line) for line in seen.read_text().splitlines()]


def test_what_tests_start_as_make_run_is_what_it_starts(tmp_path: Path) -> None:
    _, tracked, _ = asked(tmp_path)
    here = {
        f"{tmp_path}/bin/python": sys.executable,
        "src/prefect_dvc/dvc_process.py": MAKE_RUN[-3],
    }
    assert [here.get(word, word) for word in tracked] == [*MAKE_RUN[3:]]


def test_without_data_of_ones_own(tmp_path: Path) -> None:
    checked, _, called = asked(tmp_path, DATA="not meant", TARGET="not meant")
    assert (checked, called) == (["check"], ["dvc", "repro"])


def test_data_of_ones_own(tmp_path: Path) -> None:
    checked, _, called = asked(tmp_path, "DATA=my data/trees.csv", "TARGET=my kind")
    assert checked == ["check", "--path=my data/trees.csv", "--target=my kind"]
    assert called == [
        "dvc", "exp", "run",
        "--set-param", 'data.path="my data/trees.csv"',
        "--set-param", 'data.name="trees"',
        "--set-param", "transfer.task_b=auto",
        "--set-param", "transfer.label_counts=[all]",
        "--set-param", 'data.target="my kind"',
    ]  # fmt: skip


def test_a_name_and_a_target_alone() -> None:
    named = settings({"OWN_DATA": "a.npz", "OWN_NAME": "leaves"})
    assert 'data.name="leaves"' in named
    assert [*settings({"OWN_TARGET": "kind"})] == ['data.target="kind"']
    assert 'data.name="mine"' in settings({"OWN_DATA": "data/digits.csv"})


HOSTILE = [
    "$(touch $$CANARY/caught)", "$(shell touch caught)", "$$(touch $$CANARY/caught)",
    "`touch $CANARY/caught`", "'; touch $CANARY/caught; '", '"; touch $CANARY/caught; "',
    "x\ntouch $CANARY/caught", "a #b", "--lock", "-rf", "ü 서울",
    "\\", '\\"', "a\\", "${oc.env:HOME}",
    "\\${x}", "Price ($)", "{a}", "null", "a=b,c", "$(error x)", "$@", "~", "*", "!x", "%",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_value_is_run_or_changed(text: str, tmp_path: Path) -> None:
    _, _, called = asked(tmp_path, f"DATA={text}", f"TARGET={text}")
    assert not [*tmp_path.glob("caught"), *ROOT.glob("caught")]
    overrides = to_hydra_overrides(called[4::2])
    content = {"data": dict.fromkeys(["path", "name", "target"])} | {
        "transfer": dict.fromkeys(["task_b", "label_counts"])
    }
    config = OmegaConf.create(content)
    ConfigLoaderImpl._apply_overrides_to_config(overrides, config)
    data = OmegaConf.to_object(config)["data"]  # type: ignore[index, call-overload]
    assert (data["path"], data["target"]) == (text, text)
