"""docs/extending.md, applied to a copy of the project and run as it is written."""

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mutations import ROOT, copy
from ruamel.yaml import YAML

import parameters

PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
YAML_FILE = YAML(typ="safe", pure=True)
SEEDS = 2
"""In place of the 5 of the page."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Text in a fence, below the file that was named last in its section."""

    section: str
    file: str
    kind: str
    text: str

    def apply(self, folder: Path) -> None:
        """To the copy of the project in `folder`."""
        path = folder / self.file
        if self.kind == "diff":
            path.write_text(changed(path.read_text(encoding="utf-8"), self), encoding="utf-8")
        elif self.kind == "yaml":
            content = YAML_FILE.load(path.read_text(encoding="utf-8"))
            merge(content, YAML_FILE.load(self.text))
            YAML_FILE.dump(content, path)
        else:
            assert not path.exists(), path
            path.write_text(self.text, encoding="utf-8")


def changed(text: str, block: Block) -> str:
    """`text` after a diff whose old lines, kept and removed, are there once."""
    lines = block.text.splitlines(keepends=True)
    assert {line[:1] for line in lines} <= {"+", "-", " ", "\n"}, block
    old, new = (
        "".join(line[1:] if line.strip() else line for line in lines if line[:1] != left_out)
        for left_out in "+-"
    )
    if text.count(old) != 1:  # the last line may be the beginning of one
        old, new = old.rstrip("\n"), new.rstrip("\n")
    assert text.count(old) == 1, f"{block.file}: expected once, found {text.count(old)}:\n{old}"
    return text.replace(old, new)


def merge(content: Any, more: Any) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and key in content:
            merge(content[key], value)
        else:
            content[key] = value


def blocks() -> list[Block]:
    found = []
    for section in re.split(r"(?m)^## ", PAGE)[1:]:
        title, file, position = section.partition("\n")[0], "", 0
        for fence in re.finditer(r"(?ms)^```(\w*)\n(.*?)^```$", section):
            named = re.findall(r"(?m)^`([\w./]+)`[:,]", section[position : fence.start()])
            file, position = (named or [file])[-1], fence.end()
            found.append(Block(section=title, file=file, kind=fence[1], text=fence[2]))
    return found


EDITS = [block for block in blocks() if block.kind != "console"]
COMMANDS = [block for block in blocks() if block.kind == "console"]
SECTIONS = list(dict.fromkeys(block.section for block in EDITS))


def test_every_section_of_the_table_is_there() -> None:
    assert SECTIONS == [
        "A stage",
        "A metric",
        "An arm",
        "Another kind of network",
        "A family without networks",
    ]
    assert {block.section for block in COMMANDS} == set(SECTIONS)
    rows = re.findall(r"(?m)^\| (?!you add|---)(.*?) \| (.*) \|$", PAGE)
    named = {name for _, files in rows for name in re.findall(r"`([\w/]+\.\w+|\w+/)`", files)}
    used = {block.file.removeprefix("src/warmstart/") for block in EDITS}
    assert named - {"stages/"} == used - {"stages/balance.py", "tests/test_metrics.py"}


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_alone_fits_the_code(section: str, tmp_path: Path) -> None:
    """What it makes of the files is Python as the linter and the formatter want it."""
    copy(tmp_path)
    edits = [block for block in EDITS if block.section == section]
    for block in edits:
        block.apply(tmp_path)
    files = sorted({block.file for block in edits if block.file.endswith(".py")})
    for file in files:
        ast.parse((tmp_path / file).read_text(encoding="utf-8"))
    for tool in (("check",), ("format", "--check")):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *tool, "--no-cache", *files],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def shrink(path: Path) -> None:
    """Parameters that train in seconds."""
    content = parameters.content()
    content["compare"] |= {"seeds": SEEDS, "learning_rates": [0.03, 0.1], "epochs": 1}
    arms = content["compare"]["studies"]["clipping"]["arms"]
    content["compare"]["studies"] = {"clipping": {"arms": {k: arms[k] for k in ("none", "norm")}}}
    content["executor"]["workers"] = 1
    YAML_FILE.dump(content, path)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the whole page applied, not yet run."""
    folder = tmp_path_factory.mktemp("extended")
    copy(folder)
    shrink(folder / "params.yaml")
    (folder / "dvc.lock").unlink()
    for block in EDITS:
        block.apply(folder)
    said(folder, "git init --quiet")
    said(folder, "git add --all")
    said(folder, "git -c user.name=test -c user.email=test@example.org commit --quiet -m extended")
    return folder


def said(folder: Path, command: str) -> str:
    """What a command prints in `folder`, with this environment's programs first."""
    own = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "DVC_NO_ANALYTICS": "1",
        "SHELL": "/bin/sh",
        "COLUMNS": "200",
    }
    # the console script may be another checkout's
    command = re.sub(r"^(warmstart|pytest)\b", rf"{sys.executable} -m \1", command)
    done = subprocess.run(
        command.split(),
        cwd=folder,
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_the_commands_print_what_the_page_says(extended: Path, section: str) -> None:
    for block in COMMANDS:
        if block.section != section:
            continue
        for step in re.split(r"(?m)^\$ ", block.text)[1:]:
            command, _, expected = step.partition("\n")
            expected = expected.replace("20 models on 5", f"{4 * SEEDS} models on {SEEDS}")
            pattern = re.escape(expected).replace(re.escape("…\n"), "(.*\n)*")
            printed = said(extended, command)
            assert re.fullmatch(pattern, printed), f"{command}\n{printed}"


def records(folder: Path, place: str) -> pd.DataFrame:
    """The tested trials of a stage of which the commands above have made records."""
    frame = pd.read_parquet(folder / "results" / place / "records.parquet")
    return frame[frame["test_accuracy"].notna()]


@pytest.mark.slow
def test_the_new_metric_decides(extended: Path) -> None:
    """No geometric mean exceeds the arithmetic one; the stage is judged by it."""
    content = YAML_FILE.load((extended / "params.yaml").read_text(encoding="utf-8"))
    content["compare"]["metric"] = "geometric_mean"
    YAML_FILE.dump(content, extended / "params.yaml")
    said(extended, "dvc repro yardsticks")
    frame = records(extended, "yardsticks").set_index("arm")
    assert set(frame["metric"]) == {"geometric_mean"}
    assert set(frame.loc["majority", "test_geometric_mean"]) == {0.0}
    others = frame.loc[["linear", "gradient_boosting", "forest"]]
    above = others["test_balanced_accuracy"] - others["test_geometric_mean"]
    assert above.between(0, 0.02).all()
    validation = [json.loads(text)["val_geometric_mean"] for text in others["validation"]]
    assert min(validation) > 0.8
    # which of them is ahead on digits differs from split to split; a forest knows what it has seen
    assert others["test_accuracy"].gt(0.9).all()
    assert set(frame.loc["forest", "accuracy"]) == {1.0}
    assert frame.groupby("arm")["test_loss"].mean().round(6).is_unique
    said(extended, "warmstart report")
    text = (extended / "reports/report.md").read_text(encoding="utf-8")
    assert "a random forest" in text


@pytest.mark.slow
def test_the_new_arms_learn(extended: Path) -> None:
    for study, arms in (
        ("mine", {"plain", "hard_silu", "orthogonal_relu", "unit_norm"}),
        ("bottleneck", {"wide", "narrow"}),
    ):
        said(extended, f"dvc repro --quiet compare@{study}")
        frame = records(extended, f"compare/{study}")
        assert set(frame["arm"]) == arms
        assert frame["test_accuracy"].gt(0.5).all()
        # what differs in its setting differs in what it does
        assert frame.groupby("arm")["test_loss"].mean().round(6).is_unique


@pytest.mark.slow
def test_what_was_added_to_networks_is_what_it_says(extended: Path) -> None:
    """Against NumPy, in a process of the extended code."""
    program = """
import numpy as np
from warmstart.config.arm import Arm
from warmstart.config.parts import Activation, Initializer
from warmstart.networks import choices, building
from warmstart.networks.printing import keras_code
x = np.linspace(-3, 3, 64, dtype="float32").reshape(1, -1)
hard = np.asarray(choices.activation(Activation(name="hard_silu")).build()(x))
np.testing.assert_allclose(hard, x * np.clip(x + 3, 0, 6) / 6, rtol=1e-5, atol=1e-6)
w = np.asarray(choices.initializer(Initializer(name="orthogonal_relu"), 3).build()((60, 20)))
np.testing.assert_allclose(w.T @ w, 2 * np.eye(20), atol=1e-4)
norm = building.build(Arm(unit_norm=True, hidden=(9,)).resolve(64), 64, 3, 1)
names = [layer.name for layer in norm.layers]
assert names == ["hidden_1", "activation_1", "unit_norm_1", "logits"], names
net = building.build(Arm(bottleneck=7, hidden=(9,)).resolve(64), 64, 3, 1)
names = [layer.name for layer in net.layers]
assert names == ["bottleneck", "hidden_1", "activation_1", "logits"], names
plain = Arm().content()
assert Arm(unit_norm=False).content() == plain and not {"unit_norm", "bottleneck"} & plain.keys()
code = keras_code(Arm(bottleneck=7).resolve(64), learning_rate=0.1, classes=3,
    task=__import__("pathlib").Path("full.npz"), features=64, batch_size=8, epochs=1)
assert 'keras.layers.Dense(7, kernel_initializer="he_normal")' in code, code
print("as it says")
"""
    (extended / "look.py").write_text(program, encoding="utf-8")
    assert said(extended, f"{sys.executable} look.py").endswith("as it says\n")
    (extended / "look.py").unlink()


@pytest.mark.slow
def test_the_extended_code_is_typed(extended: Path) -> None:
    assert "Success" in said(extended, f"{sys.executable} -m mypy --no-incremental")
    assert np.isfinite(
        list(YAML_FILE.load((extended / "results/balance/balance.json").read_text()).values())
    ).all()
